//! The decoded picture buffer: what is kept, and when it goes out (C.4).

use dmaflow_bitstream::h264::Few;

use super::frame::{Fields, Frame};
use crate::uapi::h264::NUM_DPB_ENTRIES;
use crate::{PictureId, Step, Steps};

/// The decoded picture buffer. Frames are in the order in which they were decoded.
///
/// # Invariants
/// No more than `size` frames are in it, and one more that is open.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    frames: Few<Frame, { NUM_DPB_ENTRIES + 1 }>,
    /// 1 to 16.
    size: usize,
    /// The most frames that wait although later ones have been decoded.
    reorder: usize,
    /// The last number that went out since numbers began.
    last_out: Option<i32>,
    /// The picture that the device decodes; it may stand in for one that is lost.
    at_work: Option<PictureId>,
    /// That of the frame which room is made for.
    arriving: Option<PictureId>,
}

impl Buffer {
    /// Begins anew for pictures of a sequence.
    pub(super) fn set(&mut self, size: usize, reorder: usize) {
        self.size = size.clamp(1, NUM_DPB_ENTRIES);
        self.reorder = reorder.min(self.size);
    }

    /// A picture is being decoded, and will be stored.
    pub(super) fn begin(&mut self, picture: PictureId) {
        self.at_work = Some(picture);
    }

    /// What was to be decoded is refused.
    pub(super) fn refuse(&mut self) {
        self.at_work = None;
    }

    pub(super) fn frames(&self) -> &[Frame] {
        &self.frames
    }

    pub(super) fn frames_mut(&mut self) -> &mut [Frame] {
        &mut self.frames
    }

    /// The frame whose second field may follow.
    pub(super) fn open(&self) -> Option<&Frame> {
        self.frames.last().filter(|frame| frame.open)
    }

    /// As [`Buffer::open`].
    pub(super) fn open_mut(&mut self) -> Option<&mut Frame> {
        self.frames.last_mut().filter(|frame| frame.open)
    }

    /// Takes a frame in whose second field may follow; [`Buffer::settle`] was called before.
    pub(super) fn put_open(&mut self, frame: Frame) {
        let frame = Frame {
            open: true,
            ..frame
        };
        let put = self.frames.push(frame);
        debug_assert!(put, "there is room for one more than the size");
        self.at_work = None;
    }

    /// No second field follows any more: the frame that was open is like others.
    pub(super) fn settle(&mut self, steps: &mut Steps) {
        if let Some(frame) = self.open().copied() {
            self.frames.truncate(self.frames.len() - 1);
            let open = false;
            self.store(Frame { open, ..frame }, steps);
        }
    }

    /// Takes a frame in that is complete, and lets out what is to go then (C.4.5).
    pub(super) fn store(&mut self, frame: Frame, steps: &mut Steps) {
        self.arriving = Some(frame.picture);
        if frame.exists {
            self.at_work = None;
        }
        self.drop_unneeded(steps);
        if frame.is_reference() || !frame.exists {
            while self.frames.len() >= self.size {
                self.make_room(steps);
            }
        } else {
            // What no one refers to takes no room if it goes out before the others do.
            while frame.waits && self.is_due(&frame) {
                let first = self.first_waiting();
                match first.filter(|(_at, order)| *order < frame.order_count()) {
                    Some((at, _order)) => self.let_out(at, steps),
                    None => {
                        self.note_out(&frame, steps);
                        self.pass(frame.picture, steps);
                        return;
                    }
                }
            }
            if !frame.waits {
                self.pass(frame.picture, steps);
                return;
            }
        }
        let put = self.frames.push(frame);
        debug_assert!(put, "room was made");
        self.arriving = None;
        self.let_out_due(steps);
    }

    /// Empties it: what waits goes out, or never does.
    pub(super) fn empty(&mut self, output: bool, steps: &mut Steps) {
        if output {
            while let Some((at, _order)) = self.first_waiting() {
                self.let_out(at, steps);
            }
        }
        for frame in &mut *self.frames {
            frame.waits = false;
            frame.open = false;
            frame.short_term = Fields::NONE;
            frame.long_term = Fields::NONE;
        }
        self.drop_unneeded(steps);
        self.last_out = None;
    }

    /// Whether one more that waits would be too many, or is next in any case.
    fn is_due(&self, frame: &Frame) -> bool {
        let waiting = self.frames.iter().filter(|frame| frame.waits).count();
        waiting + 1 > self.reorder || self.frames.len() >= self.size || self.is_next(frame)
    }

    /// Whether no number lies between the last that went out and a frame's.
    fn is_next(&self, frame: &Frame) -> bool {
        self.last_out
            .is_some_and(|last| last.wrapping_add(1) == frame.order_count())
    }

    /// Lets out what no later picture can come before.
    fn let_out_due(&mut self, steps: &mut Steps) {
        while let Some((at, _order)) = self.first_waiting() {
            let waiting = self.frames.iter().filter(|frame| frame.waits).count();
            let next = self.frames.get(at).is_some_and(|frame| self.is_next(frame));
            if waiting <= self.reorder && !next {
                break;
            }
            self.let_out(at, steps);
        }
    }

    /// The frame that is to go out first of those that wait, and its number.
    fn first_waiting(&self) -> Option<(usize, i32)> {
        let waiting = self.frames.iter().enumerate();
        waiting
            .filter(|(_at, frame)| frame.waits)
            .map(|(at, frame)| (at, frame.order_count()))
            .min_by_key(|(_at, order)| *order)
    }

    fn let_out(&mut self, at: usize, steps: &mut Steps) {
        if let Some(frame) = self.frames.get_mut(at) {
            frame.waits = false;
            let frame = *frame;
            self.note_out(&frame, steps);
        }
        self.drop_unneeded(steps);
    }

    fn note_out(&mut self, frame: &Frame, steps: &mut Steps) {
        self.last_out = Some(frame.last_order_count());
        steps.push(Step::Output {
            picture: frame.picture,
            shown_again: false,
        });
    }

    /// Makes room for one more: by output, and if that does not help, since the stream is damaged,
    /// by forgetting the reference that is oldest.
    fn make_room(&mut self, steps: &mut Steps) {
        if let Some((at, _order)) = self.first_waiting() {
            self.let_out(at, steps);
        } else {
            if let Some(oldest) = self.frames.first_mut() {
                oldest.short_term = Fields::NONE;
                oldest.long_term = Fields::NONE;
            }
            self.drop_unneeded(steps);
        }
    }

    /// Drops frames that nobody needs.
    pub(super) fn drop_unneeded(&mut self, steps: &mut Steps) {
        let mut at = 0;
        while let Some(frame) = self.frames.get(at).copied() {
            if frame.waits || frame.open || frame.is_reference() {
                at += 1;
            } else {
                self.frames.remove(at);
                self.release(frame.picture, steps);
            }
        }
    }

    /// The frame that arrived is not kept.
    fn pass(&mut self, picture: PictureId, steps: &mut Steps) {
        self.arriving = None;
        self.release(picture, steps);
    }

    /// A frame is not kept: its picture is free unless it stands in for another.
    fn release(&self, picture: PictureId, steps: &mut Steps) {
        let kept = self.frames.iter().map(|frame| frame.picture);
        let mut needed = kept.chain(self.at_work).chain(self.arriving);
        if !needed.any(|needed| needed == picture) {
            steps.push(Step::Forget(picture));
        }
    }
}
