//! What a pool keeps, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use dmaflow_core::heap::Idle;

/// What a pool has done so far, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Requests that idle memory served.
    pub hits: u64,
    /// Requests for which the exporter had to be asked.
    pub misses: u64,
    /// Buffers cleared before they were given again.
    pub cleared: u64,
    /// Buffers on loan.
    pub lent: u64,
    /// Buffers idle.
    pub cached: u64,
    /// Buffers that came back while others still held them.
    pub waiting: u64,
}

/// Buffers and their bytes.
#[derive(Debug, Default)]
pub(super) struct Tally {
    buffers: AtomicU64,
    bytes: AtomicU64,
}

impl Tally {
    pub(super) fn add(&self, len: usize) {
        self.buffers.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(len as u64, Ordering::Relaxed);
    }

    pub(super) fn sub(&self, len: usize) {
        self.buffers.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(len as u64, Ordering::Relaxed);
    }

    /// Adds one unless that passed a limit, not even for a moment.
    pub(super) fn add_within(&self, len: usize, most: u64, buffers: u64) -> bool {
        let within = |counter: &AtomicU64, amount: u64, most: u64| {
            let sum = |now: u64| now.checked_add(amount).filter(|&sum| sum <= most);
            let update = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
            update.is_ok()
        };
        if !within(&self.bytes, len as u64, most) {
            return false;
        }
        let has_room = within(&self.buffers, 1, buffers);
        if !has_room {
            self.bytes.fetch_sub(len as u64, Ordering::Relaxed);
        }
        has_room
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn buffers(&self) -> u64 {
        self.buffers.load(Ordering::Relaxed)
    }
}

/// The counters of a pool.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Idle and waiting together: what the pool's limit is about.
    pub(super) kept: Tally,
    pub(super) cached: Tally,
    pub(super) waiting: Tally,
    pub(super) lent: Tally,
    pub(super) reclaimed: AtomicU64,
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) cleared: AtomicU64,
}

impl Figures {
    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn idle(&self) -> Idle {
        Idle {
            cached: self.cached.bytes(),
            deferred: self.waiting.bytes(),
            reclaimed: self.reclaimed.load(Ordering::Relaxed),
        }
    }

    pub(super) fn stats(&self) -> PoolStats {
        PoolStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            cleared: self.cleared.load(Ordering::Relaxed),
            lent: self.lent.buffers(),
            cached: self.cached.buffers(),
            waiting: self.waiting.buffers(),
        }
    }
}
