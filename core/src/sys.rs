//! The dma-buf ioctls and, below, descriptors, memory mapping and an exchange of pointers: the
//! only unsafe code of this crate.
//!
//! Definitions follow the kernel's `include/uapi/linux/dma-buf.h`.
#![expect(
    unsafe_code,
    reason = "ioctls, mmap and raw pointers have no safe form; every block says why it is sound"
)]

mod descriptor;
mod mapping;
mod place;

pub(crate) use descriptor::Descriptor;
pub(crate) use mapping::{Mapping, Readable, Writable};
pub(crate) use place::ArcPlace;

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

/// `struct dma_buf_sync`.
#[repr(C)]
struct DmaBufSync {
    flags: u64,
}

/// `struct dma_buf_export_sync_file` and `struct dma_buf_import_sync_file`,
/// which have the same shape.
#[repr(C)]
struct DmaBufSyncFile {
    flags: u32,
    fd: i32,
}

const _: () = assert!(size_of::<DmaBufSync>() == 8);
const _: () = assert!(size_of::<DmaBufSyncFile>() == 8);

/// The CPU reads.
pub(crate) const SYNC_READ: u32 = 1;
/// The CPU writes.
pub(crate) const SYNC_WRITE: u32 = 2;
const SYNC_END: u32 = 4;

nix::ioctl_write_ptr!(ioctl_sync, b'b', 0, DmaBufSync);
nix::ioctl_write_ptr!(ioctl_set_name, b'b', 1, u64);
nix::ioctl_readwrite!(ioctl_export_sync_file, b'b', 2, DmaBufSyncFile);
nix::ioctl_write_ptr!(ioctl_import_sync_file, b'b', 3, DmaBufSyncFile);

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            other => return other,
        }
    }
}

fn sync(fd: BorrowedFd<'_>, flags: u32) -> Result<(), Errno> {
    let arg = DmaBufSync {
        flags: u64::from(flags),
    };
    retry(|| {
        // SAFETY: `arg` is a live `struct dma_buf_sync`; the kernel only reads it.
        unsafe { ioctl_sync(fd.as_raw_fd(), &raw const arg) }
    })
    .map(drop)
}

/// Begins CPU access of the kind given by `SYNC_READ` and `SYNC_WRITE`.
#[doc(alias = "DMA_BUF_IOCTL_SYNC")]
pub(crate) fn sync_start(fd: BorrowedFd<'_>, access: u32) -> Result<(), Errno> {
    sync(fd, access)
}

/// Ends the CPU access that `sync_start` began with the same `access`.
#[doc(alias = "DMA_BUF_IOCTL_SYNC")]
pub(crate) fn sync_end(fd: BorrowedFd<'_>, access: u32) -> Result<(), Errno> {
    sync(fd, access | SYNC_END)
}

/// Names the dma-buf for the kernel's own listings.
#[doc(alias = "DMA_BUF_SET_NAME")]
pub(crate) fn set_name(fd: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    // The number's size field says "pointer", the argument is the string itself.
    // SAFETY: the kernel copies a NUL-terminated string from this address.
    unsafe { ioctl_set_name(fd.as_raw_fd(), name.as_ptr().cast()) }.map(drop)
}

/// Returns a sync file that signals when the buffer may be used with `access`.
#[doc(alias = "DMA_BUF_IOCTL_EXPORT_SYNC_FILE")]
pub(crate) fn export_sync_file(fd: BorrowedFd<'_>, access: u32) -> Result<OwnedFd, Errno> {
    let mut arg = DmaBufSyncFile {
        flags: access,
        fd: -1,
    };
    // SAFETY: `arg` is a live `struct dma_buf_export_sync_file`.
    unsafe { ioctl_export_sync_file(fd.as_raw_fd(), &raw mut arg) }?;
    // SAFETY: on success the kernel has stored a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(arg.fd) })
}

/// Adds the fence of `sync_file` to the buffer, as work that accesses it with `access`.
#[doc(alias = "DMA_BUF_IOCTL_IMPORT_SYNC_FILE")]
pub(crate) fn import_sync_file(
    fd: BorrowedFd<'_>,
    access: u32,
    sync_file: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let arg = DmaBufSyncFile {
        flags: access,
        fd: sync_file.as_raw_fd(),
    };
    // SAFETY: `arg` is a live `struct dma_buf_import_sync_file`; the kernel only reads it.
    unsafe { ioctl_import_sync_file(fd.as_raw_fd(), &raw const arg) }.map(drop)
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_those_of_the_header() {
        // From `linux/dma-buf.h`, expanded: direction, size, type and number.
        assert_eq!(nix::request_code_write!(b'b', 0, 8), 0x4008_6200);
        assert_eq!(nix::request_code_write!(b'b', 1, 8), 0x4008_6201);
        assert_eq!(nix::request_code_readwrite!(b'b', 2, 8), 0xc008_6202);
        assert_eq!(nix::request_code_write!(b'b', 3, 8), 0x4008_6203);
    }
}
