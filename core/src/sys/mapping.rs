//! A buffer mapped once, lent to any number of readers or one writer.

mod claims;

use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use claims::Claims;

/// How often unmapping is tried while the kernel is out of memory.
const UNMAP_TRIES: u32 = 1000;

/// A shared mapping of a whole buffer, unmapped when dropped.
///
/// # Invariants
/// `address` is the start of `len` mapped bytes until `Drop` runs. Each living [`Readable`] and
/// [`Writable`] has its claim. A device may still write behind our back: that a buffer is not
/// lent to one meanwhile is the frame's concern.
#[derive(Debug)]
pub(crate) struct Mapping {
    address: NonNull<u8>,
    len: NonZeroUsize,
    claims: Claims,
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
            claims: Claims::default(),
        })
    }

    /// Lends the bytes for reading, unless there is a writer.
    pub(crate) fn try_read<M: Keeper>(this: M) -> Option<Readable<M>> {
        this.claims.try_read().then(|| Readable(this))
    }

    /// Lends the bytes for writing, unless anybody else has them.
    pub(crate) fn try_write<M: Keeper>(this: M) -> Option<Writable<M>> {
        this.claims.try_write().then(|| Writable(this))
    }
}

/// What keeps a mapping, and always the same one: a borrow of it or a share in it.
pub(crate) trait Keeper: Deref<Target = Mapping> {}

impl Keeper for &Mapping {}
impl Keeper for Arc<Mapping> {}

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
pub(crate) struct Readable<M: Keeper>(M);

impl<M: Keeper> Readable<M> {
    /// Where they begin.
    pub(crate) fn address(&self) -> NonNull<u8> {
        self.0.address
    }
}

impl<M: Keeper> Deref for Readable<M> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the bytes are mapped, and while `self` counts as a reader there is no writer.
        unsafe { std::slice::from_raw_parts(self.0.address.as_ptr(), self.0.len.get()) }
    }
}

impl<M: Keeper> Drop for Readable<M> {
    fn drop(&mut self) {
        self.0.claims.end_read();
    }
}

/// The bytes, lent for writing.
#[derive(Debug)]
pub(crate) struct Writable<M: Keeper>(M);

impl<M: Keeper> Writable<M> {
    /// Where they begin.
    pub(crate) fn address(&self) -> NonNull<u8> {
        self.0.address
    }
}

impl<M: Keeper> Deref for Writable<M> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the bytes are mapped, and `self` is their only user.
        unsafe { std::slice::from_raw_parts(self.0.address.as_ptr(), self.0.len.get()) }
    }
}

impl<M: Keeper> DerefMut for Writable<M> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: the bytes are mapped, and `self`, borrowed exclusively, is their only user.
        unsafe { std::slice::from_raw_parts_mut(self.0.address.as_ptr(), self.0.len.get()) }
    }
}

impl<M: Keeper> Drop for Writable<M> {
    fn drop(&mut self) {
        self.0.claims.end_write();
    }
}

/// Memory that needs no file, so that what checks memory accesses can run these.
#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;
    use nix::sys::mman::mmap_anonymous;
    use std::thread;

    fn mapping(len: usize) -> Mapping {
        let len = NonZeroUsize::new(len).unwrap();
        let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address the system chooses touches no existing memory.
        let address = unsafe { mmap_anonymous(None, len, prot, MapFlags::MAP_PRIVATE) }.unwrap();
        Mapping {
            address: address.cast(),
            len,
            claims: Claims::default(),
        }
    }

    #[test]
    fn readers_share_and_a_writer_is_alone() {
        let mapping = mapping(4096);
        let mut writer = Mapping::try_write(&mapping).unwrap();
        writer.fill(7);
        assert!(Mapping::try_read(&mapping).is_none());
        assert!(Mapping::try_write(&mapping).is_none());
        drop(writer);
        let readers = [0, 1].map(|_| Mapping::try_read(&mapping).unwrap());
        assert!(Mapping::try_write(&mapping).is_none());
        assert_eq!(readers[0][4095], readers[1][0]);
        drop(readers);
        assert!(Mapping::try_write(&mapping).is_some());
    }

    #[test]
    fn an_owned_loan_keeps_the_mapping() {
        let mapping = Arc::new(mapping(4096));
        let mut writer = Mapping::try_write(Arc::clone(&mapping)).unwrap();
        drop(mapping);
        writer[4095] = 1;
        assert_eq!(writer.address().as_ptr().cast_const(), writer.as_ptr());
    }

    #[test]
    fn threads_take_turns() {
        const TURNS: u8 = 20;
        let mapping = mapping(1);
        thread::scope(|scope| {
            for _thread in 0..2 {
                scope.spawn(|| {
                    for _turn in 0..TURNS {
                        loop {
                            if let Some(mut writer) = Mapping::try_write(&mapping) {
                                writer[0] += 1;
                                break;
                            }
                            thread::yield_now();
                        }
                        let seen = Mapping::try_read(&mapping).map(|reader| reader[0]);
                        assert!(seen.is_none_or(|seen| seen > 0));
                    }
                });
            }
        });
        assert_eq!(Mapping::try_read(&mapping).unwrap()[0], 2 * TURNS);
    }
}
