//! Why the CPU cannot encode or decode.

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBufError;
use dmaflow_core::format::Format;
use dmaflow_core::frame::PoolError;
use dmaflow_core::layout::LayoutError;
use dmaflow_core::stage::{ImportRefused, StageError};

/// Why the CPU cannot encode or decode as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CpuCodecError {
    /// It makes no such thing of what comes in.
    #[error("the {codec} makes no {output} of {input}")]
    NoWay {
        /// Which codec.
        codec: &'static str,
        /// What comes in.
        input: Format,
        /// What is to come out.
        output: Format,
    },
    /// There is no such picture.
    #[error("the {codec} cannot make such frames")]
    Layout {
        /// Which codec.
        codec: &'static str,
        /// Why.
        source: LayoutError,
    },
    /// The pool's frames look otherwise than was agreed on.
    #[error("the {codec} was set to work on frames of {expected}, and the pool's are {found}")]
    OtherLayout {
        /// Which codec.
        codec: &'static str,
        /// What was agreed on.
        expected: String,
        /// What the pool has.
        found: String,
    },
    /// The pool cannot be watched.
    #[error("the {codec} cannot be told when a frame is free")]
    Pool {
        /// Which codec.
        codec: &'static str,
        /// Why.
        source: PoolError,
    },
    /// A phase was left out.
    #[error("the {codec} cannot work yet: {missing} first")]
    Phase {
        /// Which codec.
        codec: &'static str,
        /// What was left out.
        missing: &'static str,
    },
    /// The frames that come in cannot be worked on.
    #[error("the {codec} cannot work on frames of {found}: {why}")]
    Input {
        /// Which codec.
        codec: &'static str,
        /// How they lie.
        found: String,
        /// What is wrong with that.
        why: &'static str,
    },
    /// It has no controls.
    #[error("the {codec} has no controls")]
    NoControls {
        /// Which codec.
        codec: &'static str,
    },
    /// It has no such control.
    #[error("the {codec} has no control called `{asked}`; it has: {known}")]
    UnknownControl {
        /// Which codec.
        codec: &'static str,
        /// What was asked for.
        asked: String,
        /// What there is.
        known: String,
    },
    /// A control does not take such a value.
    #[error("the {codec}: control `{control}` takes {takes}, and not {value}")]
    ControlValue {
        /// Which codec.
        codec: &'static str,
        /// The control's name.
        control: String,
        /// What it takes.
        takes: &'static str,
        /// What it was to be set to.
        value: String,
    },
    /// The stream's pictures are of another size than the link says.
    #[error(
        "the {codec}: the stream's pictures are {}×{}, and {}×{} was agreed on",
        found.0, found.1, agreed.0, agreed.1
    )]
    OtherSize {
        /// Which codec.
        codec: &'static str,
        /// Width and height that were agreed on.
        agreed: (u32, u32),
        /// Width and height of the pictures.
        found: (usize, usize),
    },
    /// The library that does the work cannot.
    #[error("the {codec} failed")]
    Library {
        /// Which codec.
        codec: &'static str,
        /// What it says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A frame of a pool that was never attached.
    #[error("the {codec} was given a frame of a pool that it does not know")]
    ForeignFrame {
        /// Which codec.
        codec: &'static str,
    },
    /// The CPU cannot look at a frame.
    #[error("the {codec} cannot {verb} frame {slot}")]
    Access {
        /// Which codec.
        codec: &'static str,
        /// "read" or "write".
        verb: &'static str,
        /// Which frame of its pool.
        slot: usize,
        /// Why.
        source: DmaBufError,
    },
}

impl From<CpuCodecError> for StageError {
    fn from(error: CpuCodecError) -> Self {
        Self::failed(error)
    }
}

/// Why the CPU cannot use memory of this heap.
pub(super) fn refusal(codec: &str, heap: &str, error: &DmaBufError) -> ImportRefused {
    let call = match error {
        DmaBufError::Map { .. } => "mmap",
        DmaBufError::Sync(_) => "DMA_BUF_IOCTL_SYNC",
        _ => "CPU access",
    };
    ImportRefused {
        device: codec.to_owned(),
        heap: heap.to_owned(),
        call: call.into(),
        errno: error.errno().unwrap_or(Errno::EINVAL),
        meaning: "the CPU does the work, and has no sight of this memory".to_owned(),
        remedy: "use a heap that can be mapped, such as `system`".to_owned(),
    }
}
