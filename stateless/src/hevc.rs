//! HEVC (ITU-T H.265): access units as Annex B has them.
//!
//! Where the kernel's document leaves open what is meant: a value that is not in the stream is what
//! the specification infers for it, and zero where it infers nothing; so are places of arrays that
//! are not used. `bit_size` counts the slice's piece with its start code, if it has one, and
//! `data_byte_offset` begins there too, without the bytes that only keep start codes out of the
//! data: a decoder passes over them as it reads. Sizes of reference picture sets do not count them
//! either; entry points, which are bytes of the data as it is, do. `chroma_offset_lX` is
//! `ChromaOffsetLX` (7-56). A dependent slice segment says what the one says on which it depends.
//!
//! A reference that is missing is replaced by the picture that is nearest in order, so that what a
//! driver is told can always be found. Pictures go out by bumping (C.5.2), and before that where
//! nothing can come before them any more.

mod begin;
mod controls;
mod dpb;
mod picture;
mod references;
mod sets;
mod slices;

use std::ops::Range;

use dmaflow_bitstream::annex_b::{NalUnit, NalUnits, START_CODE};
use dmaflow_bitstream::hevc::{
    NalHeader, NalType, SeiMessages, SliceReader, Sps, pic_timing_pic_struct,
};
use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use crate::ability::Ability;
use crate::steps::{Sequence, Sequencer, Steps};
use controls::Constant;
use dpb::Dpb;
use picture::AtWork;
use sets::ParameterSets;
use slices::Slices;

/// What remembers an HEVC stream for a driver.
#[derive(Debug)]
pub struct Hevc {
    ability: Ability,
    sets: ParameterSets,
    /// The one that holds from one picture with which decoding can begin to the next.
    active: Option<Box<Sps>>,
    sequence: Option<Sequence>,
    dpb: Dpb,
    current: Current,
    /// The last picture; it is at work as long as `current` says so.
    picture: Box<AtWork>,
    slices: Slices,
    /// What the driver is told of the last picture's parameter sets.
    constant: Box<Constant>,
    next_id: u64,
    /// The next picture has to be one with which decoding can begin.
    begins: bool,
    /// Pictures that may refer to some before the last IRAP picture cannot be decoded
    /// (its `NoRaslOutputFlag`).
    skips_rasl: bool,
    /// The order count of the last IRAP picture.
    irap_poc: i32,
    /// That of `prevTid0Pic` (8.3.1).
    prev_tid0_poc: i32,
    /// What the access unit says of fields.
    pic_struct: u8,
}

/// What becomes of slices that do not begin a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Current {
    /// No picture has begun.
    None,
    /// The picture is not decoded: why was said already, or it is not meant to be.
    Left,
    /// They belong to the picture at work.
    AtWork,
}

impl Hevc {
    /// For a driver that wants to be told so.
    #[must_use]
    pub fn new(ability: Ability) -> Self {
        Self {
            ability,
            sets: ParameterSets::default(),
            active: None,
            sequence: None,
            dpb: Dpb::default(),
            current: Current::None,
            picture: Box::default(),
            slices: Slices::default(),
            constant: Box::default(),
            next_id: 1,
            begins: true,
            skips_rasl: true,
            irap_poc: 0,
            prev_tid0_poc: 0,
            pic_struct: 0,
        }
    }

    fn nal_unit(&mut self, unit: &NalUnit<'_>, steps: &mut Steps) -> Result<(), StreamError> {
        let header = NalHeader::read(&mut BitReader::of_nal_unit(unit.data))?;
        if header.layer_id != 0 {
            return Ok(());
        }
        match header.unit_type {
            slice if slice.is_slice() => return self.slice(unit, steps),
            NalType::SPS => {
                self.end_picture(steps);
                self.sets.add_sps(unit.data)?;
            }
            NalType::PPS => {
                self.end_picture(steps);
                self.sets.add_pps(unit.data)?;
            }
            NalType::PREFIX_SEI => {
                self.end_picture(steps);
                // What is wrong with it keeps no picture from being decoded.
                if let Ok(Some(told)) = pic_struct(unit.data) {
                    self.pic_struct = told;
                }
            }
            NalType::VPS | NalType::AUD => self.end_picture(steps),
            NalType::EOS | NalType::EOB => {
                self.end_picture(steps);
                self.dpb.let_out(steps);
                self.begins = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn slice(&mut self, unit: &NalUnit<'_>, steps: &mut Steps) -> Result<(), StreamError> {
        let reader = SliceReader::new(unit.data)?;
        let piece = self.piece(unit);
        if reader.begin().first_slice_segment_in_pic {
            self.end_picture(steps);
            // Until it has begun.
            self.current = Current::Left;
            return self.begin_picture(reader, piece, steps);
        }
        match self.current {
            Current::None => {
                let bit = reader.parameter_set_at().saturating_sub(1);
                let trouble = Trouble::NotAllowed { found: 0 };
                let what = "first_slice_segment_in_pic_flag of a picture's first slice segment";
                Err(BitReader::wrong(bit, what, trouble))
            }
            Current::Left => Ok(()),
            Current::AtWork => self.further_slice(reader, piece),
        }
    }

    fn further_slice(
        &mut self,
        reader: SliceReader<'_>,
        piece: Range<usize>,
    ) -> Result<(), StreamError> {
        let begin = reader.begin();
        let at = reader.parameter_set_at();
        let pps_id = self.picture.pps_id;
        let other = |what, found: i64| {
            let trouble = Trouble::NotAllowed { found };
            Err(BitReader::wrong(at, what, trouble))
        };
        if begin.nal.unit_type != self.picture.unit_type {
            let found = begin.nal.unit_type.0.into();
            return other("nal_unit_type within a picture", found);
        }
        if begin.pic_parameter_set_id != pps_id {
            let found = begin.pic_parameter_set_id.into();
            return other("slice_pic_parameter_set_id within a picture", found);
        }
        let Some((sps, pps)) = self.active.as_deref().zip(self.sets.pps(pps_id)) else {
            return Ok(());
        };
        self.slices.check_room(at)?;
        let before = &self.picture.independent;
        let points = self.slices.entry_points.len();
        let slice = reader.read(sps, pps, Some(before), &mut self.slices.entry_points)?;
        if !slice.is_of_same_picture(before) {
            self.slices.entry_points.truncate(points);
            let found = slice.pic_order_cnt_lsb.into();
            return other("a reference picture set that is not its picture's", found);
        }
        if !slice.dependent {
            self.picture.independent = slice;
        }
        self.add_slice(&begin, &slice, piece);
        Ok(())
    }

    /// Where a NAL unit lies that is handed to the device.
    fn piece(&self, unit: &NalUnit<'_>) -> Range<usize> {
        unit.offset.saturating_sub(self.start_code())..unit.offset + unit.data.len()
    }

    /// Bytes of a piece before its NAL unit.
    const fn start_code(&self) -> usize {
        if self.ability.start_codes {
            START_CODE.len()
        } else {
            0
        }
    }
}

impl Sequencer for Hevc {
    fn read(&mut self, unit: &[u8], steps: &mut Steps) -> Result<(), StreamError> {
        let mut result = Ok(());
        let mut found = false;
        self.pic_struct = 0;
        for nal in NalUnits::new(unit) {
            found = true;
            if let Err(error) = self.nal_unit(&nal, steps) {
                // The rest of the unit may be good; the first error is the one that explains.
                result = result.and(Err(error.after(nal.offset as u64)));
            }
        }
        self.end_picture(steps);
        if !found && !unit.is_empty() {
            let what = "start_code_prefix_one_3bytes";
            return Err(BitReader::wrong(0, what, Trouble::Ends));
        }
        result
    }

    fn finish(&mut self, steps: &mut Steps) {
        self.dpb.clear(true, steps);
        self.sequence = None;
        self.begins = true;
    }

    fn seek(&mut self, steps: &mut Steps) {
        self.dpb.clear(false, steps);
        self.begins = true;
    }
}

/// What a SEI NAL unit says of fields, if the sequence's VUI says that it does.
fn pic_struct(nal: &[u8]) -> Result<Option<u8>, StreamError> {
    let mut messages = SeiMessages::new(nal)?;
    while let Some((kind, payload)) = messages.next()? {
        if kind == SeiMessages::PIC_TIMING {
            return pic_timing_pic_struct(payload).map(Some);
        }
    }
    Ok(None)
}
