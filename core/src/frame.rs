//! A frame: a picture in buffers of a pool, with what is known about it.

mod meta;
mod place;
mod pool;
mod users;

pub use meta::{CaptureStamp, FrameFlags, FrameMeta, StampPoint};
pub use place::FramePlace;
pub use pool::{FramePool, PoolError, PoolId, ReleaseHook};

use std::sync::Arc;

use crate::heap::HeapBuffer;
use crate::layout::Layout;
use pool::Slot;

/// A picture on loan from a [`FramePool`].
///
/// A clone is another user of the same picture. When the last user drops it, its slot is free
/// again and the pool's [`ReleaseHook`], if it has one, is called from the dropping thread.
///
/// # Invariants
/// `slot` is there until `Drop` runs or a [`FramePlace`] has it, and counts this user.
#[derive(Debug)]
pub struct Frame {
    slot: Option<Arc<Slot>>,
}

impl Frame {
    /// Of a slot that counts this user already.
    #[inline]
    fn of(slot: Arc<Slot>) -> Self {
        Self { slot: Some(slot) }
    }

    /// The slot, which still counts this user.
    #[inline]
    fn into_slot(mut self) -> Option<Arc<Slot>> {
        self.slot.take()
    }

    #[inline]
    #[expect(clippy::expect_used, reason = "the type's invariant")]
    fn inner(&self) -> &Arc<Slot> {
        self.slot.as_ref().expect("a slot until dropped")
    }

    /// Which of the pool's frames it is.
    #[must_use]
    pub fn slot(&self) -> usize {
        self.inner().index
    }

    /// The pool it is on loan from.
    #[must_use]
    pub fn pool(&self) -> PoolId {
        self.inner().pool()
    }

    /// Its buffers, in the order of [`Layout::buffer_lens`].
    #[must_use]
    pub fn buffers(&self) -> &[HeapBuffer] {
        &self.inner().buffers
    }

    /// What is known of the picture.
    #[must_use]
    pub fn meta(&self) -> FrameMeta {
        self.inner().meta.get()
    }

    /// Says what is known of the picture, to all its users: for its source, before it passes
    /// the frame on.
    pub fn set_meta(&mut self, meta: FrameMeta) {
        self.inner().meta.set(meta);
    }

    /// Where its pixels lie.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        self.inner().layout()
    }
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        let slot = self.inner();
        slot.share();
        Self::of(Arc::clone(slot))
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if let Some(slot) = &self.slot {
            slot.let_go();
        }
    }
}
