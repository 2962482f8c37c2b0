//! One picture, a frame or a field: from its slices to what the device is told and what is kept.

use dmaflow_bitstream::h264::{PictureParameters, SequenceParameters, SliceHeader};
use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use super::begin::{Begun, Entry};
use super::frame::{Fields, Frame, order_count};
use super::gaps::{has_order, number_frames};
use super::lists::Current;
use super::marking::{self, Marked};
use super::order::{Coded, Order};
use super::sequence::{Active, buffer_size, describe, reorder};
use super::{H264, Slice};
use crate::uapi::h264::STATELESS_H264_SPS;
use crate::{PictureId, Step, Steps};

/// A picture at hand, with all that the device is told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picture<'s> {
    pub(super) id: PictureId,
    pub(super) sequence: &'s SequenceParameters,
    pub(super) parameters: &'s PictureParameters,
    pub(super) slices: &'s [Slice],
    /// Of its first slice.
    pub(super) header: &'s SliceHeader,
    pub(super) current: Current,
    /// `TopFieldOrderCnt` and `BottomFieldOrderCnt`.
    pub(super) order: [i32; 2],
    /// Its second field may follow.
    pub(super) more: bool,
    /// Decoding can begin with it.
    pub(super) key: bool,
}

impl H264 {
    /// Decodes the picture of some slices and keeps what is to be kept. Errors are about the first
    /// slice.
    pub(super) fn decode(
        &mut self,
        slices: &[Slice],
        steps: &mut Steps,
    ) -> Result<(), StreamError> {
        let Some(first) = slices.first() else {
            return Ok(());
        };
        // They are out of the way while the rest changes.
        let sets = std::mem::take(&mut self.sets);
        let of_slice = sets.of_slice(first.header.pic_parameter_set_id, 0);
        let done = of_slice.and_then(|(sequence, parameters)| {
            self.decode_with(sequence, parameters, slices, &first.header, steps)
        });
        self.sets = sets;
        done
    }

    fn decode_with(
        &mut self,
        sequence: &SequenceParameters,
        parameters: &PictureParameters,
        slices: &[Slice],
        header: &SliceHeader,
        steps: &mut Steps,
    ) -> Result<(), StreamError> {
        let entry = Entry::of(slices, self.recovery);
        let first_field = self.first_field(header).copied();
        let id = match first_field {
            Some(first) => first.picture,
            None => {
                self.buffer.settle(steps);
                if !self.begin(sequence, header, entry, steps) {
                    return Ok(());
                }
                self.new_picture()
            }
        };
        self.buffer.begin(id);
        let begins = self.begun == Begun::No;
        if first_field.is_none() {
            self.reach_frame_num(sequence, header, begins.then_some((entry, id)), steps);
        }
        let order = self.order.count(sequence, Coded::of(header));
        let count = order_count(Fields::of(header.structure), order);
        let max_frame_num = sequence.max_frame_num();
        if begins {
            self.begun = Begun::with(entry, count, header.frame_num, max_frame_num);
        }
        let seen = self.begun.shows(header.frame_num, max_frame_num, count);
        number_frames(self.buffer.frames_mut(), header.frame_num, max_frame_num);
        let picture = Picture {
            id,
            sequence,
            parameters,
            slices,
            header,
            current: Current {
                structure: header.structure,
                frame_num: header.frame_num,
                max_frame_num,
                order: count,
                orders_missing: has_order(sequence),
            },
            order,
            more: header.structure.is_field() && first_field.is_none(),
            key: entry != Entry::None && first_field.is_none(),
        };
        if let Err(error) = self.check_references(&picture) {
            self.buffer.refuse();
            return Err(error);
        }
        self.tell(&picture, steps);
        let marked = self.mark(&picture);
        self.keep(&picture, marked, seen, steps);
        Ok(())
    }

    /// The field with which a picture makes a frame (3.30, 3.31).
    fn first_field(&self, header: &SliceHeader) -> Option<&Frame> {
        let fields = Fields::of(header.structure);
        self.buffer.open().filter(|first| {
            first.fields == Fields::BOTH.without(fields)
                && first.frame_num == header.frame_num
                && first.is_coded_reference == (header.nal_ref_idc != 0)
                && !header.idr
                && !header.marking.forgets_all()
        })
    }

    /// Makes a picture's sequence the one at hand, if decoding goes on or can begin with it.
    fn begin(
        &mut self,
        sequence: &SequenceParameters,
        header: &SliceHeader,
        entry: Entry,
        steps: &mut Steps,
    ) -> bool {
        let active = self.active.as_ref();
        let changes = active.is_none_or(|active| active.parameters != *sequence);
        if changes {
            // Elsewhere than with an IDR picture, something is lost.
            self.begun = Begun::No;
        }
        if self.begun == Begun::No && entry == Entry::None {
            return false;
        }
        if header.idr || self.begun == Begun::No {
            let discard = header.idr && header.marking.no_output_of_prior_pics;
            self.buffer.empty(!discard, steps);
        }
        if changes {
            self.activate(sequence, steps);
        }
        if header.idr {
            self.begun = Begun::Yes;
        }
        true
    }

    fn activate(&mut self, sequence: &SequenceParameters, steps: &mut Steps) {
        let old = self.active.take();
        let active = Active::new(sequence);
        if !old.is_some_and(|old| old.is_like(sequence)) {
            let mark = steps.controls_mark();
            if self.ability.has(STATELESS_H264_SPS) {
                steps.control(STATELESS_H264_SPS, &active.control);
            }
            let mut described = describe(sequence);
            described.controls = steps.controls_since(mark);
            steps.push(Step::Sequence(described));
        }
        self.buffer.set(buffer_size(sequence), reorder(sequence));
        self.active = Some(active);
    }

    /// Brings numbers to where a picture finds them: over what is missing, or to where decoding
    /// begins.
    fn reach_frame_num(
        &mut self,
        sequence: &SequenceParameters,
        header: &SliceHeader,
        begins: Option<(Entry, PictureId)>,
        steps: &mut Steps,
    ) {
        if header.idr {
            self.previous_frame_num = 0;
            return;
        }
        let Some((entry, id)) = begins else {
            self.fill_gap(sequence, header.frame_num, steps);
            return;
        };
        let max = sequence.max_frame_num();
        self.previous_frame_num = header.frame_num.wrapping_sub(1) % max;
        if matches!(entry, Entry::Recovery(_)) {
            // There is nothing yet that it could refer to but itself.
            self.put_missing(sequence, self.previous_frame_num, Some(id), steps);
        }
        self.order = Order::begin(Coded::of(header));
    }

    fn mark(&mut self, picture: &Picture<'_>) -> Marked {
        let header = picture.header;
        let frames = self.buffer.frames_mut();
        if header.nal_ref_idc == 0 {
            return Marked::default();
        }
        let marked = if header.idr {
            marking::idr(frames, &header.marking)
        } else {
            marking::adapt(frames, picture.current, &header.marking.steps)
        };
        let most = usize::from(picture.sequence.max_num_ref_frames);
        marking::slide(frames, most.max(1) - 1);
        marked
    }

    /// Puts a decoded picture into the buffer, and lets out what is to go.
    fn keep(&mut self, picture: &Picture<'_>, marked: Marked, seen: bool, steps: &mut Steps) {
        let header = picture.header;
        let fields = Fields::of(header.structure);
        let is_reference = header.nal_ref_idc != 0;
        let mut frame = match self.buffer.open() {
            Some(first) => *first,
            None => Frame {
                picture: picture.id,
                exists: true,
                is_coded_reference: is_reference,
                as_fields: header.structure.is_field(),
                bottom_first: fields == Fields::BOTTOM,
                frame_num: header.frame_num,
                frame_num_wrap: header.frame_num.cast_signed(),
                waits: seen,
                ..Frame::default()
            },
        };
        frame.fields = frame.fields.with(fields);
        let mut order = picture.order;
        if marked.begins_anew {
            self.buffer.empty(true, steps);
            order = self.order.begin_anew(header.structure, order);
            frame.frame_num = 0;
            frame.frame_num_wrap = 0;
            self.begun = Begun::Yes;
        }
        for (own, new, field) in [(0, order[0], Fields::TOP), (1, order[1], Fields::BOTTOM)] {
            if fields.has(field) {
                frame.order[own] = new;
            }
        }
        if is_reference {
            self.previous_frame_num = frame.frame_num;
            match marked.long_term_frame_idx {
                Some(index) => {
                    frame.long_term = frame.long_term.with(fields);
                    frame.long_term_frame_idx = index;
                }
                None => frame.short_term = frame.short_term.with(fields),
            }
        }
        match (self.buffer.open_mut(), picture.more) {
            (Some(first), _) => {
                *first = frame;
                self.buffer.settle(steps);
            }
            (None, true) => {
                self.buffer.drop_unneeded(steps);
                self.buffer.put_open(frame);
            }
            (None, false) => self.buffer.store(frame, steps),
        }
    }

    /// Refuses a picture that refers to others while there are none.
    fn check_references(&self, picture: &Picture<'_>) -> Result<(), StreamError> {
        let refers = |slice: &Slice| !slice.header.slice_type.is_intra();
        let mut frames = self.buffer.frames().iter();
        if frames.any(Frame::is_reference) || !picture.slices.iter().any(refers) {
            return Ok(());
        }
        let trouble = Trouble::Unknown {
            found: picture.header.frame_num.into(),
        };
        Err(BitReader::wrong(0, "reference frame_num", trouble))
    }
}
