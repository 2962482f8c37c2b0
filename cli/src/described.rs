//! Which pipeline a command is about: a file or a line, and what is changed in it.

use std::ffi::OsString;
use std::path::Path;

use clap::{Args, value_parser};
use dmaflow_pipelines::description::{Description, Override};

use crate::failure::Failure;

/// Which pipeline is meant.
#[derive(Args)]
pub(crate) struct DescriptionArgs {
    /// The description: a TOML file, or a pipeline in a line, as in
    /// 'v4l2-src device=/dev/video0 ! kms-sink'
    #[arg(value_name = "FILE|PIPELINE", required = true)]
    words: Vec<OsString>,
    #[command(flatten)]
    overrides: OverrideArgs,
}

/// What takes the place of what a description says.
#[derive(Args)]
pub(crate) struct OverrideArgs {
    /// Use this value instead of the description's: STAGE.KEY=VALUE, var.NAME=VALUE,
    /// run.KEY=VALUE, zero-copy=VALUE or control=VALUE; may be repeated
    #[arg(long = "set", value_name = "STAGE.KEY=VALUE", value_parser = value_parser!(Override))]
    overrides: Vec<Override>,
}

impl OverrideArgs {
    /// Reads a file, or a pipeline in a line whose words the shell may have parted.
    pub(crate) fn load(&self, words: &[OsString]) -> Result<Description, Failure> {
        if let [path] = words
            && (path.to_str().is_none() || Path::new(path).exists())
        {
            return Ok(Description::load(path, &self.overrides)?);
        }
        let text = joined(words);
        Ok(Description::from_argument(&text, &self.overrides)?)
    }

    /// The same of one whose stages may lead nowhere yet.
    fn unfinished(&self, words: &[OsString]) -> Result<Description, Failure> {
        if let [path] = words
            && (path.to_str().is_none() || Path::new(path).exists())
        {
            return Ok(Description::unfinished(path, &self.overrides)?);
        }
        let text = joined(words);
        Ok(Description::unfinished(&text, &self.overrides)?)
    }

    /// The same where a description may be left out.
    pub(crate) fn load_any(&self, words: &[OsString]) -> Result<Option<Description>, Failure> {
        match (words, &self.overrides[..]) {
            ([], []) => Ok(None),
            ([], _) => Err(Failure::Usage(
                "--set wants a description to change".to_owned(),
            )),
            _ => self.load(words).map(Some),
        }
    }
}

/// Words as one line; a value with blanks, whose quotes the shell has taken, gets them back.
fn joined(words: &[OsString]) -> String {
    if let [whole] = words {
        return whole.to_string_lossy().into_owned();
    }
    let words = words.iter().map(|word| {
        let word = word.to_string_lossy();
        let bare = !word.contains(['"', '\'', '[', '{']);
        match word.split_once('=') {
            Some((key, value)) if bare && value.contains(char::is_whitespace) => {
                format!("{key}=\"{value}\"")
            }
            _ => word.into_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

impl DescriptionArgs {
    /// What the pipeline is called: its file's name without the ending.
    pub(crate) fn title(&self) -> String {
        let file = match &self.words[..] {
            [path] if Path::new(path).exists() => Path::new(path).file_stem(),
            _ => None,
        };
        file.map_or_else(
            || "pipeline".to_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        )
    }

    pub(crate) fn load(&self) -> Result<Description, Failure> {
        self.overrides.load(&self.words)
    }

    /// Reads a description whose stages may lead nowhere yet.
    pub(crate) fn unfinished(&self) -> Result<Description, Failure> {
        self.overrides.unfinished(&self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_the_shell_parted_are_a_line_again() {
        let line = |words: &[&str]| joined(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(line(&["a b=c ! d"]), "a b=c ! d");
        assert_eq!(line(&["a", "b=c d", "!", "d"]), "a b=\"c d\" ! d");
        assert_eq!(line(&["a", "heap=[\"x\", \"y\"]"]), "a heap=[\"x\", \"y\"]");
    }
}
