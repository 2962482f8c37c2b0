//! Why the CPU cannot convert.

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBufError;
use dmaflow_core::format::Format;
use dmaflow_core::frame::PoolError;
use dmaflow_core::layout::LayoutError;
use dmaflow_core::stage::{ImportRefused, StageError};

use super::NAME;

/// Why the CPU cannot convert as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CpuConvertError {
    /// There is no such conversion.
    #[error("the CPU makes no {output} of {input}")]
    NoConversion {
        /// What comes in.
        input: Format,
        /// What is to come out.
        output: Format,
    },
    /// The frames that come in cannot be read.
    #[error("the CPU cannot convert frames of {found}: {why}")]
    Input {
        /// How they lie.
        found: String,
        /// What is wrong with that.
        why: &'static str,
    },
    /// There is no such picture.
    #[error("the CPU cannot make such pictures")]
    Layout(#[from] LayoutError),
    /// The pool's frames look otherwise than was agreed on.
    #[error("the CPU was set to convert frames of {expected}, and the pool's are {found}")]
    OtherLayout {
        /// What was agreed on.
        expected: String,
        /// What the pool has.
        found: String,
    },
    /// The pool cannot be watched.
    #[error("the conversion cannot be told when a frame is free")]
    Pool(#[from] PoolError),
    /// A phase was left out.
    #[error("the CPU cannot convert yet: {missing} first")]
    Phase {
        /// What was left out.
        missing: &'static str,
    },
    /// A frame of a pool that was never attached.
    #[error("the conversion was given a frame of a pool that it does not know")]
    ForeignFrame,
    /// The CPU cannot look at a frame.
    #[error("the CPU cannot {verb} frame {slot}")]
    Access {
        /// "read" or "write".
        verb: &'static str,
        /// Which frame of its pool.
        slot: usize,
        /// Why.
        source: DmaBufError,
    },
    /// The library found something wrong with a picture.
    #[error("frame {slot} cannot be converted")]
    Picture {
        /// Which frame of its pool.
        slot: usize,
        /// What it says.
        source: yuv::YuvError,
    },
}

impl From<CpuConvertError> for StageError {
    fn from(error: CpuConvertError) -> Self {
        Self::failed(error)
    }
}

/// Why the CPU cannot use memory of this heap.
pub(super) fn refusal(heap: &str, error: &DmaBufError) -> ImportRefused {
    let call = match error {
        DmaBufError::Map { .. } => "mmap",
        DmaBufError::Sync(_) => "DMA_BUF_IOCTL_SYNC",
        _ => "CPU access",
    };
    ImportRefused {
        device: NAME.to_owned(),
        heap: heap.to_owned(),
        call: call.into(),
        errno: error.errno().unwrap_or(Errno::EINVAL),
        meaning: "the CPU converts, and has no sight of this memory".to_owned(),
        remedy: "use a heap that can be mapped, such as `system`".to_owned(),
    }
}
