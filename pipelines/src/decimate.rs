//! Passing on one frame of several.

use std::num::NonZeroU64;

use dmaflow_core::frame::Frame;
use dmaflow_core::stage::{Filter, StageError};

/// Lets every Nth frame pass and lets the others go, as for a preview at half the rate.
#[derive(Clone, Debug)]
pub struct Decimate {
    every: NonZeroU64,
    seen: u64,
}

impl Decimate {
    /// Passes the first frame of every `every`.
    #[must_use]
    pub const fn new(every: NonZeroU64) -> Self {
        Self { every, seen: 0 }
    }
}

impl Filter for Decimate {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        let passes = self.seen.is_multiple_of(self.every.get());
        self.seen += 1;
        Ok(passes.then_some(frame))
    }
}
