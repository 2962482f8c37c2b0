//! What codecs on the CPU have to do each in its own way.

use std::fmt;

use dmaflow_core::dma_buf::{CpuRead, CpuUse};
use dmaflow_core::frame::{Frame, FrameMeta};

use super::error::CpuCodecError;

/// A codec that makes at most one frame of each.
pub(super) trait Work: fmt::Debug + Send {
    /// Begins a new stream.
    fn begin(&mut self) {}

    /// Whether it keeps frames, so that what it makes of one may come out with a later one.
    fn keeps(&self) -> bool {
        false
    }

    /// Makes a frame of one that was kept, when no more come; `None` when there is none left.
    ///
    /// # Errors
    /// [`CpuCodecError`].
    fn flush(&mut self, _made: &Frame) -> Result<Option<FrameMeta>, CpuCodecError> {
        Ok(None)
    }

    /// Makes a frame of a frame, or of one that was kept.
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
    /// With a part of an H.264 stream, by OpenH264's own number.
    #[cfg(feature = "cpu-h264")]
    #[error("the decoder cannot decode it: {what} (state {state:#x})")]
    H264 {
        /// What the number says.
        what: &'static str,
        /// The number.
        state: i32,
    },
}

/// Opens the bytes of a compressed frame, and says how many of them it takes.
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
