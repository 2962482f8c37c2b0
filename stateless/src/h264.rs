//! H.264 for stateless decoders: access units in, what the device is told out.
//!
//! Sections and names are those of ITU-T H.264 (08/2021). A picture here is a frame or a field;
//! both fields of a frame have one [`PictureId`] and go out as one.

mod begin;
mod buffer;
mod controls;
mod frame;
mod gaps;
mod lists;
mod marking;
mod order;
mod picture;
mod sequence;

use std::ops::Range;

use dmaflow_bitstream::annex_b::NalUnits;
use dmaflow_bitstream::h264::{NalHeader, ParameterSets, SliceHeader, recovery_frame_cnt};
use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use crate::{Ability, PictureId, Sequencer, Steps};
use begin::Begun;
use buffer::Buffer;
use order::Order;
use sequence::Active;

/// A slice of the picture at hand.
#[derive(Debug)]
struct Slice {
    header: SliceHeader,
    /// Which bytes of the unit it is, without its start code.
    bytes: Range<usize>,
}

/// The sequencer of H.264.
///
/// Units are access units of a byte stream (Annex B), with all slices of a picture; a unit may
/// hold both fields of a frame, or one. Until there is a picture with which decoding can begin (an
/// IDR picture, one of intra slices, or one with a recovery point), units are passed over without
/// an error. Pictures that cannot be right, since they refer to what was before that, are decoded,
/// because others may refer to them, and never go out.
///
/// Where references are lost, the nearest picture stands in for them.
#[derive(Debug)]
pub struct H264 {
    ability: Ability,
    sets: ParameterSets,
    active: Option<Active>,
    buffer: Buffer,
    order: Order,
    begun: Begun,
    /// `PrevRefFrameNum`.
    previous_frame_num: u32,
    next_picture: u64,
    /// `recovery_frame_cnt`, which came before the picture at hand.
    recovery: Option<u32>,
    slices: Vec<Slice>,
}

impl H264 {
    /// For a driver.
    #[must_use]
    pub fn new(ability: Ability) -> Self {
        Self {
            ability,
            sets: ParameterSets::new(),
            active: None,
            buffer: Buffer::default(),
            order: Order::default(),
            begun: Begun::No,
            previous_frame_num: 0,
            next_picture: 0,
            recovery: None,
            slices: Vec::new(),
        }
    }

    fn new_picture(&mut self) -> PictureId {
        let picture = PictureId(self.next_picture);
        self.next_picture += 1;
        picture
    }

    /// Reads one NAL unit, which lies at some bytes of its access unit.
    fn read_nal(
        &mut self,
        nal: &[u8],
        bytes: Range<usize>,
        steps: &mut Steps,
    ) -> Result<(), StreamError> {
        let Some(header) = NalHeader::of(nal) else {
            return Ok(());
        };
        let begin = bytes.start as u64;
        let mut ended = Ok(());
        let read = match header.nal_unit_type {
            NalHeader::SLICE | NalHeader::IDR => SliceHeader::read(nal, &self.sets).map(|header| {
                if header.redundant_pic_cnt == 0 {
                    ended = self.add_slice(Slice { header, bytes }, steps);
                }
            }),
            NalHeader::PARTITION_A => {
                let trouble = Trouble::Unsupported {
                    found: header.nal_unit_type.into(),
                };
                Err(BitReader::wrong(3, "nal_unit_type", trouble))
            }
            // What comes with the next picture: the one before it is complete.
            NalHeader::SEI => {
                ended = self.end_picture(steps);
                self.recovery = recovery_frame_cnt(nal).or(self.recovery);
                Ok(())
            }
            NalHeader::SEQUENCE_PARAMETERS => {
                ended = self.end_picture(steps);
                self.sets.read_sequence(nal)
            }
            NalHeader::PICTURE_PARAMETERS => {
                ended = self.end_picture(steps);
                self.sets.read_picture(nal)
            }
            _ => Ok(()),
        };
        ended.and(read.map_err(|error| error.after(begin)))
    }

    fn add_slice(&mut self, slice: Slice, steps: &mut Steps) -> Result<(), StreamError> {
        let goes_on = self
            .slices
            .first()
            .is_none_or(|first| first.header.is_of_picture(&slice.header));
        let ended = if goes_on {
            Ok(())
        } else {
            self.end_picture(steps)
        };
        self.slices.push(slice);
        ended
    }

    /// Does what is to be done with the picture at hand, all of whose slices are there.
    fn end_picture(&mut self, steps: &mut Steps) -> Result<(), StreamError> {
        let mut slices = std::mem::take(&mut self.slices);
        let begin = slices.first().map(|first| first.bytes.start as u64);
        let done = match begin {
            Some(begin) => {
                let done = self.decode(&slices, steps);
                self.recovery = None;
                done.map_err(|error| error.after(begin))
            }
            None => Ok(()),
        };
        slices.clear();
        self.slices = slices;
        done
    }
}

impl Sequencer for H264 {
    fn read(&mut self, unit: &[u8], steps: &mut Steps) -> Result<(), StreamError> {
        let mut done = Ok(());
        for nal in NalUnits::new(unit) {
            let bytes = nal.offset..nal.offset + nal.data.len();
            done = done.and(self.read_nal(nal.data, bytes, steps));
        }
        let ended = self.end_picture(steps);
        done.and(ended)
    }

    fn finish(&mut self, steps: &mut Steps) {
        self.buffer.settle(steps);
        self.buffer.empty(true, steps);
        self.begun = Begun::No;
        self.active = None;
    }

    fn seek(&mut self, steps: &mut Steps) {
        self.buffer.empty(false, steps);
        self.begun = Begun::No;
    }
}
