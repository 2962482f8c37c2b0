//! VP8: frames.

mod controls;
#[cfg(test)]
mod tests;

use dmaflow_bitstream::StreamError;
use dmaflow_bitstream::vp8::{CopyFrom, FrameHeader, Memory};

use crate::ability::Ability;
use crate::pictures::Pictures;
use crate::steps::{Chroma, Decode, PictureId, Sequence, Sequencer, Step, Steps, Visible};
use crate::uapi::vp8::STATELESS_VP8_FRAME;

/// Frames that a stream refers to: last, golden, altref.
const SLOTS: usize = 3;

/// Remembers for a stateless decoder what a VP8 stream said. A unit is a frame. Frames go out in
/// the order in which they come, but for those that are not shown.
///
/// The bits that ask for scaling are told to the driver and change nothing here: what is to be
/// seen is the frame as it is coded.
#[derive(Debug)]
pub struct Vp8 {
    memory: Memory,
    pictures: Pictures<SLOTS>,
    size: Option<(u16, u16)>,
}

impl Vp8 {
    /// Before the first unit. There is one control, which all drivers have.
    #[must_use]
    pub fn new(_ability: &Ability) -> Self {
        Self {
            memory: Memory::new(),
            pictures: Pictures::new(),
            size: None,
        }
    }

    /// What the slots hold after a frame (9.7): first copies, to altref before golden as the
    /// RFC's decoder has it (20.4), then the frame itself.
    fn kept(&self, header: &FrameHeader, picture: PictureId) -> [Option<PictureId>; SLOTS] {
        let [mut last, mut golden, mut alt] = self.slots();
        match header.copy_to_alternate {
            CopyFrom::Nothing => {}
            CopyFrom::Last => alt = last,
            CopyFrom::Other => alt = golden,
        }
        match header.copy_to_golden {
            CopyFrom::Nothing => {}
            CopyFrom::Last => golden = last,
            CopyFrom::Other => golden = alt,
        }
        for (refreshed, slot) in [
            (header.refresh_golden_frame, &mut golden),
            (header.refresh_alternate_frame, &mut alt),
            (header.refresh_last, &mut last),
        ] {
            if refreshed {
                *slot = Some(picture);
            }
        }
        [last, golden, alt]
    }

    fn slots(&self) -> [Option<PictureId>; SLOTS] {
        std::array::from_fn(|slot| self.pictures.slot(slot))
    }
}

impl Sequencer for Vp8 {
    fn read(&mut self, unit: &[u8], steps: &mut Steps) -> Result<(), StreamError> {
        let header = FrameHeader::read(unit, &self.memory)?;
        if header.key_frame {
            self.pictures.forget_all(steps);
        }
        let size = (header.width, header.height);
        if self.size != Some(size) {
            self.size = Some(size);
            let none = steps.controls_mark();
            steps.push(Step::Sequence(sequence(size, steps.controls_since(none))));
        }

        let controls = steps.controls_mark();
        let frame = controls::frame(&header, self.slots());
        steps.control(STATELESS_VP8_FRAME, &frame);
        let pieces = steps.pieces_mark();
        steps.piece(0..unit.len());
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
        let kept = self.kept(&header, picture);
        self.pictures.keep(picture, kept, steps);
        Ok(())
    }

    fn finish(&mut self, steps: &mut Steps) {
        self.seek(steps);
        self.size = None;
    }

    fn seek(&mut self, steps: &mut Steps) {
        self.pictures.forget_all(steps);
        self.memory.forget_references();
    }
}

fn sequence((width, height): (u16, u16), controls: std::ops::Range<usize>) -> Sequence {
    let (width, height) = (u32::from(width), u32::from(height));
    Sequence {
        coded: (width, height),
        visible: Visible {
            left: 0,
            top: 0,
            width,
            height,
        },
        depth: 8,
        chroma: Chroma::Yuv420,
        kept: SLOTS,
        controls,
    }
}
