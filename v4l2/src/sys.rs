//! The V4L2 ioctls, one function each: the only unsafe code of this crate.
//!
//! Structures and request numbers come from the `v4l` crate, whose bindings are made from the
//! building machine's `linux/videodev2.h`; what is relied on is asserted in [`request`].
#![expect(
    unsafe_code,
    reason = "ioctls have no safe form, and the kernel's structures hold unions"
)]

mod buffer;
mod command;
mod control;
mod event;
mod expbuf;
mod format;
mod input;
pub(crate) mod media;
pub(crate) mod media_request;
mod request;
pub(crate) mod subdev;

pub(crate) use buffer::{
    RawDequeued, Said, dequeue_buffer, prepare_buffer, query_data_offsets, queue_buffer,
    request_buffers, stream_off, stream_on,
};
pub(crate) use command::{decoder_command, encoder_command};
pub(crate) use control::{
    MOST_VALUES, RawValue, Value, get_ctrl, query_ext_ctrl, query_menu, set_ext_ctrl, set_values,
};
pub(crate) use event::{dequeue_event, forget_events, subscribe_event};
pub(crate) use expbuf::{create_buffer, export_buffer, forget_buffers};
pub(crate) use format::{
    RawFormat, RawInterval, RawPicture, RawSize, enum_fmt, enum_fmt_of_code, enum_frame_intervals,
    enum_frame_sizes, get_fmt, get_parm, get_selection, set_fmt, set_parm, try_fmt,
};
pub(crate) use input::{
    bt_timings, enum_input, get_input, query_dv_timings, set_dv_timings, set_input,
};
pub(crate) use v4l::v4l_sys as raw;

use std::ffi::c_void;
use std::os::fd::BorrowedFd;
use std::ptr;

use nix::errno::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};

use request::{Request, Structure};

/// An ioctl, as `rustix` makes them.
struct Call<'a, T> {
    request: Request<T>,
    arg: &'a mut T,
}

// SAFETY: `Request` pairs the number with the structure it is about, which the kernel may write.
unsafe impl<T: Structure> Ioctl for Call<'_, T> {
    type Output = ();
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.request.number()
    }

    fn as_ptr(&mut self) -> *mut c_void {
        ptr::from_mut(self.arg).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

/// Makes an ioctl, again if a signal came between.
///
/// # Safety
/// Every pointer inside `arg` must be valid for what the request does with it.
#[inline]
unsafe fn call<T: Structure>(
    fd: BorrowedFd<'_>,
    request: Request<T>,
    arg: &mut T,
) -> Result<(), Errno> {
    loop {
        let call = Call {
            request,
            arg: &mut *arg,
        };
        // SAFETY: `arg` is live, and the caller vouches for the pointers inside.
        match unsafe { ioctl(fd, call) } {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Errno::from_raw(errno.raw_os_error())),
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
