//! Request numbers, each with the structure that belongs to it.

use std::ffi::c_int;
use std::marker::PhantomData;

use rustix::ioctl::Opcode;
use v4l::v4l2::vidioc;

use super::raw;

/// The type of a request number, which C libraries disagree about.
pub(super) type Number = vidioc::_IOC_TYPE;

/// A structure that V4L2 exchanges with user space.
///
/// # Safety
/// All bytes zero must be a value of the type.
pub(super) unsafe trait Structure: Copy {}

/// A number that stands for "do this with a `T`".
///
/// # Invariants
/// The kernel reads and writes exactly a `T` for this number: [`request`] checked both.
#[derive(Clone, Copy)]
pub(super) struct Request<T>(Opcode, PhantomData<fn(&mut T)>);

impl<T> Request<T> {
    pub(super) const fn number(self) -> Opcode {
        self.0
    }
}

/// Pairs a number of the `v4l` crate with its structure. A header that disagrees with the
/// kernel's 64-bit interface, which `expected` is from, stops the build.
pub(super) const fn request<T: Structure>(number: Number, expected: Number) -> Request<T> {
    const SIZE_SHIFT: u32 = 16;
    const SIZE_MASK: Number = (1 << 14) - 1;
    assert!(number == expected);
    assert!((number >> SIZE_SHIFT) & SIZE_MASK == size_of::<T>() as Number);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "request numbers have 32 bits"
    )]
    let opcode = number as Opcode;
    Request(opcode, PhantomData)
}

pub(super) fn zeroed<T: Structure>() -> T {
    // SAFETY: the trait's contract.
    unsafe { std::mem::zeroed() }
}

macro_rules! structures {
    ($($name:ty),* $(,)?) => {
        $(
            // SAFETY: numbers, arrays of numbers, raw pointers and unions of these.
            unsafe impl Structure for $name {}
        )*
    };
}

structures!(
    (),
    c_int,
    raw::v4l2_buffer,
    raw::v4l2_capability,
    raw::v4l2_control,
    raw::v4l2_create_buffers,
    raw::v4l2_decoder_cmd,
    raw::v4l2_dv_timings,
    raw::v4l2_encoder_cmd,
    raw::v4l2_event,
    raw::v4l2_event_subscription,
    raw::v4l2_exportbuffer,
    raw::v4l2_ext_control,
    raw::v4l2_ext_controls,
    raw::v4l2_fmtdesc,
    raw::v4l2_format,
    raw::v4l2_frmivalenum,
    raw::v4l2_frmsizeenum,
    raw::v4l2_input,
    raw::v4l2_pix_format,
    raw::v4l2_pix_format_mplane,
    raw::v4l2_plane,
    raw::v4l2_query_ext_ctrl,
    raw::v4l2_querymenu,
    raw::v4l2_requestbuffers,
    raw::v4l2_selection,
    raw::v4l2_streamparm,
);

pub(super) const QUERYCAP: Request<raw::v4l2_capability> =
    request(vidioc::VIDIOC_QUERYCAP, 0x8068_5600);
pub(super) const ENUM_FMT: Request<raw::v4l2_fmtdesc> =
    request(vidioc::VIDIOC_ENUM_FMT, 0xc040_5602);
pub(super) const G_FMT: Request<raw::v4l2_format> = request(vidioc::VIDIOC_G_FMT, 0xc0d0_5604);
pub(super) const S_FMT: Request<raw::v4l2_format> = request(vidioc::VIDIOC_S_FMT, 0xc0d0_5605);
pub(super) const TRY_FMT: Request<raw::v4l2_format> = request(vidioc::VIDIOC_TRY_FMT, 0xc0d0_5640);
pub(super) const REQBUFS: Request<raw::v4l2_requestbuffers> =
    request(vidioc::VIDIOC_REQBUFS, 0xc014_5608);
pub(super) const QUERYBUF: Request<raw::v4l2_buffer> =
    request(vidioc::VIDIOC_QUERYBUF, 0xc058_5609);
pub(super) const EXPBUF: Request<raw::v4l2_exportbuffer> =
    request(vidioc::VIDIOC_EXPBUF, 0xc040_5610);
pub(super) const QBUF: Request<raw::v4l2_buffer> = request(vidioc::VIDIOC_QBUF, 0xc058_560f);
pub(super) const DQBUF: Request<raw::v4l2_buffer> = request(vidioc::VIDIOC_DQBUF, 0xc058_5611);
pub(super) const STREAMON: Request<c_int> = request(vidioc::VIDIOC_STREAMON, 0x4004_5612);
pub(super) const STREAMOFF: Request<c_int> = request(vidioc::VIDIOC_STREAMOFF, 0x4004_5613);
pub(super) const G_PARM: Request<raw::v4l2_streamparm> =
    request(vidioc::VIDIOC_G_PARM, 0xc0cc_5615);
pub(super) const S_PARM: Request<raw::v4l2_streamparm> =
    request(vidioc::VIDIOC_S_PARM, 0xc0cc_5616);
pub(super) const G_CTRL: Request<raw::v4l2_control> = request(vidioc::VIDIOC_G_CTRL, 0xc008_561b);
pub(super) const QUERYMENU: Request<raw::v4l2_querymenu> =
    request(vidioc::VIDIOC_QUERYMENU, 0xc02c_5625);
pub(super) const S_EXT_CTRLS: Request<raw::v4l2_ext_controls> =
    request(vidioc::VIDIOC_S_EXT_CTRLS, 0xc020_5648);
pub(super) const ENUMINPUT: Request<raw::v4l2_input> =
    request(vidioc::VIDIOC_ENUMINPUT, 0xc050_561a);
pub(super) const G_INPUT: Request<c_int> = request(vidioc::VIDIOC_G_INPUT, 0x8004_5626);
pub(super) const S_INPUT: Request<c_int> = request(vidioc::VIDIOC_S_INPUT, 0xc004_5627);
pub(super) const ENUM_FRAMESIZES: Request<raw::v4l2_frmsizeenum> =
    request(vidioc::VIDIOC_ENUM_FRAMESIZES, 0xc02c_564a);
pub(super) const ENUM_FRAMEINTERVALS: Request<raw::v4l2_frmivalenum> =
    request(vidioc::VIDIOC_ENUM_FRAMEINTERVALS, 0xc034_564b);
pub(super) const QUERY_EXT_CTRL: Request<raw::v4l2_query_ext_ctrl> =
    request(vidioc::VIDIOC_QUERY_EXT_CTRL, 0xc0e8_5667);

// Not among the `v4l` crate's numbers; their structures are.
pub(super) const PREPARE_BUF: Request<raw::v4l2_buffer> = request(
    rustix::ioctl::opcode::read_write::<raw::v4l2_buffer>(b'V', 93) as Number,
    0xc058_565d,
);

pub(super) const CREATE_BUFS: Request<raw::v4l2_create_buffers> = request(
    rustix::ioctl::opcode::read_write::<raw::v4l2_create_buffers>(b'V', 92) as Number,
    0xc100_565c,
);

pub(super) const S_DV_TIMINGS: Request<raw::v4l2_dv_timings> = request(
    rustix::ioctl::opcode::read_write::<raw::v4l2_dv_timings>(b'V', 87) as Number,
    0xc084_5657,
);
pub(super) const QUERY_DV_TIMINGS: Request<raw::v4l2_dv_timings> = request(
    rustix::ioctl::opcode::read::<raw::v4l2_dv_timings>(b'V', 99) as Number,
    0x8084_5663,
);
pub(super) const ENCODER_CMD: Request<raw::v4l2_encoder_cmd> = request(
    rustix::ioctl::opcode::read_write::<raw::v4l2_encoder_cmd>(b'V', 77) as Number,
    0xc028_564d,
);
pub(super) const DECODER_CMD: Request<raw::v4l2_decoder_cmd> = request(
    rustix::ioctl::opcode::read_write::<raw::v4l2_decoder_cmd>(b'V', 96) as Number,
    0xc048_5660,
);
pub(super) const G_SELECTION: Request<raw::v4l2_selection> = request(
    rustix::ioctl::opcode::read_write::<raw::v4l2_selection>(b'V', 94) as Number,
    0xc040_565e,
);
pub(super) const DQEVENT: Request<raw::v4l2_event> = request(
    rustix::ioctl::opcode::read::<raw::v4l2_event>(b'V', 89) as Number,
    0x8088_5659,
);
pub(super) const SUBSCRIBE_EVENT: Request<raw::v4l2_event_subscription> = request(
    rustix::ioctl::opcode::write::<raw::v4l2_event_subscription>(b'V', 90) as Number,
    0x4020_565a,
);
pub(super) const UNSUBSCRIBE_EVENT: Request<raw::v4l2_event_subscription> = request(
    rustix::ioctl::opcode::write::<raw::v4l2_event_subscription>(b'V', 91) as Number,
    0x4020_565b,
);

// What is carried inside other structures has no number of its own.
const _: () = assert!(size_of::<raw::v4l2_plane>() == 64);
const _: () = assert!(size_of::<raw::v4l2_plane_pix_format>() == 20);
const _: () = assert!(size_of::<raw::v4l2_ext_control>() == 20);
const _: () = assert!(std::mem::offset_of!(raw::v4l2_buffer, m) == 64);
const _: () = assert!(std::mem::offset_of!(raw::v4l2_format, fmt) == 8);
const _: () = assert!(std::mem::offset_of!(raw::v4l2_plane, data_offset) == 16);
