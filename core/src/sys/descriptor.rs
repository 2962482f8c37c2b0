//! A descriptor that is closed where it is dropped.

use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// An owned descriptor. Dropping it makes the system call in place, as `OwnedFd` does by way of
/// the C library: of a short-lived buffer, that way is a noticeable part of its cost.
#[derive(Debug)]
pub(crate) struct Descriptor(ManuallyDrop<OwnedFd>);

impl From<OwnedFd> for Descriptor {
    fn from(fd: OwnedFd) -> Self {
        Self(ManuallyDrop::new(fd))
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Descriptor {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: it was owned, and nobody sees it after this.
        unsafe { rustix::io::close(self.0.as_raw_fd()) };
    }
}
