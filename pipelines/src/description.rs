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
//! | `decimate` | `every`, `queue` |
//! | `kms-sink` | `card`, `connector`, `mode`, `plane`, `verify`, `queue` |
//! | `picture-sink` | `path`, `every`, `queue` |
//! | `null-sink` | `queue` |

mod build;
mod diagnostic;
mod document;
pub mod duration;
mod kinds;
mod links;
mod overrides;
mod reader;
pub mod serving;
mod source;
mod value;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use overrides::Override;

use std::fs;
use std::num::NonZeroU64;
use std::path::Path;

use dmaflow_kms_sink::{KmsSinkConfig, PictureSinkConfig};
use dmaflow_v4l2_src::{TestSrcConfig, V4l2SrcConfig};

use crate::{Limits, PoolRequest, QueuePolicy};
use diagnostic::{Finding, nearest};
use source::Sources;

/// A pipeline as its user wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Where frames come from.
    pub source: SourceStage,
    /// What they pass, in this order.
    pub filters: Vec<FilterStage>,
    /// Where they go.
    pub sink: SinkStage,
    /// When a run ends by itself.
    pub limits: Limits,
}

/// A stage that makes frames.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceStage {
    /// Its name in the description.
    pub name: String,
    /// What it is, and how it is set up.
    pub kind: SourceKind,
    /// What its frames lie in.
    pub pool: PoolRequest,
}

/// The kinds of sources.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// A V4L2 camera.
    V4l2(V4l2SrcConfig),
    /// The built-in camera.
    Test(TestSrcConfig),
}

/// A stage that passes frames on.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterStage {
    /// Its name in the description.
    pub name: String,
    /// What it is, and how it is set up.
    pub kind: FilterKind,
    /// Which frame it takes from its link.
    pub queue: QueuePolicy,
}

/// The kinds of filters.
#[derive(Clone, Debug, PartialEq)]
pub enum FilterKind {
    /// Passes one of so many frames.
    Decimate {
        /// So many.
        every: NonZeroU64,
    },
}

/// A stage that uses frames up.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkStage {
    /// Its name in the description.
    pub name: String,
    /// What it is, and how it is set up.
    pub kind: SinkKind,
    /// Which frame it takes from its link.
    pub queue: QueuePolicy,
}

/// The kinds of sinks.
#[derive(Clone, Debug, PartialEq)]
pub enum SinkKind {
    /// A KMS display.
    Kms(KmsSinkConfig),
    /// Pictures in files.
    Picture(PictureSinkConfig),
    /// Nothing: every frame is let go.
    Null,
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
