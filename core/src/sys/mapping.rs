//! A buffer mapped once, lent to any number of readers or one writer.

use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// The value of `Mapping::users` while a writer is at work.
const WRITER: u32 = u32::MAX;

/// How often unmapping is tried while the kernel is out of memory.
const UNMAP_TRIES: u32 = 1000;

/// A shared mapping of a whole buffer, unmapped when dropped.
///
/// # Invariants
/// `address` is the start of `len` mapped bytes until `Drop` runs. `users` is `WRITER` while
/// a [`Writable`] lives, otherwise the number of living [`Readable`]s. A device may still
/// write behind our back: that a buffer is not lent to one meanwhile is the frame's concern.
#[derive(Debug)]
pub(crate) struct Mapping {
    address: NonNull<u8>,
    len: NonZeroUsize,
    users: AtomicU32,
}

// SAFETY: the mapping is plain shared memory, tied to no thread.
unsafe impl Send for Mapping {}
// SAFETY: slices are handed out by `try_read` and `try_write` only, which count their users.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(crate) fn new(fd: impl AsFd, len: NonZeroUsize) -> Result<Self, Errno> {
        let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address the kernel chooses touches no existing memory.
        let address = unsafe { mmap(None, len, prot, MapFlags::MAP_SHARED, fd, 0) }?;
        Ok(Self {
            address: address.cast(),
            len,
            users: AtomicU32::new(0),
        })
    }

    /// Lends the bytes for reading, unless there is a writer.
    pub(crate) fn try_read(&self) -> Option<Readable<'_>> {
        self.users
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |users| {
                (users < WRITER - 1).then(|| users + 1)
            })
            .ok()
            .map(|_readers| Readable(self))
    }

    /// Lends the bytes for writing, unless anybody else has them.
    pub(crate) fn try_write(&self) -> Option<Writable<'_>> {
        self.users
            .compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_nobody| Writable(self))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // The kernel allocates to unmap: what it says while it is out of memory is no last word.
        for _again in 0..UNMAP_TRIES {
            // SAFETY: by the invariant this is one whole mapping, and no slice outlives `self`.
            match unsafe { munmap(self.address.cast(), self.len.get()) } {
                Ok(()) => return,
                Err(Errno::ENOMEM) => std::thread::yield_now(),
                Err(errno) => {
                    tracing::error!(%errno, "cannot unmap a buffer");
                    return;
                }
            }
        }
        tracing::error!("cannot unmap a buffer: the kernel stays out of memory");
    }
}

/// The bytes, lent for reading.
#[derive(Debug)]
pub(crate) struct Readable<'a>(&'a Mapping);

impl Deref for Readable<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the bytes are mapped, and while `self` counts as a reader there is no writer.
        unsafe { std::slice::from_raw_parts(self.0.address.as_ptr(), self.0.len.get()) }
    }
}

impl Drop for Readable<'_> {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Release);
    }
}

/// The bytes, lent for writing.
#[derive(Debug)]
pub(crate) struct Writable<'a>(&'a Mapping);

impl Deref for Writable<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the bytes are mapped, and `self` is their only user.
        unsafe { std::slice::from_raw_parts(self.0.address.as_ptr(), self.0.len.get()) }
    }
}

impl DerefMut for Writable<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: the bytes are mapped, and `self`, borrowed exclusively, is their only user.
        unsafe { std::slice::from_raw_parts_mut(self.0.address.as_ptr(), self.0.len.get()) }
    }
}

impl Drop for Writable<'_> {
    fn drop(&mut self) {
        self.0.users.store(0, Ordering::Release);
    }
}
