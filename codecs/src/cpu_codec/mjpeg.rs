//! Decoding of Motion JPEG: every frame is a picture by itself.

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::{Colour, Encoding, Family, Format, Range};
use dmaflow_core::frame::{Frame, FrameFlags, FrameMeta};
use dmaflow_core::layout::Layout;
use dmaflow_v4l2::aligned_layout;

use super::error::CpuCodecError;
use super::jpeg::{self, JpegDecoder};
use super::work::{Outcome, Work, compressed};

pub(super) const NAME: &str = "CPU MJPEG decoder";

/// What it takes.
pub(super) fn inputs() -> impl Iterator<Item = Format> {
    ["MJPEG", "JPEG"]
        .iter()
        .filter_map(|name| name.parse().ok())
}

/// What it makes of it.
pub(super) fn outputs() -> impl Iterator<Item = Format> {
    jpeg::formats()
}

/// A decoder, and how its frames lie.
pub(super) fn set_up(
    input: &Layout,
    output: Format,
) -> Result<(Box<dyn Work>, Layout), CpuCodecError> {
    let codec = NAME;
    let layout = aligned_layout(output, input.width(), input.height())
        .map_err(|source| CpuCodecError::Layout { codec, source })?;
    // So it is in JFIF (ITU-T T.871, 7), and in what cameras send, whatever their drivers say.
    let layout = layout.with_colour(Colour {
        encoding: (output.family() == Family::Yuv).then_some(Encoding::Bt601),
        range: Some(Range::Full),
    });
    let decoder = JpegDecoder::new(&layout).ok_or(CpuCodecError::NoWay {
        codec,
        input: input.format(),
        output,
    })?;
    Ok((Box::new(MjpegDecoder(decoder)), layout))
}

#[derive(Debug)]
struct MjpegDecoder(JpegDecoder);

impl Work for MjpegDecoder {
    fn run(&mut self, frame: &Frame, made: &Frame) -> Result<Outcome, CpuCodecError> {
        let (bytes, used) = compressed(NAME, frame)?;
        let Some(buffer) = made.buffers().first() else {
            return Err(CpuCodecError::ForeignFrame { codec: NAME });
        };
        let access = |source| CpuCodecError::Access {
            codec: NAME,
            verb: "write",
            slot: made.slot(),
            source,
        };
        let mut into = buffer.write(CpuUse::Draw).map_err(access)?;
        Ok(match self.0.decode(&bytes[..used], &mut into) {
            Ok(()) => Outcome::Made(FrameMeta {
                bytes_used: None,
                flags: FrameFlags::default(),
                ..frame.meta()
            }),
            Err(error) => Outcome::Damaged(error.into()),
        })
    }
}
