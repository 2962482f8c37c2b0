//! Which pictures the reference slots hold, and when nothing needs one any more.

use crate::steps::{PictureId, Step, Steps, Visible};

/// A picture that goes out unless a better one comes in the same temporal unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) picture: PictureId,
    pub(super) visible: Visible,
    pub(super) shown_again: bool,
}

/// The pictures that are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Pictures {
    slots: [Option<PictureId>; 8],
    candidate: Option<Candidate>,
    last: u64,
}

impl Pictures {
    /// A number for the next picture. None has 0, which is what an empty slot tells.
    pub(super) const fn next(&mut self) -> PictureId {
        self.last += 1;
        PictureId(self.last)
    }

    /// What the slots hold, as controls call it; 0 where they hold nothing.
    pub(super) fn reference_ts(&self) -> [u64; 8] {
        let stamp = |picture: PictureId| picture.reference_ts();
        self.slots.map(|slot| slot.map_or(0, stamp))
    }

    pub(super) fn in_slot(&self, slot: u8) -> Option<PictureId> {
        self.slots.get(usize::from(slot)).copied().flatten()
    }

    /// Puts a picture, or nothing, into slots, one a bit, and forgets those that were there and
    /// are needed no more.
    pub(super) fn put(&mut self, picture: Option<PictureId>, slots: u8, steps: &mut Steps) {
        let before = self.slots;
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slots >> at & 1 == 1 {
                *slot = picture;
            }
        }
        for (at, &old) in before.iter().enumerate() {
            let first = before.iter().position(|&other| other == old) == Some(at);
            if let Some(old) = old.filter(|_old| first) {
                self.forget_unneeded(old, steps);
            }
        }
    }

    /// Forgets a picture unless something needs it.
    pub(super) fn forget_unneeded(&self, picture: PictureId, steps: &mut Steps) {
        let held = self.slots.contains(&Some(picture));
        let waits = self.candidate.is_some_and(|waits| waits.picture == picture);
        if !held && !waits {
            steps.push(Step::Forget(picture));
        }
    }

    /// Makes a picture the one that goes out with this unit, in place of another.
    pub(super) fn wait(&mut self, candidate: Candidate, steps: &mut Steps) {
        let superseded = self.candidate.replace(candidate);
        if let Some(superseded) = superseded.filter(|old| old.picture != candidate.picture) {
            self.forget_unneeded(superseded.picture, steps);
        }
    }

    /// The one that goes out with this unit.
    pub(super) const fn take_candidate(&mut self) -> Option<Candidate> {
        self.candidate.take()
    }

    /// Forgets all of them. Nothing waits: what did went out with its unit.
    pub(super) fn clear(&mut self, steps: &mut Steps) {
        self.put(None, u8::MAX, steps);
    }
}
