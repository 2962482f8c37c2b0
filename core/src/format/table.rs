//! Every format that dmaflow knows.
//!
//! Sources: the kernel's `include/uapi/linux/videodev2.h`, the pages below
//! `Documentation/userspace-api/media/v4l/pixfmt*.rst`, and `include/uapi/drm/drm_fourcc.h`.

use super::{Family, FormatInfo, PlaneInfo};
use crate::fourcc::FourCc;

const fn code(text: &str) -> Option<FourCc> {
    match text.as_bytes() {
        [] => None,
        [a, b] => Some(FourCc::new([*a, *b, b' ', b' '])),
        [a, b, c] => Some(FourCc::new([*a, *b, *c, b' '])),
        [a, b, c, d] => Some(FourCc::new([*a, *b, *c, *d])),
        _ => unreachable!(),
    }
}

const fn plane(horizontal: u32, vertical: u32, block_columns: u32, block_bytes: u32) -> PlaneInfo {
    PlaneInfo {
        horizontal,
        vertical,
        block_columns,
        block_bytes,
    }
}

/// The names are `name`, V4L2's code, V4L2's code with a buffer a plane, DRM's code.
const fn format(
    names: [&'static str; 4],
    family: Family,
    planes: &'static [PlaneInfo],
) -> FormatInfo {
    let [name, v4l2, v4l2_multi, drm] = names;
    FormatInfo {
        name,
        family,
        v4l2: code(v4l2),
        v4l2_multi: code(v4l2_multi),
        drm: code(drm),
        planes,
    }
}

const fn rgb(names: [&'static str; 4], planes: &'static [PlaneInfo]) -> FormatInfo {
    format(names, Family::Rgb, planes)
}

const fn yuv(names: [&'static str; 4], planes: &'static [PlaneInfo]) -> FormatInfo {
    format(names, Family::Yuv, planes)
}

/// V4L2 alone has names for these.
const fn bayer(name: &'static str, v4l2: &'static str, planes: &'static [PlaneInfo]) -> FormatInfo {
    format([name, v4l2, "", ""], Family::Bayer, planes)
}

const fn compressed(name: &'static str, v4l2: &'static str) -> FormatInfo {
    format([name, v4l2, "", ""], Family::Compressed, &[])
}

const BYTES_1: &[PlaneInfo] = &[plane(1, 1, 1, 1)];
const BYTES_2: &[PlaneInfo] = &[plane(1, 1, 1, 2)];
const BYTES_3: &[PlaneInfo] = &[plane(1, 1, 1, 3)];
const BYTES_4: &[PlaneInfo] = &[plane(1, 1, 1, 4)];
const BYTES_8: &[PlaneInfo] = &[plane(1, 1, 1, 8)];
/// Two pixels share their chroma.
const PAIRS_8: &[PlaneInfo] = &[plane(1, 1, 2, 4)];
const PAIRS_16: &[PlaneInfo] = &[plane(1, 1, 2, 8)];
/// Four samples of ten bits in five bytes.
const PACKED_10: &[PlaneInfo] = &[plane(1, 1, 4, 5)];
/// Two samples of twelve bits in three bytes.
const PACKED_12: &[PlaneInfo] = &[plane(1, 1, 2, 3)];

const SEMI_420: &[PlaneInfo] = &[plane(1, 1, 1, 1), plane(2, 2, 1, 2)];
const SEMI_422: &[PlaneInfo] = &[plane(1, 1, 1, 1), plane(2, 1, 1, 2)];
const SEMI_444: &[PlaneInfo] = &[plane(1, 1, 1, 1), plane(1, 1, 1, 2)];
const SEMI_420_16: &[PlaneInfo] = &[plane(1, 1, 1, 2), plane(2, 2, 1, 4)];
const SEMI_420_PACKED_10: &[PlaneInfo] = &[plane(1, 1, 4, 5), plane(2, 2, 2, 5)];
const SEMI_422_PACKED_10: &[PlaneInfo] = &[plane(1, 1, 4, 5), plane(2, 1, 2, 5)];
const PLANAR_420: &[PlaneInfo] = &[plane(1, 1, 1, 1), plane(2, 2, 1, 1), plane(2, 2, 1, 1)];
const PLANAR_422: &[PlaneInfo] = &[plane(1, 1, 1, 1), plane(2, 1, 1, 1), plane(2, 1, 1, 1)];
const PLANAR_444: &[PlaneInfo] = &[plane(1, 1, 1, 1), plane(1, 1, 1, 1), plane(1, 1, 1, 1)];

pub(super) const XRGB8888: FormatInfo = rgb(["XRGB8888", "XR24", "", "XR24"], BYTES_4);
pub(super) const NV12: FormatInfo = yuv(["NV12", "NV12", "NM12", "NV12"], SEMI_420);
pub(super) const YUYV: FormatInfo = yuv(["YUYV", "YUYV", "", "YUYV"], PAIRS_8);

pub(super) static FORMATS: &[FormatInfo] = &[
    XRGB8888,
    rgb(["ARGB8888", "AR24", "", "AR24"], BYTES_4),
    rgb(["XBGR8888", "XB24", "", "XB24"], BYTES_4),
    rgb(["ABGR8888", "AB24", "", "AB24"], BYTES_4),
    rgb(["BGRX8888", "BX24", "", "BX24"], BYTES_4),
    rgb(["BGRA8888", "BA24", "", "BA24"], BYTES_4),
    rgb(["RGBX8888", "RX24", "", "RX24"], BYTES_4),
    rgb(["RGBA8888", "RA24", "", "RA24"], BYTES_4),
    rgb(["RGB888", "BGR3", "", "RG24"], BYTES_3),
    rgb(["BGR888", "RGB3", "", "BG24"], BYTES_3),
    rgb(["RGB565", "RGBP", "", "RG16"], BYTES_2),
    rgb(["XRGB1555", "XR15", "", "XR15"], BYTES_2),
    rgb(["ARGB1555", "AR15", "", "AR15"], BYTES_2),
    rgb(["XRGB4444", "XR12", "", "XR12"], BYTES_2),
    rgb(["ARGB4444", "AR12", "", "AR12"], BYTES_2),
    rgb(["ARGB2101010", "AR30", "", "AR30"], BYTES_4),
    rgb(["RGBX1010102", "RX30", "", "RX30"], BYTES_4),
    rgb(["RGBA1010102", "RA30", "", "RA30"], BYTES_4),
    rgb(["XRGB16161616", "", "", "XR48"], BYTES_8),
    YUYV,
    yuv(["UYVY", "UYVY", "", "UYVY"], PAIRS_8),
    yuv(["YVYU", "YVYU", "", "YVYU"], PAIRS_8),
    yuv(["VYUY", "VYUY", "", "VYUY"], PAIRS_8),
    NV12,
    yuv(["NV21", "NV21", "NM21", "NV21"], SEMI_420),
    yuv(["NV16", "NV16", "NM16", "NV16"], SEMI_422),
    yuv(["NV61", "NV61", "NM61", "NV61"], SEMI_422),
    yuv(["NV24", "NV24", "", "NV24"], SEMI_444),
    yuv(["NV42", "NV42", "", "NV42"], SEMI_444),
    yuv(["YUV420", "YU12", "YM12", "YU12"], PLANAR_420),
    yuv(["YVU420", "YV12", "YM21", "YV12"], PLANAR_420),
    yuv(["YUV422", "422P", "YM16", "YU16"], PLANAR_422),
    yuv(["YVU422", "", "YM61", "YV16"], PLANAR_422),
    yuv(["YUV444", "", "YM24", "YU24"], PLANAR_444),
    yuv(["YVU444", "", "YM42", "YV24"], PLANAR_444),
    yuv(["P010", "P010", "", "P010"], SEMI_420_16),
    yuv(["P012", "P012", "PM12", "P012"], SEMI_420_16),
    yuv(["NV15", "NV15", "", "NV15"], SEMI_420_PACKED_10),
    yuv(["NV20", "NV20", "", "NV20"], SEMI_422_PACKED_10),
    yuv(["Y210", "Y210", "", "Y210"], PAIRS_16),
    yuv(["Y212", "Y212", "", "Y212"], PAIRS_16),
    yuv(["XYUV8888", "VUYX", "", "XYUV"], BYTES_4),
    yuv(["AYUV", "VUYA", "", "AYUV"], BYTES_4),
    yuv(["YUVX", "YUVX", "", ""], BYTES_4),
    // The same bytes; DRM calls the one channel red, and drivers show it grey.
    yuv(["GREY", "GREY", "", "R8"], BYTES_1),
    yuv(["Y10", "Y10 ", "", ""], BYTES_2),
    yuv(["Y16", "Y16 ", "", ""], BYTES_2),
    bayer("SBGGR8", "BA81", BYTES_1),
    bayer("SGBRG8", "GBRG", BYTES_1),
    bayer("SGRBG8", "GRBG", BYTES_1),
    bayer("SRGGB8", "RGGB", BYTES_1),
    bayer("SBGGR10", "BG10", BYTES_2),
    bayer("SGBRG10", "GB10", BYTES_2),
    bayer("SGRBG10", "BA10", BYTES_2),
    bayer("SRGGB10", "RG10", BYTES_2),
    bayer("SBGGR10P", "pBAA", PACKED_10),
    bayer("SGBRG10P", "pGAA", PACKED_10),
    bayer("SGRBG10P", "pgAA", PACKED_10),
    bayer("SRGGB10P", "pRAA", PACKED_10),
    bayer("SBGGR12", "BG12", BYTES_2),
    bayer("SGBRG12", "GB12", BYTES_2),
    bayer("SGRBG12", "BA12", BYTES_2),
    bayer("SRGGB12", "RG12", BYTES_2),
    bayer("SBGGR12P", "pBCC", PACKED_12),
    bayer("SGBRG12P", "pGCC", PACKED_12),
    bayer("SGRBG12P", "pgCC", PACKED_12),
    bayer("SRGGB12P", "pRCC", PACKED_12),
    compressed("MJPEG", "MJPG"),
    compressed("JPEG", "JPEG"),
    compressed("H264", "H264"),
    compressed("H264_SLICE", "S264"),
    compressed("HEVC", "HEVC"),
    compressed("HEVC_SLICE", "S265"),
    compressed("VP8", "VP80"),
    compressed("VP8_FRAME", "VP8F"),
    compressed("VP9", "VP90"),
    compressed("VP9_FRAME", "VP9F"),
    compressed("AV1", "AV01"),
    compressed("AV1_FRAME", "AV1F"),
    compressed("MPEG2", "MPG2"),
    compressed("MPEG2_SLICE", "MG2S"),
    compressed("FWHT", "FWHT"),
    compressed("FWHT_STATELESS", "SFWH"),
];
