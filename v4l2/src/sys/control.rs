//! Controls.

use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

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

/// The most controls that [`set_values`] sets at once.
pub(crate) const MOST_VALUES: usize = 16;

/// A control whose value is a structure or an array: its id, and which bytes are its value.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) id: u32,
    pub(crate) bytes: Range<usize>,
}

/// Sets controls whose values are structures or arrays, now or with a request; the kernel writes
/// what it made of each over it. What is refused tells which of them is to blame, where the
/// kernel does.
#[doc(alias = "VIDIOC_S_EXT_CTRLS")]
#[doc(alias = "V4L2_CTRL_WHICH_REQUEST_VAL")]
pub(crate) fn set_values(
    fd: BorrowedFd<'_>,
    request: Option<BorrowedFd<'_>>,
    values: &[Value],
    bytes: &mut [u8],
) -> Result<(), (Errno, Option<u32>)> {
    let mut controls = [request::zeroed::<raw::v4l2_ext_control>(); MOST_VALUES];
    let controls = controls.get_mut(..values.len());
    let controls = controls.ok_or((Errno::E2BIG, None))?;
    for (control, value) in controls.iter_mut().zip(values) {
        let bytes = bytes.get_mut(value.bytes.clone());
        let bytes = bytes.ok_or((Errno::EINVAL, Some(value.id)))?;
        control.id = value.id;
        control.size =
            u32::try_from(bytes.len()).map_err(|_too_long| (Errno::ERANGE, Some(value.id)))?;
        control.__bindgen_anon_1.ptr = bytes.as_mut_ptr().cast();
    }
    let mut arg = request::zeroed::<raw::v4l2_ext_controls>();
    arg.count = u32::try_from(controls.len()).unwrap_or_default();
    arg.controls = controls.as_mut_ptr();
    if let Some(request) = request {
        arg.__bindgen_anon_1.which = raw::V4L2_CTRL_WHICH_REQUEST_VAL;
        arg.request_fd = request.as_raw_fd();
    }
    // SAFETY: `controls` points to `count` live controls; the pointer of each is to as many live
    // bytes as its `size` says, which may be written.
    unsafe { call(fd, request::S_EXT_CTRLS, &mut arg) }.map_err(|errno| {
        let blamed = usize::try_from(arg.error_idx).unwrap_or(usize::MAX);
        (errno, values.get(blamed).map(|value| value.id))
    })
}
