//! A fixed set of frames, allocated before streaming and reused without locks.
//!
//! ```text
//!             acquire                   clone, drop
//!   free ───────────────▶ in use, 1 ◀──────────────▶ in use, n
//!    ▲                        │ drop
//!    └────────────────────────┘ then the release hook
//! ```

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::meta::SharedMeta;
use super::users::Users;
use super::{Frame, FrameMeta};
use crate::dma_buf::CpuCounts;
use crate::heap::{AllocError, Heap, HeapBuffer};
use crate::layout::Layout;
use crate::sync;

/// Why there is no such pool.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The heap refused a buffer; those allocated before it were given back.
    #[error("cannot allocate frame {frame} of {count}")]
    Alloc {
        /// Which frame, counted from 1.
        frame: usize,
        /// How many were wanted.
        count: usize,
        /// What the heap says.
        source: AllocError,
    },
    /// A pool has one release hook.
    #[error("the pool has a release hook already")]
    Hooked,
}

/// Which pool it is, of all that the program ever made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolId(u64);

impl PoolId {
    fn next() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        Self(MADE.fetch_add(1, Ordering::Relaxed))
    }
}

/// What a pool's owner does as soon as a frame is free, from whichever thread dropped it.
pub trait ReleaseHook: Send + Sync {
    /// The frame in `slot` is free and can be acquired again.
    fn released(&self, slot: usize);
}

/// What slots share. Slots do not reach back to the pool, so that frames which outlive it keep
/// their own memory only.
struct Common {
    id: PoolId,
    layout: Layout,
    hook: OnceLock<Box<dyn ReleaseHook>>,
}

/// A frame's place: aligned so that two frames never share a cache line, since two threads
/// recycle at once.
#[repr(align(128))]
pub(super) struct Slot {
    users: Users,
    pub(super) index: usize,
    pub(super) meta: SharedMeta,
    pub(super) buffers: Vec<HeapBuffer>,
    common: Arc<Common>,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({})", self.index)
    }
}

impl Slot {
    pub(super) fn layout(&self) -> &Layout {
        &self.common.layout
    }

    pub(super) fn pool(&self) -> PoolId {
        self.common.id
    }

    fn acquire(self: &Arc<Self>) -> Option<Frame> {
        self.users.acquire().then(|| {
            self.meta.set(FrameMeta::default());
            Frame::of(Arc::clone(self))
        })
    }

    /// Counts one more user; the caller is one, so the frame cannot be free.
    pub(super) fn share(&self) {
        self.users.share();
    }

    /// Counts one user less; the last one frees the frame.
    pub(super) fn let_go(&self) {
        if self.users.let_go()
            && let Some(hook) = self.common.hook.get()
        {
            hook.released(self.index);
        }
    }
}

sync::per_thread! {
    /// Where this thread found a free frame last: threads that stay on their own slots do not
    /// fight for cache lines.
    static HINT: Cell<usize> = const { Cell::new(0) };
}

/// A fixed set of frames of one layout, from one heap. Clones are the same pool.
#[derive(Clone)]
pub struct FramePool {
    slots: Arc<[Arc<Slot>]>,
    common: Arc<Common>,
    heap: Heap,
}

impl FramePool {
    /// Allocates `count` frames from a heap.
    ///
    /// # Errors
    /// [`PoolError::Alloc`].
    pub fn allocate(heap: &Heap, layout: &Layout, count: usize) -> Result<Self, PoolError> {
        let common = Arc::new(Common {
            id: PoolId::next(),
            layout: layout.clone(),
            hook: OnceLock::new(),
        });
        let slots = (0..count)
            .map(|index| {
                let buffers = allocate_frame(heap, layout).map_err(|source| PoolError::Alloc {
                    frame: index + 1,
                    count,
                    source,
                })?;
                Ok(Arc::new(Slot {
                    users: Users::default(),
                    index,
                    meta: SharedMeta::default(),
                    buffers,
                    common: Arc::clone(&common),
                }))
            })
            .collect::<Result<_, PoolError>>()?;
        Ok(Self {
            slots,
            common,
            heap: heap.clone(),
        })
    }

    /// Which pool it is; clones are the same one.
    #[must_use]
    pub fn id(&self) -> PoolId {
        self.common.id
    }

    /// Has `hook` called whenever a frame becomes free.
    ///
    /// # Errors
    /// [`PoolError::Hooked`] when the pool has a hook already.
    pub fn on_release(&self, hook: impl ReleaseHook + 'static) -> Result<(), PoolError> {
        self.common
            .hook
            .set(Box::new(hook))
            .map_err(|_refused| PoolError::Hooked)
    }

    /// Takes a free frame; `None` when all are in use. Never waits, never allocates.
    #[must_use]
    pub fn acquire(&self) -> Option<Frame> {
        let hint = HINT.with(Cell::get);
        let (before, after) = self.slots.split_at(hint.min(self.slots.len()));
        let frame = after.iter().chain(before).find_map(Slot::acquire)?;
        HINT.with(|hint| hint.set(frame.slot()));
        Some(frame)
    }

    /// Takes one frame by its slot; `None` when it is in use or there is no such slot.
    #[must_use]
    pub fn acquire_slot(&self, slot: usize) -> Option<Frame> {
        self.slots.get(slot)?.acquire()
    }

    /// The buffers of each frame, by slot: for importing them all before streaming.
    pub fn buffers(&self) -> impl ExactSizeIterator<Item = &[HeapBuffer]> {
        self.slots.iter().map(|slot| slot.buffers.as_slice())
    }

    /// The number of frames.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it has no frames at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many frames are free now; a figure for reports, old as soon as it is read.
    #[must_use]
    pub fn free(&self) -> usize {
        let free = |slot: &&Arc<Slot>| slot.users.are_none();
        self.slots.iter().filter(free).count()
    }

    /// Where the pixels of its frames lie.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.common.layout
    }

    /// The heap it was allocated from.
    #[must_use]
    pub const fn heap(&self) -> &Heap {
        &self.heap
    }

    /// How much of its memory the CPU was shown so far, and for what.
    #[must_use]
    pub fn cpu_counts(&self) -> CpuCounts {
        self.buffers()
            .flatten()
            .map(|buffer| buffer.cpu_counts())
            .sum()
    }
}

impl fmt::Debug for FramePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramePool")
            .field("heap", &self.heap.name())
            .field("layout", self.layout())
            .field("frames", &self.len())
            .finish_non_exhaustive()
    }
}

fn allocate_frame(heap: &Heap, layout: &Layout) -> Result<Vec<HeapBuffer>, AllocError> {
    let lens = layout.buffer_lens().iter();
    lens.map(|&len| heap.allocate(len as usize)).collect()
}
