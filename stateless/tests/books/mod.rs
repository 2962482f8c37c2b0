//! Whether steps keep the books: pictures are decoded once, go out while they are there, are
//! forgotten once, and are never too many.

use std::collections::BTreeSet;

use dmaflow_stateless::{PictureId, Step, Steps};

/// The pictures that are there.
#[derive(Default)]
pub(crate) struct Books {
    alive: BTreeSet<PictureId>,
    kept: usize,
    /// The most that were there when another was decoded.
    pub(crate) most: usize,
    pub(crate) decoded: usize,
    pub(crate) shown: usize,
    pub(crate) shown_again: usize,
}

impl Books {
    pub(crate) fn keep(&mut self, steps: &Steps, place: &str) {
        for step in steps.steps() {
            match step {
                Step::Sequence(sequence) => {
                    if self.kept != sequence.kept {
                        assert!(self.alive.is_empty(), "{place}");
                    }
                    self.kept = sequence.kept;
                }
                Step::Decode(decode) => {
                    self.most = self.most.max(self.alive.len());
                    assert!(self.alive.len() <= self.kept, "{place}: too many are kept");
                    assert!(self.alive.insert(decode.picture), "{place}: decoded twice");
                    self.decoded += 1;
                }
                Step::Output {
                    picture,
                    shown_again,
                } => {
                    assert!(self.alive.contains(picture), "{place}: is not there");
                    self.shown += 1;
                    self.shown_again += usize::from(*shown_again);
                }
                Step::Forget(picture) => {
                    assert!(self.alive.remove(picture), "{place}: is not there");
                }
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.alive.is_empty()
    }
}
