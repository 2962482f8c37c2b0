//! Buffers as C has them.

use std::ffi::c_int;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dmaflow_core::dma_buf::{Access, CpuUse};
use dmaflow_core::heap::{CpuAccess, HeapBuffer};

use crate::failure::Failure;
use crate::handles::Handles;
use crate::sys::{DMAFLOW_READ, DMAFLOW_READ_WRITE};

pub(crate) static BUFFERS: Handles<Buffer> = Handles::new("buffer");

/// A buffer on loan to C.
pub(crate) struct Buffer {
    /// What C has begun and not ended: readers, or one writer.
    begun: Mutex<Vec<CpuAccess>>,
    buffer: Arc<HeapBuffer>,
}

impl Buffer {
    pub(crate) fn new(buffer: HeapBuffer) -> Self {
        Self {
            begun: Mutex::default(),
            buffer: Arc::new(buffer),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.buffer.as_fd()
    }

    /// Opens the bytes to the CPU until [`Buffer::end`].
    pub(crate) fn begin(&self, access: c_int) -> Result<NonNull<u8>, Failure> {
        // What is read may be carried anywhere, so it counts as a copy.
        let (access, purpose) = match access {
            DMAFLOW_READ => (Access::Read, CpuUse::Copy),
            DMAFLOW_READ_WRITE => (Access::Write, CpuUse::Draw),
            found => return Err(Failure::Access { found }),
        };
        let begun = CpuAccess::begin(Arc::clone(&self.buffer), access, purpose)?;
        let address = begun.as_ptr();
        self.begun().push(begun);
        Ok(address)
    }

    /// Ends one access that was begun. Those open at once are all of a kind, so any will do.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        self.begun().pop().map(drop).ok_or(Failure::NotBegun)
    }

    fn begun(&self) -> MutexGuard<'_, Vec<CpuAccess>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::heap::Heap;
    use dmaflow_heaps::Memfd;

    fn buffer() -> (Heap, Buffer) {
        let heap = Heap::new(Memfd::info(), Memfd);
        let buffer = Buffer::new(heap.allocate(1).unwrap());
        (heap, buffer)
    }

    #[test]
    #[cfg_attr(miri, ignore = "memfd_create is beyond miri")]
    fn readers_share_a_writer_is_alone_and_ends_match() {
        let (_heap, buffer) = buffer();
        let first = buffer.begin(DMAFLOW_READ).unwrap();
        assert_eq!(buffer.begin(DMAFLOW_READ).unwrap(), first);
        let busy = buffer.begin(DMAFLOW_READ_WRITE).unwrap_err();
        assert!(matches!(busy, Failure::Buffer(_)), "{busy}");
        buffer.end().unwrap();
        assert!(buffer.begin(DMAFLOW_READ_WRITE).is_err());
        buffer.end().unwrap();
        buffer.begin(DMAFLOW_READ_WRITE).unwrap();
        assert!(buffer.begin(DMAFLOW_READ).is_err());
        buffer.end().unwrap();
        assert!(matches!(buffer.end(), Err(Failure::NotBegun)));
        for wrong in [0, 2, 4, -1] {
            assert!(matches!(buffer.begin(wrong), Err(Failure::Access { .. })));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "memfd_create is beyond miri")]
    fn a_buffer_freed_while_open_goes_back_to_its_heap() {
        let (heap, buffer) = buffer();
        buffer.begin(DMAFLOW_READ).unwrap();
        assert_eq!(heap.stats().usage.live, 1);
        drop(buffer);
        assert_eq!(heap.stats().usage.live, 0);
    }
}
