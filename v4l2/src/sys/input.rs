//! Inputs, and the signals on them.

use std::ffi::c_int;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::{call, raw, request};

/// An input by its number; EINVAL beyond the last.
#[doc(alias = "VIDIOC_ENUMINPUT")]
pub(crate) fn enum_input(fd: BorrowedFd<'_>, index: u32) -> Result<raw::v4l2_input, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_input>();
    arg.index = index;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::ENUMINPUT, &mut arg) }?;
    Ok(arg)
}

/// The number of the input that is chosen.
#[doc(alias = "VIDIOC_G_INPUT")]
pub(crate) fn get_input(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut arg: c_int = 0;
    // SAFETY: the argument is a number.
    unsafe { call(fd, request::G_INPUT, &mut arg) }?;
    Ok(arg.cast_unsigned())
}

/// Chooses an input.
#[doc(alias = "VIDIOC_S_INPUT")]
pub(crate) fn set_input(fd: BorrowedFd<'_>, index: u32) -> Result<(), Errno> {
    let mut arg: c_int = index.cast_signed();
    // SAFETY: the argument is a number.
    unsafe { call(fd, request::S_INPUT, &mut arg) }
}

/// The timings of the signal that comes in; the answer can be handed to [`set_dv_timings`].
#[doc(alias = "VIDIOC_QUERY_DV_TIMINGS")]
pub(crate) fn query_dv_timings(fd: BorrowedFd<'_>) -> Result<raw::v4l2_dv_timings, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_dv_timings>();
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::QUERY_DV_TIMINGS, &mut arg) }?;
    Ok(arg)
}

/// Sets the receiver to timings.
#[doc(alias = "VIDIOC_S_DV_TIMINGS")]
pub(crate) fn set_dv_timings(
    fd: BorrowedFd<'_>,
    mut timings: raw::v4l2_dv_timings,
) -> Result<(), Errno> {
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::S_DV_TIMINGS, &mut timings) }
}

/// What timings of the kind BT.656 and BT.1120 say, the only kind there is.
pub(crate) fn bt_timings(timings: &raw::v4l2_dv_timings) -> Option<raw::v4l2_bt_timings> {
    if timings.type_ != raw::V4L2_DV_BT_656_1120 {
        return None;
    }
    // SAFETY: any bytes are numbers, and the type says that they are these.
    Some(unsafe { timings.__bindgen_anon_1.bt })
}
