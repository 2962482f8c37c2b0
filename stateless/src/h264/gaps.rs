//! Frames that are missing by their number (8.2.5.2): left out, or lost.

use dmaflow_bitstream::h264::{PictureOrder, SequenceParameters};

use super::frame::{Fields, Frame};
use super::order::Coded;
use super::{H264, marking};
use crate::{PictureId, Steps};

impl H264 {
    /// Puts frames into the buffer for those that are missing before a `frame_num`. The newest
    /// reference stands in for them, in what they look like and, where they have none of their own,
    /// in their number.
    pub(super) fn fill_gap(
        &mut self,
        sequence: &SequenceParameters,
        frame_num: u32,
        steps: &mut Steps,
    ) {
        let max = sequence.max_frame_num();
        let next = (self.previous_frame_num + 1) % max;
        if frame_num == self.previous_frame_num || frame_num == next {
            return;
        }
        let missing = frame_num.wrapping_sub(next) % max;
        // Those before would slide out again.
        let kept = u32::from(sequence.max_num_ref_frames).max(1);
        let first = frame_num.wrapping_sub(missing.min(kept));
        for number in 0..missing.min(kept) {
            self.put_missing(sequence, first.wrapping_add(number) % max, None, steps);
        }
    }

    /// Puts a frame into the buffer that is not in the stream.
    pub(super) fn put_missing(
        &mut self,
        sequence: &SequenceParameters,
        frame_num: u32,
        stand_in: Option<PictureId>,
        steps: &mut Steps,
    ) {
        let own_order =
            has_order(sequence).then(|| self.order.count(sequence, Coded::missing(frame_num)));
        self.previous_frame_num = frame_num;
        number_frames(
            self.buffer.frames_mut(),
            frame_num,
            sequence.max_frame_num(),
        );
        let newest = self.buffer.frames().iter().rev();
        let newest = newest.clone().find(|frame| frame.is_reference()).copied();
        let Some(picture) = stand_in.or(newest.map(|newest| newest.picture)) else {
            return;
        };
        let like_newest = newest.map_or(0, |newest| newest.order_count());
        let order = own_order.unwrap_or([like_newest; 2]);
        let kept = usize::from(sequence.max_num_ref_frames.max(1)) - 1;
        marking::slide(self.buffer.frames_mut(), kept);
        let frame = Frame {
            picture,
            exists: false,
            fields: Fields::BOTH,
            short_term: Fields::BOTH,
            frame_num,
            frame_num_wrap: frame_num.cast_signed(),
            order,
            ..Frame::default()
        };
        self.buffer.store(frame, steps);
    }
}

/// Whether frames that are not in the stream have a number in output order.
pub(super) fn has_order(sequence: &SequenceParameters) -> bool {
    !matches!(sequence.picture_order, PictureOrder::Lsb { .. })
}

/// Numbers short-term references as seen from a picture: `FrameNumWrap` (8.2.4.1).
pub(super) fn number_frames(frames: &mut [Frame], frame_num: u32, max_frame_num: u32) {
    for frame in frames {
        frame.frame_num_wrap = frame.frame_num.cast_signed();
        if frame.frame_num > frame_num {
            frame.frame_num_wrap -= max_frame_num.cast_signed();
        }
    }
}
