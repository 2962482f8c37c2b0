//! A frame: a picture in buffers of a pool, with what is known about it.

mod pool;

pub use pool::{FramePool, PoolError, ReleaseHook};

use std::sync::Arc;
use std::time::Duration;

use crate::heap::HeapBuffer;
use crate::layout::Layout;
use crate::time::{Clock, Timestamp};
use pool::Slot;

/// What a capture timestamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StampPoint {
    /// When the exposure began (`V4L2_BUF_FLAG_TSTAMP_SRC_SOE`).
    StartOfExposure,
    /// When the last byte arrived (`V4L2_BUF_FLAG_TSTAMP_SRC_EOF`).
    EndOfFrame,
}

/// When a frame was captured, in its source's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureStamp {
    /// The moment, on `clock`.
    pub at: Timestamp,
    /// The clock, after a check against what the driver claims.
    pub clock: Clock,
    /// What happened at that moment.
    pub point: StampPoint,
}

impl CaptureStamp {
    /// How long before `later`, a moment on [`Clock::Monotonic`], the frame was captured.
    ///
    /// `None` for a stamp of another clock, and where it lies after `later`.
    #[must_use]
    pub fn until(&self, later: Timestamp) -> Option<Duration> {
        (self.clock == Clock::Monotonic)
            .then(|| later.since(self.at))
            .flatten()
    }
}

/// What travels with a frame besides its pixels: what its source knows of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameMeta {
    /// The source's count of frames, lost ones included.
    pub sequence: u64,
    /// When it was captured, where the source knows.
    pub capture: Option<CaptureStamp>,
    /// When its source took it from the driver, on [`Clock::Monotonic`].
    pub dequeued: Option<Timestamp>,
}

/// A picture on loan from a [`FramePool`].
///
/// A clone is another user of the same picture. When the last user drops it, its slot is free
/// again and the pool's [`ReleaseHook`], if it has one, is called from the dropping thread.
#[derive(Debug)]
pub struct Frame {
    slot: Arc<Slot>,
    /// What travels with this user's handle.
    pub meta: FrameMeta,
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
            meta: self.meta,
        }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.slot.let_go();
    }
}
