//! The system calls without a safe form: the only unsafe code of this crate.
//!
//! Definitions of ioctls follow the kernel's `include/uapi/linux/dma-heap.h` and `udmabuf.h`.
#![expect(
    unsafe_code,
    reason = "ioctls, inherited descriptors and new socket options have no safe form; every \
              block names what makes it sound"
)]

pub(crate) mod inherited;
pub(crate) mod rights;

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// `struct dma_heap_allocation_data`.
#[repr(C)]
struct DmaHeapAllocationData {
    len: u64,
    fd: u32,
    fd_flags: u32,
    heap_flags: u64,
}

/// `struct udmabuf_create`.
#[repr(C)]
struct UdmabufCreate {
    memfd: u32,
    flags: u32,
    offset: u64,
    size: u64,
}

const _: () = assert!(size_of::<DmaHeapAllocationData>() == 24);
const _: () = assert!(size_of::<UdmabufCreate>() == 24);

const UDMABUF_FLAGS_CLOEXEC: u32 = 1;

const DMA_HEAP_IOCTL_ALLOC: Opcode = opcode::read_write::<DmaHeapAllocationData>(b'H', 0);

nix::ioctl_write_ptr!(ioctl_udmabuf_create, b'u', 0x42, UdmabufCreate);

/// An open node of a kernel dma-heap.
///
/// # Invariants
/// A device of the class `dma_heap`, so that the heaps driver answers its ioctls.
#[derive(Debug)]
pub(crate) struct HeapFd(pub(crate) OwnedFd);

/// An open `/dev/udmabuf`.
///
/// # Invariants
/// Opened at that path, so that the udmabuf driver answers its ioctls.
#[derive(Debug)]
pub(crate) struct UdmabufFd(pub(crate) OwnedFd);

impl HeapFd {
    /// Allocates a zeroed dma-buf of `len` bytes, rounded up to whole pages.
    #[doc(alias = "DMA_HEAP_IOCTL_ALLOC")]
    pub(crate) fn alloc(&self, len: NonZeroUsize) -> Result<OwnedFd, Errno> {
        let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC;
        let mut data = DmaHeapAllocationData {
            len: len.get() as u64,
            // The kernel takes nothing but 0 here.
            fd: 0,
            fd_flags: flags.bits().cast_unsigned(),
            heap_flags: 0,
        };
        loop {
            // SAFETY: the number is that of the heaps driver's ioctl on this structure.
            let call = unsafe { Updater::<DMA_HEAP_IOCTL_ALLOC, _>::new(&mut data) };
            // SAFETY: by the type's invariant the heaps driver answers.
            match unsafe { ioctl(&self.0, call) } {
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Errno::from_raw(errno.raw_os_error())),
                Ok(()) => break,
            }
        }
        // SAFETY: on success the kernel has stored a new descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(data.fd.cast_signed()) })
    }
}

impl UdmabufFd {
    /// Makes a dma-buf of `len` bytes of a memfd that cannot shrink, both numbers in whole pages.
    #[doc(alias = "UDMABUF_CREATE")]
    pub(crate) fn create(
        &self,
        memfd: impl AsFd,
        offset: u64,
        len: NonZeroUsize,
    ) -> Result<OwnedFd, Errno> {
        let arg = UdmabufCreate {
            memfd: memfd.as_fd().as_raw_fd().cast_unsigned(),
            flags: UDMABUF_FLAGS_CLOEXEC,
            offset,
            size: len.get() as u64,
        };
        // SAFETY: `arg` is a live `struct udmabuf_create`; the kernel only reads it.
        let fd = unsafe { ioctl_udmabuf_create(self.0.as_raw_fd(), &raw const arg) }?;
        // SAFETY: on success the ioctl returns a new descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_those_of_the_headers() {
        assert_eq!(super::DMA_HEAP_IOCTL_ALLOC, 0xc018_4800);
        assert_eq!(nix::request_code_write!(b'u', 0x42, 24), 0x4018_7542);
    }
}
