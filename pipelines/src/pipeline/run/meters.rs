//! What the stages' threads count while the watching one looks.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::latency::Latencies;

/// What one stage's thread counts for the watching one.
#[derive(Default)]
pub(in crate::pipeline) struct Meter {
    /// Frames that it made.
    pub(super) made: AtomicU64,
    /// Frames that it took.
    pub(super) taken: AtomicU64,
    /// Frames that it passed on.
    pub(super) passed: AtomicU64,
    /// Frames that came into view.
    pub(super) shown: AtomicU64,
    /// Frames that it let go as it was asked to.
    pub(super) filtered: AtomicU64,
    /// Frames that it took and that got no further.
    pub(super) unseen: AtomicU64,
    pub(super) latencies: Latencies,
}

impl Meter {
    /// Counts one more; one thread alone counts.
    #[inline]
    pub(super) fn add(counter: &AtomicU64) {
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(super) fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}
