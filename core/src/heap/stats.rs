//! What was allocated from a heap, counted without locks.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was allocated from a heap so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapStats {
    /// Buffers on loan now.
    pub live: u64,
    /// The most buffers that were on loan at once.
    pub peak: u64,
    /// Buffers ever given.
    pub total: u64,
    /// Requests refused.
    pub failed: u64,
    /// Bytes on loan now.
    pub live_bytes: u64,
    /// The most bytes that were on loan at once.
    pub peak_bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    live: AtomicU64,
    peak: AtomicU64,
    total: AtomicU64,
    failed: AtomicU64,
    live_bytes: AtomicU64,
    peak_bytes: AtomicU64,
}

impl Counters {
    pub(super) fn allocated(&self, len: usize) {
        let len = len as u64;
        self.total.fetch_add(1, Ordering::Relaxed);
        let live = self.live.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(live, Ordering::Relaxed);
        let bytes = self.live_bytes.fetch_add(len, Ordering::Relaxed) + len;
        self.peak_bytes.fetch_max(bytes, Ordering::Relaxed);
    }

    pub(super) fn released(&self, len: usize) {
        self.live.fetch_sub(1, Ordering::Relaxed);
        self.live_bytes.fetch_sub(len as u64, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> HeapStats {
        HeapStats {
            live: self.live.load(Ordering::Relaxed),
            peak: self.peak.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            live_bytes: self.live_bytes.load(Ordering::Relaxed),
            peak_bytes: self.peak_bytes.load(Ordering::Relaxed),
        }
    }
}
