//! The bare ioctl that heaps are measured against: the only unsafe code of this program.
//!
//! It is made as a C program makes it, through the C library and with nothing around it, and
//! stands apart from the heaps crate on purpose: what is measured cannot be its own measure.
#![expect(
    unsafe_code,
    reason = "ioctls have no safe form; every block names what makes it sound"
)]

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

/// `struct dma_heap_allocation_data` of the kernel's `include/uapi/linux/dma-heap.h`.
#[repr(C)]
struct DmaHeapAllocationData {
    len: u64,
    fd: u32,
    fd_flags: u32,
    heap_flags: u64,
}

const _: () = assert!(size_of::<DmaHeapAllocationData>() == 24);

nix::ioctl_readwrite!(ioctl_heap_alloc, b'H', 0, DmaHeapAllocationData);

/// An open node of a kernel dma-heap.
///
/// # Invariants
/// Opened below `/dev/dma_heap`, so that the heaps driver answers its ioctls.
pub(crate) struct RawHeap(File);

impl RawHeap {
    /// Opens the heap behind a node that `dmaflow_heaps::kernel` listed.
    pub(crate) fn open(node: &Path) -> io::Result<Self> {
        File::open(node).map(Self)
    }

    /// Allocates a dma-buf, which is closed when it is dropped.
    #[doc(alias = "DMA_HEAP_IOCTL_ALLOC")]
    pub(crate) fn allocate(&self, len: NonZeroUsize) -> Result<OwnedFd, Errno> {
        let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC;
        let mut data = DmaHeapAllocationData {
            len: len.get() as u64,
            fd: 0,
            fd_flags: flags.bits().cast_unsigned(),
            heap_flags: 0,
        };
        // SAFETY: `data` is a live `struct dma_heap_allocation_data`.
        unsafe { ioctl_heap_alloc(self.0.as_raw_fd(), &raw mut data) }?;
        // SAFETY: on success the kernel has stored a new descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(data.fd.cast_signed()) })
    }
}
