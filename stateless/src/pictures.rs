//! Pictures that slots of a stream hold.

use crate::steps::{PictureId, Step, Steps};

/// Numbers pictures, and remembers those that slots hold: never more than there are slots.
#[derive(Debug)]
pub(crate) struct Pictures<const SLOTS: usize> {
    /// The first is 1, so that no picture is called what controls say where there is none.
    next: u64,
    slots: [Option<PictureId>; SLOTS],
}

impl<const SLOTS: usize> Pictures<SLOTS> {
    pub(crate) const fn new() -> Self {
        Self {
            next: 1,
            slots: [None; SLOTS],
        }
    }

    /// A number that no picture had.
    pub(crate) const fn next(&mut self) -> PictureId {
        let picture = PictureId(self.next);
        self.next += 1;
        picture
    }

    /// What a slot holds.
    pub(crate) fn slot(&self, slot: usize) -> Option<PictureId> {
        self.slots.get(slot).copied().flatten()
    }

    /// After a picture was decoded, slots hold these: what none holds is forgotten.
    pub(crate) fn keep(
        &mut self,
        decoded: PictureId,
        kept: [Option<PictureId>; SLOTS],
        steps: &mut Steps,
    ) {
        let before = std::mem::replace(&mut self.slots, kept);
        self.forget(&before, steps);
        if !kept.contains(&Some(decoded)) {
            steps.push(Step::Forget(decoded));
        }
    }

    /// No slot holds a picture.
    pub(crate) fn forget_all(&mut self, steps: &mut Steps) {
        let before = std::mem::replace(&mut self.slots, [None; SLOTS]);
        self.forget(&before, steps);
    }

    /// Forgets what was there before and is no more, each once.
    fn forget(&self, before: &[Option<PictureId>; SLOTS], steps: &mut Steps) {
        for (at, picture) in before.iter().enumerate() {
            let seen = before.iter().take(at).any(|one| one == picture);
            if let Some(picture) = *picture
                && !seen
                && !self.slots.contains(&Some(picture))
            {
                steps.push(Step::Forget(picture));
            }
        }
    }
}
