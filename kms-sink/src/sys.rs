//! A place where the kernel puts a fence: the only unsafe code of this crate.
//!
//! All other DRM calls go through the `drm` and `drm-ffi` crates.
#![expect(
    unsafe_code,
    reason = "a descriptor that the kernel wrote into memory becomes an owned one"
)]

use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// The memory behind `WRITEBACK_OUT_FENCE_PTR`, in one place for good.
///
/// # Invariants
/// The number is -1, or a descriptor that the kernel stored and nobody has taken yet.
#[derive(Debug)]
pub(crate) struct FenceSlot(Box<AtomicI32>);

impl FenceSlot {
    pub(crate) fn new() -> Self {
        Self(Box::new(AtomicI32::new(-1)))
    }

    /// The value of the property.
    pub(crate) fn address(&self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }

    /// Takes the fence that the last commit left here.
    pub(crate) fn take(&self) -> Option<OwnedFd> {
        let fd = self.0.swap(-1, Ordering::Relaxed);
        (fd >= 0).then(|| {
            // SAFETY: by the invariant this is a new descriptor, and the swap took it out.
            unsafe { OwnedFd::from_raw_fd(fd) }
        })
    }
}

impl Drop for FenceSlot {
    fn drop(&mut self) {
        drop(self.take());
    }
}
