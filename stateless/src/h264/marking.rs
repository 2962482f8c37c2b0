//! Which pictures stay references (8.2.5).

use dmaflow_bitstream::h264::{Marking, MemoryControl};

use super::frame::{Fields, Frame};
use super::lists::{Current, Kind};

/// What marking makes of the picture at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marked {
    /// It becomes a long-term reference of this index.
    pub(super) long_term_frame_idx: Option<u32>,
    /// Numbers begin anew behind it.
    pub(super) begins_anew: bool,
}

/// Marks what was decoded before an IDR picture, and that (8.2.5.1).
pub(super) fn idr(frames: &mut [Frame], marking: &Marking) -> Marked {
    forget_all(frames);
    Marked {
        long_term_frame_idx: marking.long_term_reference.then_some(0),
        begins_anew: false,
    }
}

/// Keeps short-term references to what a sequence may have, by forgetting the oldest (8.2.5.3).
/// `kept` are those that may stay; the frame whose second field is at hand is not one of them.
pub(super) fn slide(frames: &mut [Frame], kept: usize) {
    loop {
        let references = frames.iter().filter(|frame| !frame.open);
        if references.filter(|frame| frame.is_reference()).count() <= kept {
            return;
        }
        let others = || frames.iter().enumerate().filter(|(_at, frame)| !frame.open);
        let oldest = others()
            .filter(|(_at, frame)| !frame.short_term.is_none())
            .min_by_key(|(_at, frame)| frame.frame_num_wrap)
            // Only in a damaged stream are all of them long-term references.
            .or_else(|| others().find(|(_at, frame)| frame.is_reference()))
            .map(|(at, _frame)| at);
        let Some(oldest) = oldest.and_then(|at| frames.get_mut(at)) else {
            return;
        };
        oldest.short_term = Fields::NONE;
        oldest.long_term = Fields::NONE;
    }
}

/// Takes the steps that a picture names (8.2.5.4). Those that name a picture that is not there, since
/// it is lost, do nothing.
pub(super) fn adapt(frames: &mut [Frame], current: Current, steps: &[MemoryControl]) -> Marked {
    let mut marked = Marked::default();
    for step in steps {
        match *step {
            MemoryControl::ForgetShortTerm {
                difference_of_pic_nums,
            } => {
                let number = current.pic_num() - i64::from(difference_of_pic_nums);
                if let Some((frame, fields)) = find(frames, current, Kind::ShortTerm, number) {
                    frame.short_term = frame.short_term.without(fields);
                }
            }
            MemoryControl::ForgetLongTerm { long_term_pic_num } => {
                let number = long_term_pic_num.into();
                if let Some((frame, fields)) = find(frames, current, Kind::LongTerm, number) {
                    frame.long_term = frame.long_term.without(fields);
                }
            }
            MemoryControl::ToLongTerm {
                difference_of_pic_nums,
                long_term_frame_idx,
            } => {
                let number = current.pic_num() - i64::from(difference_of_pic_nums);
                let found = current.find(frames, Kind::ShortTerm, number);
                if let Some(found) = found {
                    free_index(frames, long_term_frame_idx, Some(found.frame));
                    if let Some(frame) = frames.get_mut(found.frame) {
                        frame.short_term = frame.short_term.without(found.fields);
                        frame.long_term = frame.long_term.with(found.fields);
                        frame.long_term_frame_idx = long_term_frame_idx;
                    }
                }
            }
            MemoryControl::LongTermFrames { count } => {
                for frame in frames.iter_mut() {
                    if frame.long_term_frame_idx >= count {
                        frame.long_term = Fields::NONE;
                    }
                }
            }
            MemoryControl::ForgetAll => {
                forget_all(frames);
                marked = Marked {
                    long_term_frame_idx: None,
                    begins_anew: true,
                };
            }
            MemoryControl::CurrentToLongTerm {
                long_term_frame_idx,
            } => {
                let own = frames.iter().position(|frame| frame.open);
                free_index(frames, long_term_frame_idx, own);
                marked.long_term_frame_idx = Some(long_term_frame_idx);
            }
        }
    }
    marked
}

fn find(
    frames: &mut [Frame],
    current: Current,
    kind: Kind,
    number: i64,
) -> Option<(&mut Frame, Fields)> {
    let found = current.find(frames, kind, number)?;
    let frame = frames.get_mut(found.frame)?;
    Some((frame, found.fields))
}

/// An index goes to a frame: what has it otherwise is no reference any more. Fields of that frame
/// that have another lose theirs.
fn free_index(frames: &mut [Frame], index: u32, to: Option<usize>) {
    for (at, frame) in frames.iter_mut().enumerate() {
        let has_index = frame.long_term_frame_idx == index;
        if has_index != (Some(at) == to) {
            frame.long_term = Fields::NONE;
        }
    }
}

fn forget_all(frames: &mut [Frame]) {
    for frame in frames {
        frame.short_term = Fields::NONE;
        frame.long_term = Fields::NONE;
    }
}
