//! What a pipeline asks of a stage: sources make frames, filters pass them on, sinks use
//! them up.
//!
//! A stage goes through the same phases whatever it is:
//!
//! ```text
//!  configure ──▶ attach ──▶ start ──▶ frames … ──▶ stop ──▶ detach
//!                   ▲                                │
//!                   └────────── (again) ─────────────┘
//! ```

mod key;

pub use key::DeviceKey;

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use crate::format::Format;
use crate::frame::{Frame, FramePool};
use crate::layout::Layout;
use crate::time::{Rate, Timestamp};

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

/// What a source will deliver.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// Where the device puts the pixels.
    pub layout: Layout,
    /// How often a frame comes, where the source knows.
    pub rate: Option<Rate>,
    /// Buffers that the device needs queued to run.
    pub min_buffers: usize,
    /// What it chose by itself.
    pub choices: Vec<Choice>,
}

/// Ends a source's wait for frames from another thread.
pub trait Stopper: Send + Sync {
    /// Makes [`Source::next_frame`] return `None`, now and from now on.
    fn stop(&self);
}

/// A stage that makes frames.
pub trait Source: Send {
    /// Who it is: card name and node.
    fn device(&self) -> String;

    /// Who it is from boot to boot; what a stage without a key answered is not remembered.
    fn key(&self) -> Option<DeviceKey> {
        None
    }

    /// Whether a device imports the frames, so that only importable memory will do.
    fn imports(&self) -> bool {
        true
    }

    /// The formats it can deliver as it was asked, best first.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot be asked.
    fn formats(&mut self) -> Result<Vec<Format>, StageError>;

    /// Sets the format.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot deliver it as asked.
    fn configure(&mut self, format: Format) -> Result<SourcePlan, StageError>;

    /// Imports and queues every frame of a pool, so that only starting is left.
    ///
    /// # Errors
    /// [`StageError::Refused`] when the device cannot use the pool's memory; the stage is then
    /// as before the call.
    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError>;

    /// Lets go of the pool.
    fn detach(&mut self);

    /// Starts the flow of frames and returns what ends it.
    ///
    /// # Errors
    /// [`StageError`].
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError>;

    /// Waits for the next frame; `None` after the stopper was used or at the end of the stream.
    ///
    /// # Errors
    /// [`StageError::Gone`] when the device vanished, otherwise [`StageError::Failed`].
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError>;

    /// Ends the flow; a stage that does not run is left alone.
    ///
    /// # Errors
    /// [`StageError`].
    fn stop(&mut self) -> Result<(), StageError>;

    /// What it counted since the last start, in a fixed order.
    fn counters(&self) -> Vec<Counter>;
}

/// A stage between a source and a sink, which passes frames on.
pub trait Filter: Send {
    /// Passes a frame on, or lets it go.
    ///
    /// # Errors
    /// [`StageError`]; the frame is let go.
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError>;
}

/// Flips that a sink can remember until it is asked for them: half of what the kernel keeps
/// of a display's events (`drm_file_alloc` in `drivers/gpu/drm/drm_file.c`).
pub const FLIPS_KEPT: usize = 64;

/// A stage that uses frames up.
pub trait Sink: Send {
    /// Who it is: connector and card.
    fn device(&self) -> String;

    /// Who it is from boot to boot; what a stage without a key answered is not remembered.
    fn key(&self) -> Option<DeviceKey> {
        None
    }

    /// Whether a device imports the frames, so that only importable memory will do.
    fn imports(&self) -> bool {
        true
    }

    /// The formats it takes, best first; `None` when it takes any.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot be asked.
    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError>;

    /// Imports every frame of a pool and finds a way to show them, short of showing one.
    ///
    /// # Errors
    /// [`StageError::Refused`] when the device cannot use the pool's memory; the stage is then
    /// as before the call.
    fn attach(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError>;

    /// Lets go of the pool.
    fn detach(&mut self);

    /// How many frames it keeps while it waits for the next one.
    fn frames_held(&self) -> usize;

    /// How long a frame takes at most to come into view, where that is known beforehand: so
    /// long after [`Sink::show`] there is nothing to wait for, and [`Sink::ready`] need not be
    /// asked.
    fn settles_within(&self) -> Option<Duration> {
        None
    }

    /// Waits until the frame that it was given last is in view, and so until it can take the
    /// next one at once.
    ///
    /// # Errors
    /// [`StageError`].
    fn ready(&mut self) -> Result<(), StageError>;

    /// Takes a frame to show it next, and returns when it gave it to the display, on
    /// [`Clock::Monotonic`](crate::time::Clock::Monotonic). The frame before is then in view.
    ///
    /// # Errors
    /// [`StageError`]; the frame is let go.
    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError>;

    /// Adds when frames came into view, on [`Clock::Monotonic`](crate::time::Clock::Monotonic):
    /// of each frame once, in the order in which they were given, and of none that is still to
    /// come into view. To be asked once in [`FLIPS_KEPT`] frames at least.
    ///
    /// # Errors
    /// [`StageError`].
    fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError>;

    /// Lets go of every frame and leaves the device as it was found. May be started again by
    /// the next [`Sink::show`]; a stage that does not run is left alone.
    ///
    /// # Errors
    /// [`StageError`].
    fn stop(&mut self) -> Result<(), StageError>;

    /// What it counted, in a fixed order.
    fn counters(&self) -> Vec<Counter>;
}
