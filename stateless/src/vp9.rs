//! VP9: frames and superframes.

mod controls;
#[cfg(test)]
mod tests;

use dmaflow_bitstream::vp9::{Chunk, ColorConfig, CompressedHeader, Frame, FrameHeader, Memory};
use dmaflow_bitstream::{StreamError, Trouble};

use crate::ability::Ability;
use crate::pictures::Pictures;
use crate::steps::{Chroma, Decode, PictureId, Sequence, Sequencer, Step, Steps, Visible};
use crate::uapi::vp9::{STATELESS_VP9_COMPRESSED_HDR, STATELESS_VP9_FRAME};

/// Frames that a stream refers to.
const SLOTS: usize = 8;

/// What pictures of a stream have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    width: u32,
    height: u32,
    depth: u8,
    chroma: Chroma,
}

/// Remembers for a stateless decoder what a VP9 stream said. A unit is what its container calls a
/// frame: one frame, or a superframe, which is several steps. Frames go out in the order in which
/// they are shown, with the unit that shows them, and never later.
///
/// **Size.** A frame may have another size than those that it is predicted from, without being a
/// key frame. It comes after a [`Step::Sequence`] then, before which the pictures that are still
/// referred to are *not* forgotten. Before a key frame, all are. What a device makes of it:
///
/// - `dev-stateless-decoder.rst` asks for a stop of both queues and for new CAPTURE buffers at
///   each change of size ("Dynamic resolution change"), so that earlier pictures are gone;
///   `rkvdec` refuses (EINVAL) a frame whose size, rounded up to 64, is not the format's. There
///   nothing can be decoded up to the next key frame: whoever drives the device calls
///   [`Sequencer::seek`] and goes on.
/// - `hantro` (G2) remembers of each CAPTURE buffer the size of the frame in it, and scales. Newer
///   ones take another format of the same layout while they stream, so that buffers for it can be
///   added (CREATE_BUFS) to those that are referred to.
/// - `visl` takes any.
///
/// Samples of another depth or subsampling are never predicted from: that is an error.
///
/// Where decoding begins without a key frame, with frames that need none (`intra_only`), it is done;
/// frames that refer to one that was not there are errors.
#[derive(Debug)]
pub struct Vp9 {
    compressed_header: bool,
    memory: Memory,
    pictures: Pictures<SLOTS>,
    shape: Option<Shape>,
}

impl Vp9 {
    /// Before the first unit, for a driver that has these controls.
    #[must_use]
    pub fn new(ability: &Ability) -> Self {
        Self {
            compressed_header: ability.has(STATELESS_VP9_COMPRESSED_HDR),
            memory: Memory::new(),
            pictures: Pictures::new(),
            shape: None,
        }
    }

    fn frame(
        &mut self,
        unit: &[u8],
        begin: usize,
        end: usize,
        steps: &mut Steps,
    ) -> Result<(), StreamError> {
        let data = unit.get(begin..end).unwrap_or_default();
        let header = match Frame::read(data, &self.memory)? {
            Frame::Existing { slot } => {
                // The memory and the slots are filled together.
                if let Some(picture) = self.pictures.slot(slot) {
                    steps.push(Step::Output {
                        picture,
                        shown_again: true,
                    });
                }
                return Ok(());
            }
            Frame::Coded(header) => header,
        };
        let compressed = CompressedHeader::read(data, &header)?;
        let shape = Shape::of(&header)?;
        if header.key_frame {
            self.pictures.forget_all(steps);
        }

        let controls = steps.controls_mark();
        let [last, golden, alt] = header.references.map(|reference| {
            let picture = self.pictures.slot(reference.slot);
            picture.filter(|_one| !header.is_intra())
        });
        let frame = controls::frame(&header, &compressed, [last, golden, alt]);
        steps.control(STATELESS_VP9_FRAME, &frame);
        if self.shape != Some(shape) {
            self.shape = Some(shape);
            let controls = steps.controls_since(controls);
            steps.push(Step::Sequence(shape.sequence(controls)));
        }
        if self.compressed_header {
            let header = controls::compressed_header(&compressed);
            steps.control(STATELESS_VP9_COMPRESSED_HDR, &header);
        }
        let pieces = steps.pieces_mark();
        steps.piece(begin..end);

        let picture = self.pictures.next();
        steps.push(Step::Decode(Decode {
            picture,
            pieces: steps.pieces_since(pieces),
            controls: steps.controls_since(controls),
            more: false,
            key: header.key_frame,
        }));
        if header.show_frame {
            steps.push(Step::Output {
                picture,
                shown_again: false,
            });
        }
        self.memory.keep(&header);
        let kept = std::array::from_fn(|slot| {
            if header.refreshes(slot) {
                Some(picture)
            } else {
                self.pictures.slot(slot)
            }
        });
        self.pictures.keep(picture, kept, steps);
        Ok(())
    }
}

impl Sequencer for Vp9 {
    fn read(&mut self, unit: &[u8], steps: &mut Steps) -> Result<(), StreamError> {
        let (chunk, read) = Chunk::read(unit);
        for frame in chunk.frames() {
            self.frame(unit, frame.start, frame.end, steps)
                .map_err(|error| error.after(frame.start as u64))?;
        }
        read
    }

    fn finish(&mut self, steps: &mut Steps) {
        self.seek(steps);
        self.shape = None;
    }

    fn seek(&mut self, steps: &mut Steps) {
        self.pictures.forget_all(steps);
        self.memory.forget_references();
    }
}

impl Shape {
    fn of(header: &FrameHeader) -> Result<Self, StreamError> {
        Ok(Self {
            width: header.width,
            height: header.height,
            depth: header.color.bit_depth,
            chroma: chroma(header.color)?,
        })
    }

    fn sequence(self, controls: std::ops::Range<usize>) -> Sequence {
        Sequence {
            coded: (self.width, self.height),
            visible: Visible {
                left: 0,
                top: 0,
                width: self.width,
                height: self.height,
            },
            depth: self.depth,
            chroma: self.chroma,
            kept: SLOTS,
            controls,
        }
    }
}

fn chroma(color: ColorConfig) -> Result<Chroma, StreamError> {
    match (color.subsampling_x, color.subsampling_y) {
        (true, true) => Ok(Chroma::Yuv420),
        (true, false) => Ok(Chroma::Yuv422),
        (false, false) => Ok(Chroma::Yuv444),
        // V4L2 has no format that is halved downwards only.
        (false, true) => Err(StreamError {
            bit: 0,
            what: "subsampling_y",
            trouble: Trouble::Unsupported { found: 1 },
        }),
    }
}

/// What a control calls a picture, or nothing.
fn reference_ts(picture: Option<PictureId>) -> u64 {
    picture.map_or(0, PictureId::reference_ts)
}
