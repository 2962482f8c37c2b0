//! What frames leave behind for those after them (7.20, 7.21), and which of it they take (7.8).

use crate::av1::code::not_allowed;
use crate::av1::film_grain::FilmGrain;
use crate::av1::filter::LoopFilterDeltas;
use crate::av1::frame::{FrameHeader, FrameType};
use crate::av1::segmentation::Features;
use crate::av1::sequence::SequenceHeader;
use crate::av1::size::FrameSize;
use crate::error::StreamError;

/// Reference slots.
pub const NUM_REF_FRAMES: usize = 8;
/// References of a frame, `LAST_FRAME` to `ALTREF_FRAME`.
pub const REFS_PER_FRAME: usize = 7;
/// The same with `INTRA_FRAME` before them.
pub const TOTAL_REFS_PER_FRAME: usize = 8;

/// What the frame in a reference slot has left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct Slot {
    /// `RefValid`: frames may refer to it.
    pub valid: bool,
    pub frame_id: u16,
    pub size: FrameSize,
    pub frame_type: FrameType,
    pub bit_depth: u8,
    pub subsampling: (bool, bool),
    pub order_hint: u8,
    /// `show_existing_frame` may ask for it.
    pub showable_frame: bool,
    pub gm_params: [[i32; 6]; TOTAL_REFS_PER_FRAME],
    pub film_grain: FilmGrain,
    pub loop_filter_deltas: LoopFilterDeltas,
    pub features: Features,
}

/// The reference slots.
#[derive(Clone, Debug, Default)]
pub struct References {
    slots: [Slot; NUM_REF_FRAMES],
}

impl References {
    /// A slot. Of the number, the lower three bits count, which is all it has in a stream.
    #[must_use]
    pub const fn slot(&self, number: u8) -> &Slot {
        &self.slots[(number & 7) as usize]
    }

    /// Nothing is left behind: what comes next refers to nothing before it.
    pub fn clear(&mut self) {
        self.slots = Default::default();
    }

    /// Nothing may refer to these slots any more, one a bit: what was to go there is lost.
    pub fn invalidate(&mut self, slots: u8) {
        for (_at, slot) in self.of(slots) {
            *slot = Slot::default();
        }
    }

    /// A frame was decoded: it goes into its slots (7.20).
    pub fn update(&mut self, header: &FrameHeader, sequence: &SequenceHeader) {
        for (at, slot) in self.slots.iter_mut().enumerate() {
            slot.valid &= header.valid_references >> at & 1 == 1;
        }
        let color = &sequence.color_config;
        let left = Slot {
            valid: true,
            frame_id: header.current_frame_id,
            size: header.size,
            frame_type: header.frame_type,
            bit_depth: color.bit_depth,
            subsampling: (color.subsampling_x, color.subsampling_y),
            order_hint: header.order_hint,
            showable_frame: header.showable_frame,
            gm_params: header.global_motion.map(|motion| motion.params),
            film_grain: header.film_grain,
            loop_filter_deltas: header.loop_filter.deltas,
            features: header.segmentation.features,
        };
        for (_at, slot) in self.of(header.refresh_frame_flags) {
            *slot = left;
        }
    }

    /// A frame was shown again. Where that was a key frame, all slots get it (7.21), and it is not
    /// to be shown another time (6.8.2). Tells whether it was.
    pub fn show_existing(&mut self, number: u8) -> bool {
        let shown = *self.slot(number);
        if shown.frame_type != FrameType::Key {
            return false;
        }
        self.slots.fill(Slot {
            showable_frame: false,
            valid: true,
            ..shown
        });
        true
    }

    /// The slots of a mask.
    fn of(&mut self, slots: u8) -> impl Iterator<Item = (usize, &mut Slot)> {
        let numbered = self.slots.iter_mut().enumerate();
        numbered.filter(move |(at, _slot)| slots >> at & 1 == 1)
    }

    /// `mark_ref_frames( idLen )` (5.9.4), of the slots that may still be referred to, one a bit.
    pub(super) fn marked(&self, sequence: &SequenceHeader, current_frame_id: u16) -> u8 {
        let Some(ids) = sequence.frame_ids else {
            return u8::MAX;
        };
        let (current, back) = (i32::from(current_frame_id), 1_i32 << ids.delta_length);
        let mut marked = 0;
        for (at, slot) in self.slots.iter().enumerate() {
            let id = i32::from(slot.frame_id);
            let lost = if current > back {
                id > current || id < current - back
            } else {
                id > current && id < (1 << ids.length) + current - back
            };
            marked |= u8::from(!lost) << at;
        }
        marked
    }

    /// `set_frame_refs()` (7.8): the references that follow from two of them.
    pub(super) fn set_frame_refs(
        &self,
        sequence: &SequenceHeader,
        order_hint: u8,
        (last, gold): (u8, u8),
        bit: u64,
    ) -> Result<[u8; REFS_PER_FRAME], StreamError> {
        const GOLDEN: usize = 3;
        const BWDREF: usize = 4;
        const ALTREF2: usize = 5;
        const ALTREF: usize = 6;
        // Distances from the current frame; the specification adds the same to all of them.
        let ahead = |at: u8| sequence.relative_distance(self.slot(at).order_hint, order_hint);
        for (slot, what) in [(last, "last_frame_idx"), (gold, "gold_frame_idx")] {
            if ahead(slot) >= 0 {
                return Err(not_allowed(bit, what, slot));
            }
        }
        let mut choice = Choice::default();
        choice.put(0, Some(last));
        choice.put(GOLDEN, Some(gold));
        // Of equals, the last is the latest and the first the earliest.
        let backward = |unused: Unused| unused.filter(|&at| ahead(at) >= 0);
        let latest = backward(choice.unused()).max_by_key(|&at| ahead(at));
        choice.put(ALTREF, latest);
        for place in [BWDREF, ALTREF2] {
            let earliest = backward(choice.unused()).min_by_key(|&at| ahead(at));
            choice.put(place, earliest);
        }
        for place in 0..REFS_PER_FRAME {
            if choice.chosen[place].is_none() {
                let forward = choice.unused().filter(|&at| ahead(at) < 0);
                choice.put(place, forward.max_by_key(|&at| ahead(at)));
            }
        }
        let earliest = (0..8).min_by_key(|&at| ahead(at)).unwrap_or_default();
        Ok(choice.chosen.map(|slot| slot.unwrap_or(earliest)))
    }

    /// `skip_mode_params()` before its flag (5.9.22): the two references, where skip mode is allowed.
    pub(super) fn skip_mode_frames(
        &self,
        sequence: &SequenceHeader,
        order_hint: u8,
        ref_frame_idx: &[u8; REFS_PER_FRAME],
    ) -> Option<[u8; 2]> {
        let hint = |slot: u8| self.slot(slot).order_hint;
        let distance = |a, b| sequence.relative_distance(a, b);
        let (mut forward, mut backward) = (None, None);
        let numbered = || (1_u8..).zip(ref_frame_idx.iter().map(|&slot| hint(slot)));
        for (name, hint) in numbered() {
            let ahead = distance(hint, order_hint);
            if ahead < 0 && forward.is_none_or(|(_name, best)| distance(hint, best) > 0) {
                forward = Some((name, hint));
            } else if ahead > 0 && backward.is_none_or(|(_name, best)| distance(hint, best) < 0) {
                backward = Some((name, hint));
            }
        }
        let (first, first_hint) = forward?;
        let second = backward.or_else(|| {
            let mut second = None;
            for (name, hint) in numbered() {
                if distance(hint, first_hint) < 0
                    && second.is_none_or(|(_name, best)| distance(hint, best) > 0)
                {
                    second = Some((name, hint));
                }
            }
            second
        });
        let (second, _hint) = second?;
        Some([first.min(second), first.max(second)])
    }
}

/// Slots for the references of a frame, while they are being chosen.
#[derive(Default)]
struct Choice {
    chosen: [Option<u8>; REFS_PER_FRAME],
    used: u8,
}

impl Choice {
    fn put(&mut self, place: usize, slot: Option<u8>) {
        if let Some(slot) = slot {
            self.chosen[place] = Some(slot);
            self.used |= 1 << (slot & 7);
        }
    }

    const fn unused(&self) -> Unused {
        Unused {
            used: self.used,
            next: 0,
        }
    }
}

/// Slots that no reference has yet, in order.
struct Unused {
    used: u8,
    next: u8,
}

impl Iterator for Unused {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        while self.next < 8 {
            let at = self.next;
            self.next += 1;
            if self.used >> at & 1 == 0 {
                return Some(at);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
