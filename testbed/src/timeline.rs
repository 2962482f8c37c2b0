//! Fences that signal when a test says so: `drivers/dma-buf/sw_sync.c`.

use std::fs::File;
use std::os::fd::OwnedFd;

use crate::sys;

/// A timeline of the kernel's software fences; dropping it signals them all.
#[derive(Debug)]
pub struct Timeline(File);

impl Timeline {
    /// Makes one.
    ///
    /// # Panics
    /// On a kernel without `CONFIG_SW_SYNC`.
    #[must_use]
    pub fn new() -> Self {
        let node = "/sys/kernel/debug/sync/sw_sync";
        let timeline = File::options().read(true).write(true).open(node);
        Self(timeline.expect("a kernel with CONFIG_SW_SYNC"))
    }

    /// A sync file with a fence that is not signalled.
    ///
    /// # Panics
    /// When the kernel has no memory for it.
    #[must_use]
    pub fn fence(&self) -> OwnedFd {
        sys::create_fence(&self.0, 1).expect("a fence")
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}
