//! What the board's init is told, as a piece of shell.

use std::env;
use std::path::Path;

use crate::kernel::Kernel;
use crate::profile::Profile;
use crate::workspace;

/// One boot's work, for `testbed/init`.
pub(crate) struct Job<'a> {
    pub(crate) root: &'a Path,
    pub(crate) kernel: &'a Kernel,
    pub(crate) profile: &'a Profile,
    pub(crate) environment: &'a [(String, String)],
    pub(crate) command: &'a [String],
    /// Written after the command's output.
    pub(crate) end_mark: &'a str,
}

impl Job<'_> {
    /// The shell script that init reads.
    pub(crate) fn script(&self) -> String {
        let target = workspace::target(self.root);
        let mut keep = vec![self.root.to_string_lossy()];
        if !target.starts_with(self.root) {
            keep.push(target.to_string_lossy());
        }
        let path = format!(
            "{}:{}:{}:/usr/sbin:/sbin",
            target.join("release").display(),
            self.root.join("testbed/bin").display(),
            env::var("PATH").unwrap_or_default()
        );
        let fixed = [
            ("PATH", path.as_str()),
            ("HOME", "/root"),
            ("USER", "root"),
            ("DMAFLOW_VM", "1"),
            ("DMAFLOW_PROFILE", &self.profile.name),
            ("DMAFLOW_KERNEL", &self.kernel.release),
            ("DMAFLOW_RESULTS", "/results"),
        ];
        let environment = self
            .environment
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let words: Vec<String> = fixed
            .into_iter()
            .chain(environment)
            .map(|(key, value)| quote(&format!("{key}={value}")))
            .chain(self.command.iter().map(|word| quote(word)))
            .collect();
        format!(
            "keep={}\nkernel={}\nmodules={}\nend_mark={}\n\
             command() {{ ( cd {} && exec env -i {} ); }}\n",
            quote(&keep.join("\n")),
            quote(&self.kernel.directory.to_string_lossy()),
            quote(&self.profile.drivers(&self.kernel.release).join(" ")),
            quote(self.end_mark),
            quote(&self.root.to_string_lossy()),
            words.join(" "),
        )
    }
}

/// `text` as one word of the shell.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        let word = "it's $HOME; \"two\"\nlines";
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("printf %s {}", quote(word))])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
    }
}
