//! Sub-devices: layouts and ioctls of `linux/v4l2-subdev.h` and `linux/v4l2-mediabus.h`.
//!
//! The `v4l` crate knows nothing of these headers. Controls of a sub-device are those of
//! `linux/videodev2.h`.

use std::mem::offset_of;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use rustix::ioctl::opcode;

use super::request::{Number, Request, Structure, request, zeroed};
use super::{call, raw};

/// `enum v4l2_subdev_format_whence`: tried formats are the open file's own, and change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Try = 0,
    Active = 1,
}

/// `V4L2_SUBDEV_CAP_RO_SUBDEV`.
pub(crate) const CAP_READ_ONLY: u32 = 1;

/// `struct v4l2_mbus_framefmt`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BusFormat {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) code: u32,
    pub(crate) field: u32,
    colorspace: u32,
    ycbcr_enc: u16,
    quantization: u16,
    xfer_func: u16,
    flags: u16,
    reserved: [u16; 10],
}

/// `struct v4l2_subdev_format`.
#[repr(C)]
#[derive(Clone, Copy)]
struct FormatArg {
    which: u32,
    pad: u32,
    format: BusFormat,
    stream: u32,
    reserved: [u32; 7],
}

/// `struct v4l2_subdev_mbus_code_enum`.
#[repr(C)]
#[derive(Clone, Copy)]
struct CodeArg {
    pad: u32,
    index: u32,
    code: u32,
    which: u32,
    flags: u32,
    stream: u32,
    reserved: [u32; 6],
}

/// `struct v4l2_subdev_frame_size_enum`.
#[repr(C)]
#[derive(Clone, Copy)]
struct SizeArg {
    index: u32,
    pad: u32,
    code: u32,
    min_width: u32,
    max_width: u32,
    min_height: u32,
    max_height: u32,
    which: u32,
    stream: u32,
    reserved: [u32; 7],
}

/// `struct v4l2_subdev_frame_interval`.
#[repr(C)]
#[derive(Clone, Copy)]
struct IntervalArg {
    pad: u32,
    interval: raw::v4l2_fract,
    stream: u32,
    which: u32,
    reserved: [u32; 7],
}

/// `struct v4l2_subdev_frame_interval_enum`.
#[repr(C)]
#[derive(Clone, Copy)]
struct IntervalEnumArg {
    index: u32,
    pad: u32,
    code: u32,
    width: u32,
    height: u32,
    interval: raw::v4l2_fract,
    which: u32,
    stream: u32,
    reserved: [u32; 7],
}

/// `struct v4l2_rect`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) left: i32,
    pub(crate) top: i32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// `struct v4l2_subdev_selection`.
#[repr(C)]
#[derive(Clone, Copy)]
struct SelectionArg {
    which: u32,
    pad: u32,
    target: u32,
    flags: u32,
    rect: Rect,
    stream: u32,
    reserved: [u32; 7],
}

/// `struct v4l2_subdev_capability`.
#[repr(C)]
#[derive(Clone, Copy)]
struct CapabilityArg {
    version: u32,
    capabilities: u32,
    reserved: [u32; 14],
}

// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for FormatArg {}
// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for CodeArg {}
// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for SizeArg {}
// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for IntervalArg {}
// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for IntervalEnumArg {}
// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for SelectionArg {}
// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for CapabilityArg {}

const QUERYCAP: Request<CapabilityArg> = request(
    opcode::read::<CapabilityArg>(b'V', 0) as Number,
    0x8040_5600,
);
const ENUM_MBUS_CODE: Request<CodeArg> = request(
    opcode::read_write::<CodeArg>(b'V', 2) as Number,
    0xc030_5602,
);
const G_FMT: Request<FormatArg> = request(
    opcode::read_write::<FormatArg>(b'V', 4) as Number,
    0xc058_5604,
);
const S_FMT: Request<FormatArg> = request(
    opcode::read_write::<FormatArg>(b'V', 5) as Number,
    0xc058_5605,
);
const G_FRAME_INTERVAL: Request<IntervalArg> = request(
    opcode::read_write::<IntervalArg>(b'V', 21) as Number,
    0xc030_5615,
);
const S_FRAME_INTERVAL: Request<IntervalArg> = request(
    opcode::read_write::<IntervalArg>(b'V', 22) as Number,
    0xc030_5616,
);
const G_SELECTION: Request<SelectionArg> = request(
    opcode::read_write::<SelectionArg>(b'V', 61) as Number,
    0xc040_563d,
);
const S_SELECTION: Request<SelectionArg> = request(
    opcode::read_write::<SelectionArg>(b'V', 62) as Number,
    0xc040_563e,
);
const ENUM_FRAME_SIZE: Request<SizeArg> = request(
    opcode::read_write::<SizeArg>(b'V', 74) as Number,
    0xc040_564a,
);
const ENUM_FRAME_INTERVAL: Request<IntervalEnumArg> = request(
    opcode::read_write::<IntervalEnumArg>(b'V', 75) as Number,
    0xc040_564b,
);

const _: () = assert!(size_of::<BusFormat>() == 48 && offset_of!(BusFormat, ycbcr_enc) == 20);
const _: () = assert!(offset_of!(FormatArg, format) == 8 && offset_of!(FormatArg, stream) == 56);
const _: () = assert!(offset_of!(CodeArg, which) == 12 && offset_of!(CodeArg, stream) == 20);
const _: () = assert!(offset_of!(SizeArg, max_height) == 24 && offset_of!(SizeArg, which) == 28);
const _: () =
    assert!(offset_of!(IntervalArg, interval) == 4 && offset_of!(IntervalArg, which) == 16);
const _: () = assert!(offset_of!(IntervalEnumArg, interval) == 20);
const _: () = assert!(offset_of!(SelectionArg, rect) == 16);

/// The sub-device's capabilities; ENOTTY before Linux 5.9.
#[doc(alias = "VIDIOC_SUBDEV_QUERYCAP")]
pub(crate) fn query_cap(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut arg = zeroed::<CapabilityArg>();
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, QUERYCAP, &mut arg) }?;
    Ok(arg.capabilities)
}

/// The media bus code at `index` of those a pad has, given the formats tried on other pads;
/// EINVAL beyond the last.
#[doc(alias = "VIDIOC_SUBDEV_ENUM_MBUS_CODE")]
pub(crate) fn enum_mbus_code(fd: BorrowedFd<'_>, pad: u16, index: u32) -> Result<u32, Errno> {
    let mut arg = zeroed::<CodeArg>();
    arg.pad = pad.into();
    arg.index = index;
    arg.which = Which::Try as u32;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, ENUM_MBUS_CODE, &mut arg) }?;
    Ok(arg.code)
}

/// The smallest and the largest size of the range at `index`; EINVAL beyond the last.
#[doc(alias = "VIDIOC_SUBDEV_ENUM_FRAME_SIZE")]
pub(crate) fn enum_frame_size(
    fd: BorrowedFd<'_>,
    pad: u16,
    code: u32,
    index: u32,
) -> Result<[(u32, u32); 2], Errno> {
    let mut arg = zeroed::<SizeArg>();
    arg.pad = pad.into();
    arg.code = code;
    arg.index = index;
    arg.which = Which::Try as u32;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, ENUM_FRAME_SIZE, &mut arg) }?;
    Ok([
        (arg.min_width, arg.min_height),
        (arg.max_width, arg.max_height),
    ])
}

/// The format that a pad has.
#[doc(alias = "VIDIOC_SUBDEV_G_FMT")]
pub(crate) fn get_fmt(fd: BorrowedFd<'_>, pad: u16, which: Which) -> Result<BusFormat, Errno> {
    let mut arg = zeroed::<FormatArg>();
    arg.pad = pad.into();
    arg.which = which as u32;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, G_FMT, &mut arg) }?;
    Ok(arg.format)
}

/// Asks for a format and returns the one the driver chose.
#[doc(alias = "VIDIOC_SUBDEV_S_FMT")]
pub(crate) fn set_fmt(
    fd: BorrowedFd<'_>,
    pad: u16,
    which: Which,
    format: BusFormat,
) -> Result<BusFormat, Errno> {
    let mut arg = zeroed::<FormatArg>();
    arg.pad = pad.into();
    arg.which = which as u32;
    arg.format = format;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, S_FMT, &mut arg) }?;
    Ok(arg.format)
}

/// The interval at `index` of those a pad has for a format, in seconds; EINVAL beyond the last.
#[doc(alias = "VIDIOC_SUBDEV_ENUM_FRAME_INTERVAL")]
pub(crate) fn enum_frame_interval(
    fd: BorrowedFd<'_>,
    pad: u16,
    code: u32,
    (width, height): (u32, u32),
    index: u32,
) -> Result<raw::v4l2_fract, Errno> {
    let mut arg = zeroed::<IntervalEnumArg>();
    arg.pad = pad.into();
    (arg.code, arg.width, arg.height) = (code, width, height);
    arg.index = index;
    arg.which = Which::Active as u32;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, ENUM_FRAME_INTERVAL, &mut arg) }?;
    Ok(arg.interval)
}

/// The interval that is set, in seconds; ENOTTY where there is none to set.
#[doc(alias = "VIDIOC_SUBDEV_G_FRAME_INTERVAL")]
pub(crate) fn get_frame_interval(fd: BorrowedFd<'_>, pad: u16) -> Result<raw::v4l2_fract, Errno> {
    let mut arg = zeroed::<IntervalArg>();
    arg.pad = pad.into();
    arg.which = Which::Active as u32;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, G_FRAME_INTERVAL, &mut arg) }?;
    Ok(arg.interval)
}

/// Asks for an interval in seconds and returns the one the driver chose.
#[doc(alias = "VIDIOC_SUBDEV_S_FRAME_INTERVAL")]
pub(crate) fn set_frame_interval(
    fd: BorrowedFd<'_>,
    pad: u16,
    interval: raw::v4l2_fract,
) -> Result<raw::v4l2_fract, Errno> {
    let mut arg = zeroed::<IntervalArg>();
    arg.pad = pad.into();
    arg.interval = interval;
    arg.which = Which::Active as u32;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, S_FRAME_INTERVAL, &mut arg) }?;
    Ok(arg.interval)
}

/// The rectangle that is set for a target, `V4L2_SEL_TGT_…`; EINVAL or ENOTTY without one.
#[doc(alias = "VIDIOC_SUBDEV_G_SELECTION")]
pub(crate) fn get_selection(
    fd: BorrowedFd<'_>,
    pad: u16,
    which: Which,
    target: u32,
) -> Result<Rect, Errno> {
    let mut arg = zeroed::<SelectionArg>();
    arg.pad = pad.into();
    arg.target = target;
    arg.which = which as u32;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, G_SELECTION, &mut arg) }?;
    Ok(arg.rect)
}

/// Sets the rectangle of a target.
#[doc(alias = "VIDIOC_SUBDEV_S_SELECTION")]
pub(crate) fn set_selection(
    fd: BorrowedFd<'_>,
    pad: u16,
    which: Which,
    target: u32,
    rect: Rect,
) -> Result<(), Errno> {
    let mut arg = zeroed::<SelectionArg>();
    arg.pad = pad.into();
    arg.target = target;
    arg.rect = rect;
    arg.which = which as u32;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, S_SELECTION, &mut arg) }
}
