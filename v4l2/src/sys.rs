//! The V4L2 ioctls, one function each: the only unsafe code of this crate.
//!
//! Structures and request numbers come from the `v4l` crate, whose bindings are made from the
//! building machine's `linux/videodev2.h`; what is relied on is asserted in [`request`].
#![expect(
    unsafe_code,
    reason = "ioctls have no safe form, and the kernel's structures hold unions"
)]

mod buffer;
mod control;
mod format;
mod request;

pub(crate) use buffer::{
    RawDequeued, dequeue_buffer, query_buffer, queue_buffer, request_buffers, stream_off, stream_on,
};
pub(crate) use control::{RawValue, get_ctrl, query_ext_ctrl, query_menu, set_ext_ctrl};
pub(crate) use format::{
    RawFormat, RawInterval, RawPicture, RawSize, enum_fmt, enum_frame_intervals, enum_frame_sizes,
    get_fmt, get_parm, set_fmt, set_parm,
};
pub(crate) use v4l::v4l_sys as raw;

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

use request::{Request, Structure};

/// Makes an ioctl, again if a signal came between.
///
/// # Safety
/// Every pointer inside `arg` must be valid for what the request does with it.
unsafe fn call<T: Structure>(
    fd: BorrowedFd<'_>,
    request: Request<T>,
    arg: &mut T,
) -> Result<(), Errno> {
    let arg: *mut T = arg;
    loop {
        // SAFETY: `Request` pairs the number with the structure it is about, `arg` is a live
        // one, and the caller vouches for the pointers inside.
        let done = unsafe { v4l::v4l2::ioctl(fd.as_raw_fd(), request.number(), arg.cast()) };
        match done {
            Ok(()) => return Ok(()),
            Err(error) => match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
                Errno::EINTR => {}
                errno => return Err(errno),
            },
        }
    }
}

/// The bytes of a kernel string before its NUL, as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

/// Says who the driver is and what the node can do.
#[doc(alias = "VIDIOC_QUERYCAP")]
pub(crate) fn query_cap(fd: BorrowedFd<'_>) -> Result<raw::v4l2_capability, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_capability>();
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::QUERYCAP, &mut arg) }?;
    Ok(arg)
}
