//! A frame: a picture in buffers of a pool, with what is known about it.

mod meta;
mod pool;
mod users;

pub use meta::{CaptureStamp, FrameFlags, FrameMeta, StampPoint};
pub use pool::{FramePool, PoolError, ReleaseHook};

use std::sync::Arc;

use crate::heap::HeapBuffer;
use crate::layout::Layout;
use pool::Slot;

/// A picture on loan from a [`FramePool`].
///
/// A clone is another user of the same picture. When the last user drops it, its slot is free
/// again and the pool's [`ReleaseHook`], if it has one, is called from the dropping thread.
#[derive(Debug)]
pub struct Frame {
    slot: Arc<Slot>,
}

impl Frame {
    /// Which of the pool's frames it is.
    #[must_use]
    pub fn slot(&self) -> usize {
        self.slot.index
    }

    /// Its buffers, in the order of [`Layout::buffer_lens`].
    #[must_use]
    pub fn buffers(&self) -> &[HeapBuffer] {
        &self.slot.buffers
    }

    /// What is known of the picture.
    #[must_use]
    pub fn meta(&self) -> FrameMeta {
        self.slot.meta.get()
    }

    /// Says what is known of the picture, to all its users: for its source, before it passes
    /// the frame on.
    pub fn set_meta(&mut self, meta: FrameMeta) {
        self.slot.meta.set(meta);
    }

    /// Where its pixels lie.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        self.slot.layout()
    }
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        self.slot.share();
        Self {
            slot: Arc::clone(&self.slot),
        }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.slot.let_go();
    }
}
