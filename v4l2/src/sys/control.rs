//! Controls.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::{call, raw, request};

/// The control that follows `id`, compound ones too; EINVAL beyond the last.
#[doc(alias = "VIDIOC_QUERY_EXT_CTRL")]
pub(crate) fn query_ext_ctrl(
    fd: BorrowedFd<'_>,
    id: u32,
) -> Result<raw::v4l2_query_ext_ctrl, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_query_ext_ctrl>();
    arg.id = id | raw::V4L2_CTRL_FLAG_NEXT_CTRL | raw::V4L2_CTRL_FLAG_NEXT_COMPOUND;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::QUERY_EXT_CTRL, &mut arg) }?;
    Ok(arg)
}

/// The bytes of a menu entry: a name, or a number where the control is an integer menu. EINVAL
/// for a number that the menu leaves out.
#[doc(alias = "VIDIOC_QUERYMENU")]
pub(crate) fn query_menu(fd: BorrowedFd<'_>, id: u32, index: u32) -> Result<[u8; 32], Errno> {
    let mut arg = request::zeroed::<raw::v4l2_querymenu>();
    arg.id = id;
    arg.index = index;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::QUERYMENU, &mut arg) }?;
    // SAFETY: the name covers the whole union, and any bytes are an array of bytes.
    Ok(unsafe { arg.__bindgen_anon_1.name })
}

/// The value of a control of 32 bits; EINVAL when there is no such control.
#[doc(alias = "VIDIOC_G_CTRL")]
pub(crate) fn get_ctrl(fd: BorrowedFd<'_>, id: u32) -> Result<i32, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_control>();
    arg.id = id;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::G_CTRL, &mut arg) }?;
    Ok(arg.value)
}

/// A control's value, as wide as the control.
pub(crate) enum RawValue<'a> {
    Short(i32),
    Long(i64),
    /// Text that ends with a NUL.
    Text(&'a mut [u8]),
}

/// Sets a control.
#[doc(alias = "VIDIOC_S_EXT_CTRLS")]
pub(crate) fn set_ext_ctrl(fd: BorrowedFd<'_>, id: u32, value: RawValue<'_>) -> Result<(), Errno> {
    let mut control = request::zeroed::<raw::v4l2_ext_control>();
    control.id = id;
    match value {
        RawValue::Short(value) => control.__bindgen_anon_1.value = value,
        RawValue::Long(value) => control.__bindgen_anon_1.value64 = value,
        RawValue::Text(text) => {
            control.size = u32::try_from(text.len()).map_err(|_too_long| Errno::ERANGE)?;
            control.__bindgen_anon_1.string = text.as_mut_ptr().cast();
        }
    }
    let mut arg = request::zeroed::<raw::v4l2_ext_controls>();
    arg.count = 1;
    arg.controls = &raw mut control;
    // SAFETY: `controls` points to one live control; its own pointer, where `size` says that it
    // has one, is to a live slice of that size.
    unsafe { call(fd, request::S_EXT_CTRLS, &mut arg) }
}
