//! What a pipeline asks of a stage.
//!
//! | a stage that | is a |
//! |--|--|
//! | makes frames | [`Source`] |
//! | passes frames of one link on | [`Filter`] |
//! | passes frames between any number of links | [`Router`] |
//! | makes frames of frames | [`Transform`] |
//! | uses frames of one link up | [`Sink`] |
//! | uses frames of several links up | [`Mixer`] |
//!
//! To have several users of one stage's frames needs no stage: any number of links may begin
//! at an output.
//!
//! A stage goes through the same phases whatever it is:
//!
//! ```text
//!  configure ──▶ attach ──▶ start ──▶ frames … ──▶ stop ──▶ detach
//!                   ▲                                │
//!                   └────────── (again) ─────────────┘
//! ```

mod bed;
mod controls;
mod filter;
mod key;
mod mixer;
mod sink;
mod source;
mod transform;

pub use bed::{Bed, WakeOnRelease};
pub use controls::{ControlValue, Controls, Switch};
pub use filter::{Filter, Router};
pub use key::DeviceKey;
pub use mixer::Mixer;
pub use sink::{FLIPS_KEPT, Sink};
pub use source::{Source, SourcePlan, Stopper};
pub use transform::{Outlet, Transform};

use std::borrow::Cow;
use std::error::Error;

/// A device said no to buffers of a heap.
#[derive(Debug, thiserror::Error)]
#[error(
    "{device} refused buffers of heap `{heap}`: {call} gave {errno}{}{meaning}{}{remedy}",
    if meaning.is_empty() { "" } else { "; " },
    if remedy.is_empty() { "" } else { ": " },
)]
pub struct ImportRefused {
    /// Who refused: card name and node.
    pub device: String,
    /// The heap whose buffers were offered.
    pub heap: String,
    /// The call that failed.
    pub call: Cow<'static, str>,
    /// What the kernel answered.
    pub errno: nix::errno::Errno,
    /// What that means for this device; may be empty.
    pub meaning: String,
    /// What to do about it; may be empty.
    pub remedy: String,
}

/// Why it is not told what a device has imported, and what to do about it, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Untold(pub Cow<'static, str>);

impl Untold {
    /// Of a stage that has no way to ask.
    pub const NOT_ASKED: Self = Self(Cow::Borrowed("the stage does not ask its device"));
}

/// Why a stage cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// The pool's buffers cannot be imported; another heap may do.
    #[error(transparent)]
    Refused(Box<ImportRefused>),
    /// The device went away while it was used.
    #[error("{device} is gone: it was unplugged or its driver was unloaded")]
    Gone {
        /// Card name and node.
        device: String,
    },
    /// What comes from the device is another than was agreed on; it can go on after a new
    /// agreement.
    #[error("{device}: the signal changed: {what}")]
    Changed {
        /// Card name and node.
        device: String,
        /// From what to what: "1920×1080 → 1280×720".
        what: String,
    },
    /// Anything else.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
}

impl From<ImportRefused> for StageError {
    fn from(refused: ImportRefused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl StageError {
    /// Wraps a stage's own error.
    pub fn failed(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// Something that a stage chose by itself, for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What was chosen: "mode", "plane".
    pub what: &'static str,
    /// The choice in a few words.
    pub chosen: String,
}

/// Something a stage counted besides frames: lost ones, damaged ones, verified ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// What was counted, in `snake_case`.
    pub name: &'static str,
    /// How often.
    pub count: u64,
}
