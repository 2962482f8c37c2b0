//! What the stages' threads count while the watching one looks.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::latency::Latencies;

/// What one stage's thread counts for the watching one.
#[derive(Default)]
pub(in crate::pipeline) struct Meter {
    /// Frames that it made.
    pub(super) made: AtomicU64,
    /// Those of them that are in the links behind it.
    pub(super) sent: AtomicU64,
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

/// What was counted at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) made: u64,
    pub(super) taken: u64,
    pub(super) passed: u64,
    pub(super) shown: u64,
    pub(super) filtered: u64,
    pub(super) unseen: u64,
}

impl Totals {
    pub(super) fn of(meter: &Meter) -> Self {
        Self {
            made: Meter::get(&meter.made),
            taken: Meter::get(&meter.taken),
            passed: Meter::get(&meter.passed),
            shown: Meter::get(&meter.shown),
            filtered: Meter::get(&meter.filtered),
            unseen: Meter::get(&meter.unseen),
        }
    }
}
