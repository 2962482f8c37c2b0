//! What the stages' threads count while the watching one looks.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::latency::Latencies;

/// What the stages' threads count for the watching one.
#[derive(Default)]
pub(in crate::pipeline) struct Meters {
    pub(super) captured: AtomicU64,
    pub(super) shown: AtomicU64,
    pub(super) filtered: AtomicU64,
    /// Frames that a stage took and that got no further.
    pub(super) unseen: AtomicU64,
    pub(super) latencies: Latencies,
}

impl Meters {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
