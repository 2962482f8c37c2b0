//! What a pool keeps.

use std::time::Duration;

use dmaflow_core::heap::HeapInfo;

use crate::clearing::Clearing;

/// What a pool keeps, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolPolicy {
    /// When memory that is used again is cleared.
    pub clearing: Clearing,
    /// Bytes kept idle at most.
    pub most: u64,
    /// Bytes kept idle even under pressure and beyond `max_age`.
    pub floor: u64,
    /// How long a buffer may lie idle; `None` is for ever. Whoever next allocates or releases
    /// sees to it, or a [`Shrinker`](crate::Shrinker) in time.
    pub max_age: Option<Duration>,
}

impl Default for PoolPolicy {
    /// Clears always, and keeps up to 64 MiB for a minute.
    fn default() -> Self {
        Self {
            clearing: Clearing::Always,
            most: 64 << 20,
            floor: 0,
            max_age: Some(Duration::from_secs(60)),
        }
    }
}

impl PoolPolicy {
    /// What to register a pool with, from what its exporter is registered with alone.
    ///
    /// With [`Clearing::BetweenClients`] buffers are not zeroed: a client may find its own
    /// old contents in them, and nobody else's.
    #[must_use]
    pub fn info(&self, inner: HeapInfo) -> HeapInfo {
        HeapInfo {
            zeroed: inner.zeroed && self.clearing == Clearing::Always,
            ..inner
        }
    }
}
