//! A place where one frame waits.

use std::fmt;

use super::Frame;
use super::pool::Slot;
use crate::sys::ArcPlace;

/// A place where one frame waits. Any thread may bring one or take it, without locks: each is
/// one exchange of pointers.
#[derive(Default)]
pub struct FramePlace(ArcPlace<Slot>);

impl FramePlace {
    /// Leaves a frame here, and gives back the one whose place it took.
    #[inline]
    #[must_use]
    pub fn put(&self, frame: Frame) -> Option<Frame> {
        self.0.swap(frame.into_slot()).map(Frame::of)
    }

    /// Takes the frame that waits here.
    #[inline]
    #[must_use]
    pub fn take(&self) -> Option<Frame> {
        self.0.swap(None).map(Frame::of)
    }
}

impl Drop for FramePlace {
    fn drop(&mut self) {
        // As a frame, so that its slot is free.
        drop(self.take());
    }
}

impl fmt::Debug for FramePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramePlace").finish_non_exhaustive()
    }
}
