//! MPEG-2: frames, and frames of two fields.

mod controls;
mod order;
#[cfg(test)]
mod tests;

use std::ops::Range;

use dmaflow_bitstream::mpeg2::{
    ChromaFormat, Code, CodingType, GroupOfPictures, Matrices, PictureHeader, SequenceHeader,
    StartCodes, Structure, Unit,
};
use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use crate::ability::Ability;
use crate::steps::{Chroma, Decode, Sequence, Sequencer, Step, Steps, Visible};
use crate::uapi::mpeg2::{
    STATELESS_MPEG2_PICTURE, STATELESS_MPEG2_QUANTISATION, STATELESS_MPEG2_SEQUENCE,
};
use order::{KEPT, Order};

const SEQUENCE_EXTENSION: u32 = 1;
const QUANT_MATRIX_EXTENSION: u32 = 3;
const SEQUENCE_SCALABLE_EXTENSION: u32 = 5;
const PICTURE_CODING_EXTENSION: u32 = 8;

/// What pictures of a stream have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    width: u16,
    height: u16,
    progressive: bool,
    chroma_format: ChromaFormat,
}

/// A picture whose headers are being read.
#[derive(Debug)]
struct Current {
    /// Where it begins in the unit.
    begin: usize,
    header: PictureHeader,
    /// The picture coding extension was there.
    extended: bool,
    slices: Option<Range<usize>>,
}

/// Remembers for a stateless decoder what an MPEG-2 stream said. A unit holds whole pictures, with
/// the headers before them: mostly one, but both fields of a frame may come in one unit or in two.
/// A piece of data is all slices of a picture, with their start codes.
///
/// Pictures go out in display order: B pictures at once; others when the next such comes, at the
/// end, or, where the stream says `low_delay`, at once too. A field whose other one never comes
/// goes out all the same.
///
/// B pictures behind the first I picture, of which the stream has not said (`closed_gop`) that they
/// can do without the picture before it, are passed over without an error: at the beginning, after
/// a seek, and where the link was cut (`broken_link`).
///
/// `TOP_FIELD_FIRST` of a field picture, which codes no such thing, tells whether the first field
/// of the frame was the upper one: that is how drivers (`hantro`) know which field is the second.
///
/// MPEG-1 and scalable streams are not supported by V4L2 and are errors.
#[derive(Debug)]
pub struct Mpeg2 {
    sequence: Option<SequenceHeader>,
    matrices: Matrices,
    order: Order,
    shape: Option<Shape>,
}

impl Mpeg2 {
    /// Before the first unit. There are three controls, which all drivers have.
    #[must_use]
    pub fn new(_ability: &Ability) -> Self {
        Self {
            sequence: None,
            matrices: Matrices::default(),
            order: Order::new(),
            shape: None,
        }
    }

    /// What extensions loaded holds from picture to picture, and not elsewhere in the stream.
    fn forget_matrices(&mut self) {
        if let Some(sequence) = &self.sequence {
            self.matrices = sequence.matrices;
        }
    }

    /// Adds what an extension says to what it follows.
    fn extension(
        &mut self,
        payload: &[u8],
        coming: &mut Option<SequenceHeader>,
        current: &mut Option<Current>,
    ) -> Result<(), StreamError> {
        let bits = &mut BitReader::new(payload);
        match bits.bits(4, "extension_start_code_identifier")? {
            SEQUENCE_EXTENSION => {
                if let Some(mut sequence) = coming.take() {
                    sequence.extend(bits)?;
                    self.matrices = sequence.matrices;
                    self.sequence = Some(sequence);
                }
            }
            QUANT_MATRIX_EXTENSION => self.matrices.load(bits)?,
            SEQUENCE_SCALABLE_EXTENSION => {
                let found = i64::from(SEQUENCE_SCALABLE_EXTENSION);
                return Err(StreamError {
                    bit: 0,
                    what: "extension_start_code_identifier",
                    trouble: Trouble::Unsupported { found },
                });
            }
            PICTURE_CODING_EXTENSION => {
                if let Some(current) = current {
                    current.header.extend(bits)?;
                    current.extended = true;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A picture is whole: the device is to decode it.
    fn decode(
        &mut self,
        current: &Current,
        mpeg1: bool,
        steps: &mut Steps,
    ) -> Result<(), StreamError> {
        let wrong = |what, trouble| {
            Err(StreamError {
                bit: current.begin as u64 * 8,
                what,
                trouble,
            })
        };
        if mpeg1 {
            return wrong("sequence_extension", Trouble::Unsupported { found: 1 });
        }
        let Some(sequence) = self.sequence else {
            return wrong("sequence_header", Trouble::Unknown { found: 0 });
        };
        if !current.extended {
            return wrong("picture_coding_extension", Trouble::Ends);
        }
        let Some(slices) = current.slices.clone() else {
            return wrong("slice", Trouble::Ends);
        };
        let header = &current.header;
        if sequence.progressive_sequence && header.structure != Structure::Frame {
            return wrong("picture_structure", Trouble::NotAllowed { found: 1 });
        }
        let shape = Shape::of(&sequence);
        let changed = self.shape != Some(shape);
        if changed && header.coding_type != CodingType::I {
            return wrong("picture_coding_type", Trouble::Unknown { found: 0 });
        }
        if changed {
            self.order.restart(steps);
        }
        let begun = match self.order.begin(header, steps) {
            Ok(Some(begun)) => begun,
            Ok(None) => return Ok(()),
            Err(trouble) => return wrong("picture_coding_type", trouble),
        };

        let mark = steps.controls_mark();
        steps.control(STATELESS_MPEG2_SEQUENCE, &controls::sequence(&sequence));
        if changed {
            self.shape = Some(shape);
            steps.push(Step::Sequence(shape.sequence(steps.controls_since(mark))));
        }
        let picture = controls::picture(header, &begun);
        steps.control(STATELESS_MPEG2_PICTURE, &picture);
        let matrices = controls::quantisation(&self.matrices, sequence.chroma_format);
        steps.control(STATELESS_MPEG2_QUANTISATION, &matrices);
        let pieces = steps.pieces_mark();
        steps.piece(slices);
        steps.push(Step::Decode(Decode {
            picture: begun.picture,
            pieces: steps.pieces_since(pieces),
            controls: steps.controls_since(mark),
            more: begun.more,
            key: header.coding_type == CodingType::I && !begun.second,
        }));
        self.order.decoded(&begun, sequence.low_delay, steps);
        Ok(())
    }

    fn take(
        &mut self,
        unit: &Unit,
        payload: &[u8],
        coming: &mut Option<SequenceHeader>,
        current: &mut Option<Current>,
    ) -> Result<(), StreamError> {
        match unit.code {
            Code::Sequence => *coming = Some(SequenceHeader::read(payload)?),
            Code::Group => self.order.group(GroupOfPictures::read(payload)?),
            Code::Extension => self.extension(payload, coming, current)?,
            Code::Picture => {
                *current = Some(Current {
                    begin: unit.bytes.start,
                    header: PictureHeader::read(payload)?,
                    extended: false,
                    slices: None,
                });
            }
            Code::Slice(value) => {
                let Some(current) = current else {
                    let found = i64::from(value);
                    let what = "slice_start_code";
                    return Err(BitReader::wrong(0, what, Trouble::NotAllowed { found }));
                };
                let begin = current
                    .slices
                    .as_ref()
                    .map_or(unit.bytes.start, |slices| slices.start);
                current.slices = Some(begin..unit.bytes.end);
            }
            Code::SequenceEnd | Code::UserData | Code::Other(_) => {}
        }
        Ok(())
    }
}

impl Sequencer for Mpeg2 {
    fn read(&mut self, unit: &[u8], steps: &mut Steps) -> Result<(), StreamError> {
        let mut coming = None;
        let mut current = None;
        for part in StartCodes::new(unit) {
            let ends = matches!(
                part.code,
                Code::Picture | Code::Sequence | Code::Group | Code::SequenceEnd
            );
            if ends && let Some(whole) = current.take() {
                self.decode(&whole, coming.is_some(), steps)?;
            }
            self.take(&part, part.payload(unit), &mut coming, &mut current)
                .map_err(|error| error.after(part.payload_begin() as u64))?;
            if part.code == Code::SequenceEnd {
                self.order.end(steps);
            }
        }
        if let Some(whole) = current {
            self.decode(&whole, coming.is_some(), steps)?;
        }
        Ok(())
    }

    fn finish(&mut self, steps: &mut Steps) {
        self.order.end(steps);
        self.forget_matrices();
        self.shape = None;
    }

    fn seek(&mut self, steps: &mut Steps) {
        self.order.forget(steps);
        self.forget_matrices();
    }
}

impl Shape {
    const fn of(sequence: &SequenceHeader) -> Self {
        Self {
            width: sequence.horizontal_size,
            height: sequence.vertical_size,
            progressive: sequence.progressive_sequence,
            chroma_format: sequence.chroma_format,
        }
    }

    /// Coded are whole macroblocks, and of each field as well (6.3.3).
    fn sequence(self, controls: Range<usize>) -> Sequence {
        let (width, height) = (u32::from(self.width), u32::from(self.height));
        let rows = if self.progressive { 16 } else { 32 };
        Sequence {
            coded: (width.next_multiple_of(16), height.next_multiple_of(rows)),
            visible: Visible {
                left: 0,
                top: 0,
                width,
                height,
            },
            depth: 8,
            chroma: match self.chroma_format {
                ChromaFormat::Yuv420 => Chroma::Yuv420,
                ChromaFormat::Yuv422 => Chroma::Yuv422,
                ChromaFormat::Yuv444 => Chroma::Yuv444,
            },
            kept: KEPT,
            controls,
        }
    }
}
