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
//! Every kind of stage and its keys are in `docs/descriptions.md`, which is made by
//! [`reference()`]; [`schema()`] tells them to editors.
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

pub mod boards;
mod buffers;
mod build;
mod defaults;
mod diagnostic;
mod document;
pub mod duration;
mod file;
mod format;
mod inputs;
mod kinds;
mod layers;
mod line;
mod links;
mod overrides;
mod reader;
mod reference;
mod schema;
pub mod serving;
mod shape;
mod source;
mod stage;
mod value;
mod variables;
mod version;

pub(crate) use build::open;
pub use diagnostic::{Diagnostic, Diagnostics};
pub use format::format;
pub use overrides::Override;
pub use reference::reference;
pub use schema::schema;
pub use stage::{
    FilterKind, LinkDescription, MixerInput, MixerKind, Place, Port, RestartPolicy, RouterKind,
    SinkKind, SourceKind, Stage, StageKind, TransformKind, V4l2ConvertRequest, V4l2DecodeRequest,
    V4l2EncodeRequest,
};

use std::path::{Path, PathBuf};

use crate::Limits;
pub use crate::ZeroCopy;
use layers::Layers;
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
    /// Reads what a user wrote where a description is wanted: the name of a file, or a pipeline
    /// in one line, such as `v4l2-src device=/dev/video0 ! kms-sink`. A file that is there goes
    /// first.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_argument(text: &str, overrides: &[Override]) -> Result<Self, Diagnostics> {
        if line::is_one(text) && !Path::new(text).exists() {
            Self::parse_line(text, overrides)
        } else {
            Self::load(text, overrides)
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, also when it cannot be read at all.
    pub fn load(path: impl AsRef<Path>, overrides: &[Override]) -> Result<Self, Diagnostics> {
        let path = path.as_ref();
        Self::parse(&Self::text(path)?, &path.display().to_string(), overrides)
    }

    /// A file's text, whatever it says.
    ///
    /// # Errors
    /// Why it cannot be read, or that it is not UTF-8.
    pub fn text(path: impl AsRef<Path>) -> Result<String, Diagnostics> {
        let path = path.as_ref();
        file::read(path).map_err(|failure| failure.into_diagnostics(path))
    }

    /// Reads a text; `file_name` is what its diagnostics call it, and what it includes is looked
    /// for beside that file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, file_name: &str, overrides: &[Override]) -> Result<Self, Diagnostics> {
        Self::of_sources(Sources::new(file_name, text.to_owned()), overrides)
    }

    /// Reads a pipeline in one line, as `v4l2-src device=/dev/video0 ! kms-sink`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse_line(text: &str, overrides: &[Override]) -> Result<Self, Diagnostics> {
        Self::of_sources(Sources::of_line(text), overrides)
    }

    fn of_sources(mut sources: Sources, overrides: &[Override]) -> Result<Self, Diagnostics> {
        let mut findings = Vec::new();
        let layers = Layers::gather(&mut sources, &mut findings);
        for Override(text) in overrides {
            sources.add_override(text);
        }
        let read = layers.and_then(|layers| document::read(&sources, &layers, &mut findings));
        match read {
            Some(description) if findings.is_empty() => Ok(description),
            _ => Err(Diagnostics::new(sources, findings)),
        }
    }
}
