//! FWHT, the kernel's own codec: each picture builds on the one before at most.
//!
//! ```text
//!   header │ data          header │ data          header │ data
//!   key      picture 1 ◀── P        picture 2 ◀── P        picture 3
//! ```
//!
//! The device gets the data without the header, whose fields are its controls. Pictures go out in
//! the order in which they come. Source: `struct v4l2_ctrl_fwht_params` in
//! `ext-ctrls-codec-stateless.rst`.

use std::ops::Range;

use dmaflow_bitstream::fwht::{FWHT_HEADER_LEN, FwhtHeader};
use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use crate::steps::{Chroma, Decode, PictureId, Sequence, Sequencer, Step, Steps, Visible};
use crate::uapi::fwht::{FwhtParams, STATELESS_FWHT_PARAMS};

/// What all headers of one sequence share.
type Shape = (u32, u32, u32, (u32, u32));

/// Remembers of a FWHT stream the picture that the next one builds on.
#[derive(Debug)]
pub struct FwhtSequencer {
    next: u64,
    shape: Option<Shape>,
    reference: Option<PictureId>,
}

impl Default for FwhtSequencer {
    fn default() -> Self {
        Self {
            // Buffers that were never stamped have 0.
            next: 1,
            shape: None,
            reference: None,
        }
    }
}

impl FwhtSequencer {
    /// Of a stream that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn forget(&mut self, steps: &mut Steps) {
        if let Some(before) = self.reference.take() {
            steps.push(Step::Forget(before));
        }
    }

    /// Tells of pictures of another kind than before.
    fn begin(&mut self, header: &FwhtHeader, steps: &mut Steps) {
        let shape = shape(header);
        if self.shape.replace(shape) == Some(shape) {
            return;
        }
        self.forget(steps);
        let mark = steps.controls_mark();
        steps.push(Step::Sequence(Sequence {
            coded: (header.width, header.height),
            visible: Visible {
                left: 0,
                top: 0,
                width: header.width,
                height: header.height,
            },
            depth: 8,
            chroma: match (header.components(), header.chroma_divisors()) {
                (1, _) => Chroma::Monochrome,
                (_, (2, 2)) => Chroma::Yuv420,
                (_, (2, _)) => Chroma::Yuv422,
                _ => Chroma::Yuv444,
            },
            kept: 1,
            // The driver compares them with the formats, which come first.
            controls: steps.controls_since(mark),
        }));
    }
}

fn shape(header: &FwhtHeader) -> Shape {
    let kind = header.components() << 8 | header.pixel_encoding();
    (header.width, header.height, kind, header.chroma_divisors())
}

/// Where the picture's data lie in its unit.
fn data(header: &FwhtHeader, unit: &[u8]) -> Result<Range<usize>, StreamError> {
    let size = usize::try_from(header.size).unwrap_or(usize::MAX);
    let end = FWHT_HEADER_LEN.saturating_add(size);
    if size == 0 || end > unit.len() {
        // The last word of the header.
        let bit = (FWHT_HEADER_LEN as u64 - 4) * 8;
        let found = header.size.into();
        let trouble = match size {
            0 => Trouble::NotAllowed { found },
            _ => Trouble::Ends,
        };
        return Err(BitReader::wrong(bit, "size", trouble));
    }
    Ok(FWHT_HEADER_LEN..end)
}

impl Sequencer for FwhtSequencer {
    fn read(&mut self, unit: &[u8], steps: &mut Steps) -> Result<(), StreamError> {
        let header = FwhtHeader::parse(unit)?;
        let data = data(&header, unit)?;
        let key = header.is_key();
        let reference = self.reference.filter(|_before| !key);
        if !key && (reference.is_none() || self.shape != Some(shape(&header))) {
            let found = header.flags.into();
            let bit = 20 * 8;
            let trouble = Trouble::Unknown { found };
            return Err(BitReader::wrong(bit, "the picture before it", trouble));
        }
        self.begin(&header, steps);
        let picture = PictureId(self.next);
        self.next += 1;
        let (controls, pieces) = (steps.controls_mark(), steps.pieces_mark());
        steps.piece(data);
        let params = FwhtParams {
            backward_ref_ts: reference.map_or(0, PictureId::reference_ts),
            version: header.version,
            width: header.width,
            height: header.height,
            flags: header.flags,
            colorspace: header.colorspace,
            xfer_func: header.xfer_func,
            ycbcr_enc: header.ycbcr_enc,
            quantization: header.quantization,
        };
        steps.control(STATELESS_FWHT_PARAMS, &params);
        steps.push(Step::Decode(Decode {
            picture,
            pieces: steps.pieces_since(pieces),
            controls: steps.controls_since(controls),
            more: false,
            key,
        }));
        self.forget(steps);
        self.reference = Some(picture);
        steps.push(Step::Output {
            picture,
            shown_again: false,
        });
        Ok(())
    }

    fn finish(&mut self, steps: &mut Steps) {
        self.forget(steps);
        self.shape = None;
    }

    fn seek(&mut self, steps: &mut Steps) {
        self.forget(steps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: u32 = FwhtHeader::I_FRAME | 2 << 16 | 1 << 19;
    const BUILDS: u32 = 2 << 16 | 1 << 19;

    fn unit(flags: u32, width: u32, len: usize) -> Vec<u8> {
        let header = FwhtHeader {
            version: 3,
            width,
            height: 720,
            flags,
            colorspace: 3,
            xfer_func: 1,
            ycbcr_enc: 2,
            quantization: 2,
            size: u32::try_from(len).unwrap(),
        };
        let mut unit = header.to_bytes().to_vec();
        unit.resize(unit.len() + len, 7);
        unit
    }

    fn read(sequencer: &mut FwhtSequencer, unit: &[u8]) -> Result<Steps, StreamError> {
        let mut steps = Steps::new();
        sequencer.read(unit, &mut steps).map(|()| steps)
    }

    /// The picture that is built on, as the driver is told.
    fn backward(steps: &Steps) -> u64 {
        let decode = steps.steps().iter().find_map(|step| match step {
            Step::Decode(decode) => Some(decode),
            _ => None,
        });
        let control = &steps.controls(&decode.unwrap().controls)[0];
        assert_eq!(control.id, STATELESS_FWHT_PARAMS);
        u64::from_ne_bytes(steps.bytes_of(control)[..8].try_into().unwrap())
    }

    #[test]
    fn each_picture_builds_on_the_one_before() {
        let mut sequencer = FwhtSequencer::new();
        let first = read(&mut sequencer, &unit(KEY, 1280, 100)).unwrap();
        let [
            Step::Sequence(told),
            Step::Decode(decode),
            Step::Output { picture, .. },
        ] = first.steps()
        else {
            panic!("{first:?}");
        };
        assert_eq!((told.coded, told.kept), ((1280, 720), 1));
        assert_eq!((decode.picture, *picture), (PictureId(1), PictureId(1)));
        assert!(decode.key && !decode.more);
        assert_eq!(first.pieces(&decode.pieces).first(), Some(&(44..144)));
        assert_eq!(backward(&first), 0);
        let second = read(&mut sequencer, &unit(BUILDS, 1280, 50)).unwrap();
        let [
            Step::Decode(decode),
            Step::Forget(forgotten),
            Step::Output { .. },
        ] = second.steps()
        else {
            panic!("{second:?}");
        };
        assert!(!decode.key);
        assert_eq!(*forgotten, PictureId(1));
        assert_eq!(backward(&second), 1000);
        let mut steps = Steps::new();
        sequencer.finish(&mut steps);
        assert_eq!(steps.steps(), [Step::Forget(PictureId(2))]);
    }

    #[test]
    fn another_size_is_another_sequence_and_begins_with_a_key() {
        let mut sequencer = FwhtSequencer::new();
        read(&mut sequencer, &unit(KEY, 1280, 100)).unwrap();
        let error = read(&mut sequencer, &unit(BUILDS, 640, 100)).unwrap_err();
        assert_eq!(error.what, "the picture before it");
        let steps = read(&mut sequencer, &unit(KEY, 640, 100)).unwrap();
        assert!(matches!(
            steps.steps(),
            [
                Step::Forget(PictureId(1)),
                Step::Sequence(_),
                Step::Decode(_),
                Step::Output { .. }
            ]
        ));
    }

    #[test]
    fn nothing_builds_on_what_was_left_behind() {
        let mut sequencer = FwhtSequencer::new();
        let builds = unit(BUILDS, 1280, 10);
        assert!(read(&mut sequencer, &builds).is_err());
        read(&mut sequencer, &unit(KEY, 1280, 10)).unwrap();
        let mut steps = Steps::new();
        sequencer.seek(&mut steps);
        assert_eq!(steps.steps(), [Step::Forget(PictureId(1))]);
        assert!(read(&mut sequencer, &builds).is_err());
    }

    #[test]
    fn data_that_are_cut_off_are_told() {
        let mut sequencer = FwhtSequencer::new();
        let whole = unit(KEY, 1280, 10);
        for len in 0..whole.len() {
            assert!(read(&mut sequencer, &whole[..len]).is_err(), "{len}");
        }
        assert_eq!(
            read(&mut sequencer, &whole[..50]).unwrap_err().to_string(),
            "bit 320 (byte 40): size: the data ends before it"
        );
        assert!(read(&mut sequencer, &unit(KEY, 1280, 0)).is_err());
        assert!(read(&mut sequencer, &whole).is_ok());
    }
}
