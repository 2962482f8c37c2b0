//! Which buffers passed a link, for audits: a bit for each frame of each pool whose frames do.

use std::sync::atomic::{AtomicU64, Ordering};

use dmaflow_core::frame::{Frame, FramePool, PoolId};

/// Frames, by pool and slot. All of its memory is there before a run.
#[derive(Debug)]
pub(crate) struct Marks {
    pools: Vec<(PoolId, Vec<AtomicU64>)>,
    /// Frames of pools that are not among these.
    strange: AtomicU64,
}

/// The bits of a word.
const WORD: usize = 64;

impl Marks {
    /// None of the frames of some pools.
    pub(crate) fn none<'p>(pools: impl Iterator<Item = &'p FramePool>) -> Self {
        let of = |pool: &FramePool| {
            let words = pool.len().div_ceil(WORD);
            let words = (0..words).map(|_word| AtomicU64::new(0)).collect();
            (pool.id(), words)
        };
        Self {
            pools: pools.map(of).collect(),
            strange: AtomicU64::new(0),
        }
    }

    /// Notes a frame.
    pub(crate) fn note(&self, frame: &Frame) {
        let (pool, slot) = (frame.pool(), frame.slot());
        let known = self.pools.iter().find(|(known, _)| *known == pool);
        match known.and_then(|(_, words)| words.get(slot / WORD)) {
            Some(word) => word.fetch_or(1 << (slot % WORD), Ordering::Relaxed),
            None => self.strange.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// Whether a frame of a pool was noted.
    pub(crate) fn has(&self, pool: PoolId, slot: usize) -> bool {
        let known = self.pools.iter().find(|(known, _)| *known == pool);
        let word = known.and_then(|(_, words)| words.get(slot / WORD));
        word.is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (slot % WORD)) != 0)
    }

    /// How often a frame was noted whose pool is not known.
    pub(crate) fn strange(&self) -> u64 {
        self.strange.load(Ordering::Relaxed)
    }
}

/// What is noted of a link: clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Noted(pub(crate) std::sync::Arc<Both>);

/// The frames of both ends of a link.
#[derive(Debug)]
pub(crate) struct Both {
    pub(crate) sent: Marks,
    pub(crate) taken: Marks,
}

impl Noted {
    /// Nothing so far, for frames of some pools.
    pub(crate) fn nothing<'p>(pools: impl Iterator<Item = &'p FramePool> + Clone) -> Self {
        Self(std::sync::Arc::new(Both {
            sent: Marks::none(pools.clone()),
            taken: Marks::none(pools),
        }))
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::super::frames::pool;
    use super::*;

    #[test]
    fn frames_are_noted_by_pool_and_slot() {
        let (one, other, stranger) = (pool(70), pool(2), pool(1));
        let marks = Marks::none([&one, &other].into_iter());
        marks.note(&one.acquire_slot(69).unwrap());
        marks.note(&other.acquire_slot(1).unwrap());
        marks.note(&stranger.acquire_slot(0).unwrap());
        assert!(marks.has(one.id(), 69) && marks.has(other.id(), 1));
        assert!(!marks.has(one.id(), 1) && !marks.has(other.id(), 0));
        assert!(!marks.has(stranger.id(), 0));
        assert_eq!(marks.strange(), 1);
    }
}
