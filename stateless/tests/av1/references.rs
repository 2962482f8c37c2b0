//! What follows from order hints, with the specification's loops (5.9.22, 7.8).

use dmaflow_stateless::uapi::av1::Av1Frame;

use super::{Section, Told};

impl Told {
    pub(super) fn hint(&self, slot: i8) -> i64 {
        let slot = self.slots[slot as usize].as_ref();
        slot.map_or(0, |slot| slot.order_hint)
    }

    fn distance(&self, a: i64, b: i64) -> i64 {
        if self.sequence.order_hint_bits == 0 {
            return 0;
        }
        let m = 1 << (self.sequence.order_hint_bits - 1);
        let diff = a - b;
        (diff & (m - 1)) - (diff & m)
    }

    pub(super) fn reference_indices(&self, traced: &Section, frame: &mut Av1Frame) {
        if !traced.is("frame_refs_short_signaling") {
            for (at, index) in frame.ref_frame_idx.iter_mut().enumerate() {
                *index = traced.coded(&format!("ref_frame_idx[{at}]")).unwrap() as i8;
            }
            return;
        }
        let (last, gold) = (
            traced.value("last_frame_idx"),
            traced.value("golden_frame_idx"),
        );
        let mut index = [-1_i8; 7];
        let mut used = [false; 8];
        (index[0], index[3]) = (last as i8, gold as i8);
        (used[last as usize], used[gold as usize]) = (true, true);
        let current = 1 << (self.sequence.order_hint_bits - 1);
        let mut shifted = [0; 8];
        for at in 0..8_i8 {
            let order_hint = i64::from(frame.order_hint);
            shifted[at as usize] = current + self.distance(self.hint(at), order_hint);
        }
        let find = |used: &[bool; 8], backward: bool, latest: bool| {
            let mut found = -1_i8;
            for at in 0..8 {
                let hint = shifted[at];
                if used[at] || (hint >= current) != backward {
                    continue;
                }
                let better = found < 0
                    || latest && hint >= shifted[found as usize]
                    || !latest && hint < shifted[found as usize];
                if better {
                    found = at as i8;
                }
            }
            found
        };
        for (place, latest) in [(6, true), (4, false), (5, false)] {
            let found = find(&used, true, latest);
            if found >= 0 {
                index[place] = found;
                used[found as usize] = true;
            }
        }
        for place in [1, 2, 4, 5, 6] {
            if index[place] < 0 {
                let found = find(&used, false, true);
                if found >= 0 {
                    index[place] = found;
                    used[found as usize] = true;
                }
            }
        }
        let mut earliest = 0;
        for at in 1..8 {
            if shifted[at] < shifted[earliest] {
                earliest = at;
            }
        }
        frame.ref_frame_idx = index.map(|index| if index < 0 { earliest as i8 } else { index });
    }

    /// Whether skip mode is allowed.
    pub(super) fn skip_mode(&self, frame: &mut Av1Frame) -> bool {
        if self.sequence.order_hint_bits == 0 {
            return false;
        }
        let order_hint = i64::from(frame.order_hint);
        let hints = frame.ref_frame_idx.map(|slot| self.hint(slot));
        let (mut forward, mut backward) = (-1_i64, -1_i64);
        let (mut forward_hint, mut backward_hint) = (0, 0);
        for (i, &hint) in (0..).zip(&hints) {
            if self.distance(hint, order_hint) < 0 {
                if forward < 0 || self.distance(hint, forward_hint) > 0 {
                    (forward, forward_hint) = (i, hint);
                }
            } else if self.distance(hint, order_hint) > 0
                && (backward < 0 || self.distance(hint, backward_hint) < 0)
            {
                (backward, backward_hint) = (i, hint);
            }
        }
        if forward < 0 {
            return false;
        }
        let mut other = backward;
        if backward < 0 {
            let mut second_hint = 0;
            for (i, &hint) in (0..).zip(&hints) {
                if self.distance(hint, forward_hint) < 0
                    && (other < 0 || self.distance(hint, second_hint) > 0)
                {
                    (other, second_hint) = (i, hint);
                }
            }
            if other < 0 {
                return false;
            }
        }
        frame.skip_mode_frame = [1 + forward.min(other) as u8, 1 + forward.max(other) as u8];
        true
    }
}
