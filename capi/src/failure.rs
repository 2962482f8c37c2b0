//! Why a call from C failed.

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBufError;
use dmaflow_core::heap::{AllocError, RegistryError};

/// Why a call from C failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A pointer that must lead somewhere does not.
    #[error("the {what} is NULL")]
    Null { what: &'static str },
    /// A text that is no UTF-8.
    #[error("the {what} is not UTF-8: {found:?}")]
    Text { what: &'static str, found: String },
    /// A handle that was freed, or of something else.
    #[error("this is no {what}: it was freed before, or is something else")]
    Handle { what: &'static str },
    /// An access that means nothing.
    #[error("{found} is no CPU access: give DMAFLOW_READ or DMAFLOW_READ_WRITE")]
    Access { found: i32 },
    /// An end without a beginning.
    #[error("the buffer is not open to the CPU: begin the access before ending it")]
    NotBegun,
    /// The heap could not be opened.
    #[error(transparent)]
    Open(#[from] RegistryError),
    /// The heap gave no buffer.
    #[error(transparent)]
    Alloc(#[from] AllocError),
    /// The buffer could not be shown to the CPU.
    #[error(transparent)]
    Buffer(#[from] DmaBufError),
    /// A defect of ours.
    #[error("a defect in dmaflow, please report it: {words}")]
    Panicked { words: String },
}

impl Failure {
    /// What the C library's `errno` says of it.
    pub(crate) fn errno(&self) -> Errno {
        match self {
            Self::Null { .. }
            | Self::Text { .. }
            | Self::Handle { .. }
            | Self::Access { .. }
            | Self::NotBegun => Errno::EINVAL,
            Self::Open(RegistryError::Unknown { .. }) => Errno::ENOENT,
            Self::Open(RegistryError::Refused { .. }) => Errno::EACCES,
            Self::Alloc(error) => error.errno(),
            Self::Buffer(error) => error.errno().unwrap_or(Errno::EIO),
            Self::Open(_) | Self::Panicked { .. } => Errno::EIO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_follow_and_keep_their_number() {
        let failure = Failure::from(DmaBufError::Map {
            len: 4096,
            source: Errno::ENODEV,
        });
        assert_eq!(failure.errno(), Errno::ENODEV);
        let text = dmaflow_core::with_causes(&failure);
        assert!(text.starts_with("cannot map 4096 bytes"), "{text}");
        assert!(text.contains("ENODEV"), "{text}");
    }
}
