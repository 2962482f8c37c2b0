//! What codecs on the CPU have to do each in its own way.

use std::fmt;

#[cfg(feature = "cpu-mjpeg")]
use dmaflow_core::dma_buf::{CpuRead, CpuUse};
use dmaflow_core::frame::{Frame, FrameMeta};

use super::error::CpuCodecError;

/// A codec that makes at most one frame of each.
pub(super) trait Work: fmt::Debug + Send {
    /// Begins a new stream.
    fn begin(&mut self) {}

    /// Makes a frame of a frame.
    ///
    /// # Errors
    /// [`CpuCodecError`], after which it cannot go on. What is wrong with a frame alone is
    /// [`Outcome::Damaged`].
    fn run(&mut self, frame: &Frame, made: &Frame) -> Result<Outcome, CpuCodecError>;
}

/// What became of a frame.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A frame, of which this is known.
    Made(FrameMeta),
    /// Nothing, by its nature.
    #[cfg(feature = "cpu-h264")]
    LeftOut,
    /// Nothing, since something is wrong with it.
    Damaged(Damage),
}

/// What is wrong with a frame.
#[derive(Debug, thiserror::Error)]
pub(super) enum Damage {
    /// With a JPEG picture.
    #[cfg(feature = "cpu-mjpeg")]
    #[error(transparent)]
    Jpeg(#[from] super::jpeg::JpegError),
    /// With a picture that is longer, compressed, than frames are.
    #[cfg(feature = "cpu-h264")]
    #[error("it takes more than the {room} bytes that there are")]
    NoRoom {
        /// How many bytes a frame has.
        room: usize,
    },
}

/// Opens the bytes of a compressed frame, and says how many of them it takes.
#[cfg(feature = "cpu-mjpeg")]
pub(super) fn compressed<'f>(
    codec: &'static str,
    frame: &'f Frame,
) -> Result<(CpuRead<'f>, usize), CpuCodecError> {
    let access = |source| CpuCodecError::Access {
        codec,
        verb: "read",
        slot: frame.slot(),
        source,
    };
    let Some(buffer) = frame.buffers().first() else {
        return Err(CpuCodecError::ForeignFrame { codec });
    };
    let bytes = buffer.read(CpuUse::Copy).map_err(access)?;
    let room = frame.layout().buffer_lens().first();
    let used = frame.meta().bytes_used.or(room.copied()).unwrap_or(0);
    let used = (used as usize).min(bytes.len());
    Ok((bytes, used))
}
