//! Why there is no snapshot.

use std::io;

use dmaflow_core::dma_buf::DmaBufError;

use super::SnapshotFormat;

/// Why a frame's picture cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Nobody knows how to read such pixels.
    #[error("a picture cannot be written of a frame of {found}")]
    Pixels {
        /// How the frame lies.
        found: String,
    },
    /// The picture is larger than the format allows.
    #[error("{format} has no pictures of {width}×{height}: 65535 pixels are the most a side")]
    TooLarge {
        /// The format.
        format: SnapshotFormat,
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The CPU cannot look at the frame.
    #[error("cannot read frame {slot}")]
    Access {
        /// Which frame of its pool.
        slot: usize,
        /// Why.
        source: DmaBufError,
    },
    /// The picture cannot be encoded, or not be written where it was to go.
    #[error("cannot write the {format} picture")]
    Write {
        /// The format.
        format: SnapshotFormat,
        /// ENOSPC on a full disk, and what else writing a file meets.
        source: io::Error,
    },
}
