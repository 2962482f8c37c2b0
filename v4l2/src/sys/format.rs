//! Formats, sizes and intervals.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::{call, raw, request};

/// A format as the kernel writes it, for either kind of queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawFormat {
    /// `enum v4l2_buf_type`.
    pub(crate) queue: u32,
    pub(crate) picture: RawPicture,
}

/// What of `struct v4l2_pix_format` and `struct v4l2_pix_format_mplane` matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawPicture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) code: u32,
    pub(crate) field: u32,
    pub(crate) colorspace: u32,
    pub(crate) encoding: u32,
    pub(crate) quantization: u32,
    /// How many of `strides` and `lens` mean something; 1 on a single-planar queue.
    pub(crate) planes: usize,
    pub(crate) strides: [u32; MAX],
    pub(crate) lens: [u32; MAX],
    /// Bytes that are asked for in a compressed frame's buffer; 0 leaves them to the driver, who
    /// alone says how long others are.
    pub(crate) room: u32,
}

const MAX: usize = dmaflow_core::layout::MAX_PLANES;

pub(super) fn is_multiplanar(queue: u32) -> bool {
    matches!(
        queue,
        raw::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
            | raw::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE
    )
}

impl RawPicture {
    fn from_single(pix: &raw::v4l2_pix_format) -> Self {
        let mut picture = Self {
            width: pix.width,
            height: pix.height,
            code: pix.pixelformat,
            field: pix.field,
            colorspace: pix.colorspace,
            // SAFETY: both members of the union are this number.
            encoding: unsafe { pix.__bindgen_anon_1.ycbcr_enc },
            quantization: pix.quantization,
            planes: 1,
            ..Self::default()
        };
        picture.strides[0] = pix.bytesperline;
        picture.lens[0] = pix.sizeimage;
        picture
    }

    fn from_multi(pix: &raw::v4l2_pix_format_mplane) -> Self {
        let mut picture = Self {
            width: pix.width,
            height: pix.height,
            code: pix.pixelformat,
            field: pix.field,
            colorspace: pix.colorspace,
            // SAFETY: both members of the union are this number.
            encoding: u32::from(unsafe { pix.__bindgen_anon_1.ycbcr_enc }),
            quantization: u32::from(pix.quantization),
            planes: usize::from(pix.num_planes),
            ..Self::default()
        };
        let planes = pix.plane_fmt;
        for (index, plane) in planes.iter().take(MAX).enumerate() {
            picture.strides[index] = plane.bytesperline;
            picture.lens[index] = plane.sizeimage;
        }
        picture
    }

    /// What is asked of the driver.
    fn to_single(self) -> raw::v4l2_pix_format {
        let mut pix = request::zeroed::<raw::v4l2_pix_format>();
        pix.width = self.width;
        pix.height = self.height;
        pix.pixelformat = self.code;
        pix.field = self.field;
        pix.bytesperline = self.strides[0];
        pix.sizeimage = self.room;
        pix.colorspace = self.colorspace;
        pix.__bindgen_anon_1.ycbcr_enc = self.encoding;
        pix.quantization = self.quantization;
        pix
    }

    fn to_multi(self) -> raw::v4l2_pix_format_mplane {
        let mut pix = request::zeroed::<raw::v4l2_pix_format_mplane>();
        pix.width = self.width;
        pix.height = self.height;
        pix.pixelformat = self.code;
        pix.field = self.field;
        pix.num_planes = u8::try_from(self.planes).unwrap_or(u8::MAX);
        pix.colorspace = self.colorspace;
        // Each is a small enumeration, whose 0 leaves it to the driver.
        pix.__bindgen_anon_1.ycbcr_enc = u8::try_from(self.encoding).unwrap_or(0);
        pix.quantization = u8::try_from(self.quantization).unwrap_or(0);
        let mut planes = pix.plane_fmt;
        for (plane, stride) in planes.iter_mut().zip(self.strides) {
            plane.bytesperline = stride;
        }
        if let Some(first) = planes.first_mut() {
            first.sizeimage = self.room;
        }
        pix.plane_fmt = planes;
        pix
    }
}

impl RawFormat {
    fn to_kernel(self) -> raw::v4l2_format {
        let mut arg = request::zeroed::<raw::v4l2_format>();
        arg.type_ = self.queue;
        if is_multiplanar(self.queue) {
            arg.fmt.pix_mp = self.picture.to_multi();
        } else {
            arg.fmt.pix = self.picture.to_single();
        }
        arg
    }

    fn from_kernel(arg: &raw::v4l2_format) -> Self {
        let picture = if is_multiplanar(arg.type_) {
            // SAFETY: the type says which member the kernel filled in.
            RawPicture::from_multi(unsafe { &arg.fmt.pix_mp })
        } else {
            // SAFETY: the type says which member the kernel filled in.
            RawPicture::from_single(unsafe { &arg.fmt.pix })
        };
        Self {
            queue: arg.type_,
            picture,
        }
    }
}

/// The format at `index` of those a queue has; EINVAL beyond the last.
#[doc(alias = "VIDIOC_ENUM_FMT")]
pub(crate) fn enum_fmt(
    fd: BorrowedFd<'_>,
    queue: u32,
    index: u32,
) -> Result<raw::v4l2_fmtdesc, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_fmtdesc>();
    arg.type_ = queue;
    arg.index = index;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::ENUM_FMT, &mut arg) }?;
    Ok(arg)
}

/// The format at `index` of those that a queue makes of a media bus code; EINVAL beyond the last.
/// Drivers without `V4L2_CAP_IO_MC` do not look at the code.
#[doc(alias = "VIDIOC_ENUM_FMT")]
pub(crate) fn enum_fmt_of_code(
    fd: BorrowedFd<'_>,
    queue: u32,
    mbus_code: u32,
    index: u32,
) -> Result<u32, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_fmtdesc>();
    arg.type_ = queue;
    arg.index = index;
    arg.mbus_code = mbus_code;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::ENUM_FMT, &mut arg) }?;
    Ok(arg.pixelformat)
}

/// The format that is set.
#[doc(alias = "VIDIOC_G_FMT")]
pub(crate) fn get_fmt(fd: BorrowedFd<'_>, queue: u32) -> Result<RawFormat, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_format>();
    arg.type_ = queue;
    // SAFETY: pictures' formats hold no pointers.
    unsafe { call(fd, request::G_FMT, &mut arg) }?;
    Ok(RawFormat::from_kernel(&arg))
}

/// A rectangle of a queue's pictures (`V4L2_SEL_TGT_…`): left, top, width, height. EINVAL and
/// ENOTTY where the driver knows none.
#[doc(alias = "VIDIOC_G_SELECTION")]
pub(crate) fn get_selection(
    fd: BorrowedFd<'_>,
    queue: u32,
    target: u32,
) -> Result<(i32, i32, u32, u32), Errno> {
    let mut arg = request::zeroed::<raw::v4l2_selection>();
    // The multi-planar types are not used here (`dev-selection`, "Configuration").
    (arg.type_, arg.target) = (single(queue), target);
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::G_SELECTION, &mut arg) }?;
    Ok((arg.r.left, arg.r.top, arg.r.width, arg.r.height))
}

/// The single-planar kind of a queue.
const fn single(queue: u32) -> u32 {
    match queue {
        raw::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE => {
            raw::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE
        }
        raw::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE => {
            raw::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT
        }
        other => other,
    }
}

/// Asks for a format and returns the one the driver chose.
#[doc(alias = "VIDIOC_S_FMT")]
pub(crate) fn set_fmt(fd: BorrowedFd<'_>, format: RawFormat) -> Result<RawFormat, Errno> {
    let mut arg = format.to_kernel();
    // SAFETY: pictures' formats hold no pointers.
    unsafe { call(fd, request::S_FMT, &mut arg) }?;
    Ok(RawFormat::from_kernel(&arg))
}

/// Says what the driver would choose, and sets nothing; ENOTTY where it cannot be asked.
#[doc(alias = "VIDIOC_TRY_FMT")]
pub(crate) fn try_fmt(fd: BorrowedFd<'_>, format: RawFormat) -> Result<RawFormat, Errno> {
    let mut arg = format.to_kernel();
    // SAFETY: pictures' formats hold no pointers.
    unsafe { call(fd, request::TRY_FMT, &mut arg) }?;
    Ok(RawFormat::from_kernel(&arg))
}

/// One answer about sizes.
pub(crate) enum RawSize {
    Discrete(raw::v4l2_frmsize_discrete),
    Stepwise(raw::v4l2_frmsize_stepwise),
}

/// The size at `index` of those a format has; EINVAL beyond the last.
#[doc(alias = "VIDIOC_ENUM_FRAMESIZES")]
pub(crate) fn enum_frame_sizes(
    fd: BorrowedFd<'_>,
    code: u32,
    index: u32,
) -> Result<RawSize, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_frmsizeenum>();
    arg.pixel_format = code;
    arg.index = index;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::ENUM_FRAMESIZES, &mut arg) }?;
    if arg.type_ == raw::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE {
        // SAFETY: the type says which member the kernel filled in.
        return Ok(RawSize::Discrete(unsafe { arg.__bindgen_anon_1.discrete }));
    }
    // SAFETY: stepwise and continuous share this member.
    Ok(RawSize::Stepwise(unsafe { arg.__bindgen_anon_1.stepwise }))
}

/// One answer about intervals, in seconds.
pub(crate) enum RawInterval {
    Discrete(raw::v4l2_fract),
    Stepwise(raw::v4l2_frmival_stepwise),
}

/// The interval at `index` of those a format has at a size; EINVAL beyond the last.
#[doc(alias = "VIDIOC_ENUM_FRAMEINTERVALS")]
pub(crate) fn enum_frame_intervals(
    fd: BorrowedFd<'_>,
    code: u32,
    (width, height): (u32, u32),
    index: u32,
) -> Result<RawInterval, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_frmivalenum>();
    arg.pixel_format = code;
    arg.width = width;
    arg.height = height;
    arg.index = index;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::ENUM_FRAMEINTERVALS, &mut arg) }?;
    if arg.type_ == raw::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE {
        // SAFETY: the type says which member the kernel filled in.
        let interval = unsafe { arg.__bindgen_anon_1.discrete };
        return Ok(RawInterval::Discrete(interval));
    }
    // SAFETY: stepwise and continuous share this member.
    let steps = unsafe { arg.__bindgen_anon_1.stepwise };
    Ok(RawInterval::Stepwise(steps))
}

/// The interval that is set, in seconds.
#[doc(alias = "VIDIOC_G_PARM")]
pub(crate) fn get_parm(fd: BorrowedFd<'_>, queue: u32) -> Result<raw::v4l2_fract, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_streamparm>();
    arg.type_ = queue;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::G_PARM, &mut arg) }?;
    // SAFETY: input and output queues have the interval in the same place.
    Ok(unsafe { arg.parm.capture }.timeperframe)
}

/// Asks for an interval in seconds and returns the one the driver chose.
#[doc(alias = "VIDIOC_S_PARM")]
pub(crate) fn set_parm(
    fd: BorrowedFd<'_>,
    queue: u32,
    interval: raw::v4l2_fract,
) -> Result<raw::v4l2_fract, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_streamparm>();
    arg.type_ = queue;
    arg.parm.capture.timeperframe = interval;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::S_PARM, &mut arg) }?;
    // SAFETY: input and output queues have the interval in the same place.
    Ok(unsafe { arg.parm.capture }.timeperframe)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> RawPicture {
        RawPicture {
            width: 640,
            height: 480,
            code: 0x3231_564e,
            field: 1,
            planes: 2,
            strides: [640, 640, 0, 0],
            colorspace: 3,
            encoding: 2,
            quantization: 1,
            ..RawPicture::default()
        }
    }

    #[test]
    fn what_is_asked_comes_back_from_a_driver_that_changes_nothing() {
        for queue in [1, 2, 9, 10] {
            let asked = RawFormat {
                queue,
                picture: picture(),
            };
            let back = RawFormat::from_kernel(&asked.to_kernel());
            let mut expected = picture();
            if !is_multiplanar(queue) {
                expected.planes = 1;
                expected.strides[1] = 0;
            }
            assert_eq!(back.queue, queue);
            assert_eq!(back.picture, expected, "queue {queue}");
        }
    }

    #[test]
    fn sizes_of_buffers_are_read_and_room_is_asked() {
        let mut asked = picture();
        asked.lens = [1000, 500, 0, 0];
        asked.room = 700;
        let back = RawPicture::from_multi(&asked.to_multi());
        assert_eq!(back.lens, [700, 0, 0, 0]);
        assert_eq!(RawPicture::from_single(&asked.to_single()).lens[0], 700);
    }
}
