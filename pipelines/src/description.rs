//! Pipeline descriptions: TOML files that name stages, link them and say how long to run.
//!
//! ```toml
//! links = ["camera -> screen"]
//!
//! [stage.camera]
//! kind = "v4l2-src"
//! width = 1280
//! height = 720
//!
//! [stage.screen]
//! kind = "kms-sink"
//!
//! [run]
//! for = "10s"
//! ```
//!
//! | kind | keys |
//! |--|--|
//! | `v4l2-src` | `device`, `format`, `width`, `height`, `rate`, `controls`, `heap`, `buffers` |
//! | `test-src` | `format`, `width`, `height`, `rate`, `frames`, `heap`, `buffers` |
//! | `decimate` | `every` |
//! | `rate-limit` | `rate` |
//! | `selector` | `select` |
//! | `v4l2-convert` | `device`, `format`, `width`, `height`, `controls`, `heap`, `buffers` |
//! | `kms-sink` | `card`, `connector`, `mode`, `plane`, `verify`, `place` |
//! | `picture-sink` | `path`, `every` |
//! | `null-sink` | |
//!
//! Every stage has `restart`, and every stage that takes frames `queue` and `depth`.
//!
//! Any number of links may begin at a stage: all of them get its frames.
//!
//! ```toml
//! links = [
//!     "camera -> screen",
//!     { from = "camera", to = "thin", queue = "fifo", depth = 2 },
//!     "thin -> pictures",
//! ]
//!
//! [stage.camera]
//! kind = "v4l2-src"
//!
//! [stage.screen]
//! kind = "kms-sink"
//!
//! [stage.thin]
//! kind = "decimate"
//! every = 10
//!
//! [stage.pictures]
//! kind = "picture-sink"
//! path = "frame-{n}.png"
//! ```

mod buffers;
mod build;
mod diagnostic;
mod document;
pub mod duration;
mod inputs;
mod kinds;
mod links;
mod overrides;
mod reader;
pub mod serving;
mod source;
mod stage;
mod value;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use overrides::Override;
pub use stage::{
    FilterKind, LinkDescription, MixerInput, MixerKind, Place, Port, RestartPolicy, RouterKind,
    SinkKind, SourceKind, Stage, StageKind, TransformKind, V4l2ConvertRequest, ZeroCopy,
};

use std::fs;
use std::path::{Path, PathBuf};

use crate::Limits;
use diagnostic::{Finding, nearest};
use source::Sources;

/// A pipeline as its user wants it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// What it is made of, in an order in which a frame can pass it: links lead from earlier
    /// stages to later ones.
    pub stages: Vec<Stage>,
    /// The ways from one to another, in the order of the file.
    pub links: Vec<LinkDescription>,
    /// When a run ends by itself.
    pub limits: Limits,
    /// Whether a way will do on which the CPU copies pixels.
    pub zero_copy: ZeroCopy,
    /// Where a socket is made that controls the run.
    pub control: Option<PathBuf>,
}

impl Description {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, also when it cannot be read at all.
    pub fn load(path: impl AsRef<Path>, overrides: &[Override]) -> Result<Self, Diagnostics> {
        let path = path.as_ref();
        Self::parse(&read(path)?, &path.display().to_string(), overrides)
    }

    /// Reads a text; `file_name` is what its diagnostics call it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, file_name: &str, overrides: &[Override]) -> Result<Self, Diagnostics> {
        let mut sources = Sources::new(file_name, text.to_owned());
        for Override(text) in overrides {
            sources.add("--set", text);
        }
        let mut findings = Vec::new();
        match document::read(&sources, &mut findings) {
            Some(description) if findings.is_empty() => Ok(description),
            _ => Err(Diagnostics::new(sources, findings)),
        }
    }
}

/// The text of a file.
fn read(path: &Path) -> Result<String, Diagnostics> {
    let name = path.display().to_string();
    let fail = |text, finding| Err(Diagnostics::new(Sources::new(&name, text), vec![finding]));
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let finding = Finding::anywhere(format!("cannot read {name}: {error}"));
            return fail(String::new(), finding.help(similar_file(path)));
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let lossy = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let replaced = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
            let finding = Finding::at(replaced, "the file is not UTF-8")
                .label("these bytes are no character")
                .help("TOML files are UTF-8: save the file in that encoding");
            fail(lossy, finding)
        }
    }
}

/// What a missing file may have been meant to be.
fn similar_file(path: &Path) -> String {
    let directory = path.parent().filter(|parent| *parent != Path::new(""));
    let entries = fs::read_dir(directory.unwrap_or(Path::new(".")))
        .into_iter()
        .flatten();
    let names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    let asked = path.file_name().unwrap_or_default().to_string_lossy();
    nearest(&asked, names.iter().map(String::as_str)).map_or_else(String::new, |near| {
        format!("did you mean `{}`?", path.with_file_name(near).display())
    })
}
