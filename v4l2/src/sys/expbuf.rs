//! A driver's own buffers: made, exported, and forgotten.

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::format::is_multiplanar;
use super::{call, raw, request};

const MMAP: u32 = raw::v4l2_memory_V4L2_MEMORY_MMAP;

/// A buffer that a driver made.
pub(crate) struct Created {
    /// Its place in the queue.
    pub(crate) index: u32,
    /// How many were made: one, or none.
    pub(crate) count: u32,
    /// Whether the queue may forget it while a dma-buf of it is in use.
    pub(crate) orphans: bool,
}

/// Has a queue's driver make a buffer of at least `len` bytes, and of what it needs for its
/// present format. Where that spreads a picture over several buffers, the first is the one
/// that gets the length.
#[doc(alias = "VIDIOC_CREATE_BUFS")]
pub(crate) fn create_buffer(fd: BorrowedFd<'_>, queue: u32, len: u32) -> Result<Created, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_create_buffers>();
    arg.count = 1;
    arg.memory = MMAP;
    arg.format.type_ = queue;
    // SAFETY: pictures' formats hold no pointers.
    unsafe { call(fd, request::G_FMT, &mut arg.format) }?;
    if is_multiplanar(queue) {
        // SAFETY: on a multi-planar queue this is the member that the kernel filled in.
        let mut picture = unsafe { arg.format.fmt.pix_mp };
        let mut planes = picture.plane_fmt;
        planes[0].sizeimage = planes[0].sizeimage.max(len);
        picture.plane_fmt = planes;
        arg.format.fmt.pix_mp = picture;
    } else {
        // SAFETY: on a single-planar queue this is the member that the kernel filled in.
        let mut picture = unsafe { arg.format.fmt.pix };
        picture.sizeimage = picture.sizeimage.max(len);
        arg.format.fmt.pix = picture;
    }
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::CREATE_BUFS, &mut arg) }?;
    Ok(Created {
        index: arg.index,
        count: arg.count,
        orphans: arg.capabilities & raw::V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS != 0,
    })
}

/// Makes a dma-buf of the first plane of a buffer.
#[doc(alias = "VIDIOC_EXPBUF")]
pub(crate) fn export_buffer(fd: BorrowedFd<'_>, queue: u32, index: u32) -> Result<OwnedFd, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_exportbuffer>();
    arg.type_ = queue;
    arg.index = index;
    arg.flags = (OFlag::O_RDWR | OFlag::O_CLOEXEC).bits().cast_unsigned();
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::EXPBUF, &mut arg) }?;
    // SAFETY: on success the kernel has stored a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(arg.fd) })
}

/// Has a queue forget its driver's buffers, and belong to nobody.
#[doc(alias = "VIDIOC_REQBUFS")]
pub(crate) fn forget_buffers(fd: BorrowedFd<'_>, queue: u32) -> Result<(), Errno> {
    let mut arg = request::zeroed::<raw::v4l2_requestbuffers>();
    arg.type_ = queue;
    arg.memory = MMAP;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::REQBUFS, &mut arg) }
}
