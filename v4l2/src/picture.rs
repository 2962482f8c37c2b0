//! The format of a queue, as a checked layout, and its rate.

use dmaflow_core::Errno;
use dmaflow_core::format::{Colour, Encoding, Family, Format, Range};
use dmaflow_core::fourcc::FourCc;
use dmaflow_core::layout::{Layout, LayoutError};
use dmaflow_core::time::Rate;

use crate::device::{Direction, VideoDevice};
use crate::error::V4l2Error;
use crate::modes::rate_of;
use crate::stride::{aligned, aligned_layout};
use crate::sys::{self, RawFormat, RawPicture, raw};

/// The format a queue is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatRequest {
    /// V4L2's code, as [`FormatInfo::code`](crate::FormatInfo::code) lists it.
    pub code: FourCc,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The strides that are wished for, in bytes, one a buffer; drivers may choose others.
    pub strides: Vec<u32>,
    /// How many bytes a compressed frame is to have room for; as the driver likes best for 0. It
    /// may choose another.
    pub room: u32,
    /// How the numbers that go in become colours; drivers say themselves of what comes out.
    pub colour: Colour,
}

impl FormatRequest {
    /// A format with strides that every display takes.
    #[must_use]
    pub fn aligned(format: Format, code: FourCc, (width, height): (u32, u32)) -> Self {
        let strides = if format.v4l2_multi() == Some(code) {
            let rows = format.planes().iter().map(|plane| plane.row_bytes(width));
            rows.map(|bytes| aligned(bytes.unwrap_or(0))).collect()
        } else {
            // A size without a layout is the driver's to refuse.
            let layout = aligned_layout(format, width, height).ok();
            vec![layout.map_or(0, |layout| layout.planes()[0].stride)]
        };
        Self {
            code,
            width,
            height,
            strides,
            room: 0,
            colour: Colour::default(),
        }
    }

    /// The format that frames are in already; `None` where V4L2 has no code for them.
    #[must_use]
    pub fn of(layout: &Layout) -> Option<Self> {
        let format = layout.format();
        let buffers = layout.buffer_lens().len();
        let code = if buffers > 1 {
            format.v4l2_multi()
        } else {
            format.v4l2()
        };
        let planes = layout.planes().iter();
        Some(Self {
            code: code?,
            width: layout.width(),
            height: layout.height(),
            strides: planes.take(buffers).map(|plane| plane.stride).collect(),
            room: match (layout.planes(), layout.buffer_lens()) {
                ([], [room]) => *room,
                _ => 0,
            },
            colour: layout.colour(),
        })
    }
}

impl VideoDevice {
    /// The format that a queue has.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; EINVAL when the device has no such queue, ENODEV when it is gone.
    /// Otherwise what is wrong with the driver's answer.
    #[doc(alias = "VIDIOC_G_FMT")]
    pub fn layout(&self, direction: Direction) -> Result<Layout, V4l2Error> {
        self.checked(&self.picture(direction)?)
    }

    fn picture(&self, direction: Direction) -> Result<RawPicture, V4l2Error> {
        let format = sys::get_fmt(self.fd(), self.queue_type(direction))
            .map_err(self.failed("VIDIOC_G_FMT", "ask for its format"))?;
        Ok(format.picture)
    }

    /// V4L2's code of the format that a queue has, which need not be one that dmaflow knows.
    ///
    /// # Errors
    /// [`V4l2Error::Call`], as [`VideoDevice::layout`].
    #[doc(alias = "VIDIOC_G_FMT")]
    pub fn code(&self, direction: Direction) -> Result<FourCc, V4l2Error> {
        Ok(FourCc::from_u32(self.picture(direction)?.code))
    }

    /// The size of the pictures that a queue has, whatever their format is.
    ///
    /// # Errors
    /// [`V4l2Error::Call`], as [`VideoDevice::layout`].
    #[doc(alias = "VIDIOC_G_FMT")]
    pub fn size(&self, direction: Direction) -> Result<(u32, u32), V4l2Error> {
        let picture = self.picture(direction)?;
        Ok((picture.width, picture.height))
    }

    /// What is to be seen of a decoder's pictures: width and height. All of them where the driver
    /// knows no part.
    ///
    /// # Errors
    /// [`V4l2Error::Call`], as [`VideoDevice::layout`].
    #[doc(alias = "VIDIOC_G_SELECTION")]
    pub fn visible_size(&self) -> Result<(u32, u32), V4l2Error> {
        let queue = self.queue_type(Direction::Capture);
        let target = raw::V4L2_SEL_TGT_COMPOSE;
        match sys::get_selection(self.fd(), queue, target) {
            Ok((0, 0, width, height)) if width > 0 && height > 0 => Ok((width, height)),
            _ => self.size(Direction::Capture),
        }
    }

    /// Asks for a format and returns the one that the driver chose, which may be another.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; EBUSY while the device streams or has buffers, ENODEV when it is
    /// gone. Otherwise what is wrong with the driver's answer.
    #[doc(alias = "VIDIOC_S_FMT")]
    pub fn set_format(
        &self,
        direction: Direction,
        request: &FormatRequest,
    ) -> Result<Layout, V4l2Error> {
        let FormatRequest {
            code,
            width,
            height,
            ..
        } = request;
        let mut picture = RawPicture {
            width: *width,
            height: *height,
            code: code.to_u32(),
            field: raw::v4l2_field_V4L2_FIELD_NONE,
            planes: request.strides.len().max(1),
            room: request.room,
            ..RawPicture::default()
        };
        if direction == Direction::Output {
            say(&mut picture, Format::from_v4l2(*code), request.colour);
        }
        for (stride, asked) in picture.strides.iter_mut().zip(&request.strides) {
            *stride = *asked;
        }
        let asked = RawFormat {
            queue: self.queue_type(direction),
            picture,
        };
        let doing = format!("set the format {code} at {width}×{height}");
        let chosen = sys::set_fmt(self.fd(), asked).map_err(self.failed("VIDIOC_S_FMT", doing))?;
        self.checked(&chosen.picture)
    }

    fn checked(&self, picture: &RawPicture) -> Result<Layout, V4l2Error> {
        let code = FourCc::from_u32(picture.code);
        parse(picture).map_err(|fault| {
            let device = self.to_string();
            match fault {
                Fault::Unknown => V4l2Error::UnknownFormat { device, code },
                Fault::Fields => V4l2Error::Fields {
                    device,
                    field: picture.field,
                },
                Fault::Buffers => V4l2Error::Buffers {
                    device,
                    code,
                    buffers: picture.planes,
                },
                Fault::Layout(source) => V4l2Error::Layout {
                    device,
                    code,
                    source,
                },
            }
        })
    }

    /// How often the device takes or gives a picture; `None` where the driver does not say.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_G_PARM")]
    pub fn rate(&self, direction: Direction) -> Result<Option<Rate>, V4l2Error> {
        match sys::get_parm(self.fd(), self.queue_type(direction)) {
            Ok(interval) => Ok(rate_of(interval)),
            Err(Errno::ENOTTY | Errno::EINVAL) => Ok(None),
            Err(errno) => Err(self.failed("VIDIOC_G_PARM", "ask for its rate")(errno)),
        }
    }

    /// Asks for a rate and returns the one that the driver chose; `None` where it has no say.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; EBUSY while the device streams, ENODEV when it is gone.
    #[doc(alias = "VIDIOC_S_PARM")]
    pub fn set_rate(&self, direction: Direction, rate: Rate) -> Result<Option<Rate>, V4l2Error> {
        let interval = raw::v4l2_fract {
            numerator: rate.seconds(),
            denominator: rate.frames(),
        };
        match sys::set_parm(self.fd(), self.queue_type(direction), interval) {
            Ok(interval) => Ok(rate_of(interval)),
            Err(Errno::ENOTTY | Errno::EINVAL) => Ok(None),
            Err(errno) => {
                let doing = format!("set {rate} frames a second");
                Err(self.failed("VIDIOC_S_PARM", doing)(errno))
            }
        }
    }
}

/// What is wrong with a driver's answer.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Unknown,
    Fields,
    Buffers,
    Layout(LayoutError),
}

impl From<LayoutError> for Fault {
    fn from(error: LayoutError) -> Self {
        Self::Layout(error)
    }
}

fn parse(picture: &RawPicture) -> Result<Layout, Fault> {
    let code = FourCc::from_u32(picture.code);
    let format = Format::from_v4l2(code).ok_or(Fault::Unknown)?;
    // Interleaved fields still make a whole picture; one field a buffer does not.
    let whole = [
        raw::v4l2_field_V4L2_FIELD_ANY,
        raw::v4l2_field_V4L2_FIELD_NONE,
        raw::v4l2_field_V4L2_FIELD_INTERLACED,
        raw::v4l2_field_V4L2_FIELD_INTERLACED_TB,
        raw::v4l2_field_V4L2_FIELD_INTERLACED_BT,
    ];
    if !whole.contains(&picture.field) {
        return Err(Fault::Fields);
    }
    let buffers = if format.v4l2_multi() == Some(code) {
        format.planes().len()
    } else {
        1
    };
    if picture.planes != buffers {
        return Err(Fault::Buffers);
    }
    let (width, height) = (picture.width, picture.height);
    if format.planes().is_empty() {
        let layout = Layout::compressed(format, (width, height), picture.lens[0])?;
        return Ok(layout.with_colour(colour(format, picture)));
    }
    let strides = &picture.strides[..buffers];
    let layout = match strides {
        [0] => Layout::packed(format, width, height),
        [stride] => Layout::with_stride(format, width, height, *stride),
        strides => Layout::with_buffers(format, width, height, strides),
    };
    Ok(layout?
        // Drivers may keep more than pixels in a buffer: motion vectors, a last line of DMA.
        .with_buffer_lens(&picture.lens[..buffers])?
        .with_colour(colour(format, picture)))
}

/// What numbers mean, by the rules of `V4L2_MAP_YCBCR_ENC_DEFAULT` and
/// `V4L2_MAP_QUANTIZATION_DEFAULT` in `linux/videodev2.h` where the driver leaves it to them.
fn colour(format: Format, picture: &RawPicture) -> Colour {
    let space = picture.colorspace;
    if space == raw::v4l2_colorspace_V4L2_COLORSPACE_DEFAULT {
        return Colour::default();
    }
    // What is in a stream is told as that of pictures in YUV, which nearly all are.
    let yuv = matches!(format.family(), Family::Yuv | Family::Compressed);
    let encoding = match picture.encoding {
        raw::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_DEFAULT => match space {
            raw::v4l2_colorspace_V4L2_COLORSPACE_REC709
            | raw::v4l2_colorspace_V4L2_COLORSPACE_DCI_P3 => Some(Encoding::Bt709),
            raw::v4l2_colorspace_V4L2_COLORSPACE_BT2020 => Some(Encoding::Bt2020),
            raw::v4l2_colorspace_V4L2_COLORSPACE_SMPTE240M => None,
            _ => Some(Encoding::Bt601),
        },
        raw::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_601
        | raw::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_XV601
        | raw::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_SYCC => Some(Encoding::Bt601),
        raw::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_709
        | raw::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_XV709 => Some(Encoding::Bt709),
        raw::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_BT2020 => Some(Encoding::Bt2020),
        _ => None,
    };
    let range = match picture.quantization {
        raw::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE => Some(Range::Full),
        raw::v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE => Some(Range::Limited),
        raw::v4l2_quantization_V4L2_QUANTIZATION_DEFAULT => {
            let full = !yuv || space == raw::v4l2_colorspace_V4L2_COLORSPACE_JPEG;
            Some(if full { Range::Full } else { Range::Limited })
        }
        _ => None,
    };
    Colour {
        encoding: encoding.filter(|_of_meaning| yuv),
        range,
    }
}

/// Says what the numbers of a format mean, as far as it is known: the opposite of [`colour`].
///
/// What the rules make of a colour space is left to them, since converters hand on what they are
/// told to what comes out, in another format.
fn say(picture: &mut RawPicture, format: Option<Format>, colour: Colour) {
    let rgb =
        format.is_some_and(|format| !matches!(format.family(), Family::Yuv | Family::Compressed));
    picture.colorspace = match colour.encoding {
        Some(Encoding::Bt601) => raw::v4l2_colorspace_V4L2_COLORSPACE_SMPTE170M,
        Some(Encoding::Bt709) => raw::v4l2_colorspace_V4L2_COLORSPACE_REC709,
        Some(Encoding::Bt2020) => raw::v4l2_colorspace_V4L2_COLORSPACE_BT2020,
        // Of RGB there is little else to be known.
        None if rgb || colour.range.is_some() => raw::v4l2_colorspace_V4L2_COLORSPACE_SRGB,
        None => raw::v4l2_colorspace_V4L2_COLORSPACE_DEFAULT,
    };
    picture.quantization = match colour.range {
        Some(Range::Full) if !rgb => raw::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE,
        Some(Range::Limited) if rgb => raw::v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE,
        _ => raw::v4l2_quantization_V4L2_QUANTIZATION_DEFAULT,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(code: &[u8; 4], strides: &[u32], lens: &[u32]) -> RawPicture {
        let mut picture = RawPicture {
            width: 1280,
            height: 720,
            code: FourCc::new(*code).to_u32(),
            field: 1,
            colorspace: raw::v4l2_colorspace_V4L2_COLORSPACE_REC709,
            planes: strides.len(),
            ..RawPicture::default()
        };
        picture.strides[..strides.len()].copy_from_slice(strides);
        picture.lens[..lens.len()].copy_from_slice(lens);
        picture
    }

    #[test]
    fn one_buffer_holds_all_planes_and_more() {
        let layout = parse(&picture(b"NV12", &[1344], &[1_500_000])).unwrap();
        assert_eq!(layout.format(), Format::NV12);
        assert_eq!(layout.planes()[1].offset, 1344 * 720);
        assert_eq!(layout.buffer_lens(), [1_500_000]);
    }

    #[test]
    fn a_buffer_a_plane() {
        let layout = parse(&picture(b"NM12", &[1280, 1344], &[921_600, 500_000])).unwrap();
        assert_eq!(layout.format(), Format::NV12);
        assert_eq!(layout.planes()[1].buffer, 1);
        assert_eq!(layout.planes()[1].stride, 1344);
        assert_eq!(layout.buffer_lens(), [921_600, 500_000]);
    }

    #[test]
    fn a_driver_that_leaves_the_stride_out_means_none_to_spare() {
        let layout = parse(&picture(b"YUYV", &[0], &[1280 * 720 * 2])).unwrap();
        assert_eq!(layout.planes()[0].stride, 2560);
    }

    #[test]
    fn answers_that_cannot_be() {
        let short = parse(&picture(b"NV12", &[1280], &[1000]));
        assert!(
            matches!(short, Err(Fault::Layout(LayoutError::ShortBuffer { .. }))),
            "{short:?}"
        );
        let narrow = parse(&picture(b"XR24", &[1280], &[u32::MAX]));
        assert!(
            matches!(narrow, Err(Fault::Layout(LayoutError::ShortStride { .. }))),
            "{narrow:?}"
        );
        assert_eq!(parse(&picture(b"????", &[1], &[1])), Err(Fault::Unknown));
        assert_eq!(
            parse(&picture(b"NM12", &[1280], &[921_600])),
            Err(Fault::Buffers)
        );
        let mut fields = picture(b"YUYV", &[2560], &[2560 * 720]);
        fields.field = raw::v4l2_field_V4L2_FIELD_ALTERNATE;
        assert_eq!(parse(&fields), Err(Fault::Fields));
        let stream = parse(&picture(b"MJPG", &[0], &[1000])).unwrap();
        assert!(stream.planes().is_empty());
        assert_eq!(stream.buffer_lens(), [1000]);
    }

    #[test]
    fn a_streams_colours_are_those_of_its_pictures() {
        let stream = parse(&picture(b"FWHT", &[0], &[1000])).unwrap();
        assert_eq!(stream.colour().encoding, Some(Encoding::Bt709));
        assert_eq!(stream.colour().range, Some(Range::Limited));
        let mut told = RawPicture::default();
        say(&mut told, Some(stream.format()), stream.colour());
        assert_eq!(told.colorspace, raw::v4l2_colorspace_V4L2_COLORSPACE_REC709);
    }

    #[test]
    fn colours_follow_the_header_where_the_driver_says_nothing() {
        let of = |code: &[u8; 4], space, encoding, quantization| {
            let mut picture = picture(code, &[8192], &[u32::MAX]);
            picture.colorspace = space;
            picture.encoding = encoding;
            picture.quantization = quantization;
            parse(&picture).unwrap().colour()
        };
        let hd = of(b"YUYV", raw::v4l2_colorspace_V4L2_COLORSPACE_REC709, 0, 0);
        assert_eq!(
            (hd.encoding, hd.range),
            (Some(Encoding::Bt709), Some(Range::Limited))
        );
        let webcam = of(b"YUYV", raw::v4l2_colorspace_V4L2_COLORSPACE_SRGB, 0, 0);
        assert_eq!(
            (webcam.encoding, webcam.range),
            (Some(Encoding::Bt601), Some(Range::Limited))
        );
        let jpeg = of(b"YUYV", raw::v4l2_colorspace_V4L2_COLORSPACE_JPEG, 0, 0);
        assert_eq!(jpeg.range, Some(Range::Full));
        let rgb = of(b"XR24", raw::v4l2_colorspace_V4L2_COLORSPACE_SRGB, 2, 0);
        assert_eq!((rgb.encoding, rgb.range), (None, Some(Range::Full)));
        let told = of(b"YUYV", raw::v4l2_colorspace_V4L2_COLORSPACE_SRGB, 2, 1);
        assert_eq!(
            (told.encoding, told.range),
            (Some(Encoding::Bt709), Some(Range::Full))
        );
        assert_eq!(of(b"YUYV", 0, 0, 0), Colour::default());
    }

    #[test]
    fn what_is_said_of_colours_is_understood() {
        let understood = |format, known| {
            let mut picture = RawPicture::default();
            say(&mut picture, Some(format), known);
            (colour(format, &picture), picture)
        };
        for encoding in [Encoding::Bt601, Encoding::Bt709, Encoding::Bt2020] {
            for range in [Range::Full, Range::Limited] {
                let known = Colour {
                    encoding: Some(encoding),
                    range: Some(range),
                };
                assert_eq!(understood(Format::NV12, known).0, known);
            }
        }
        for range in [Range::Full, Range::Limited] {
            let known = Colour {
                encoding: None,
                range: Some(range),
            };
            assert_eq!(understood(Format::XRGB8888, known).0, known);
        }
        let unknown = Colour::default();
        assert_eq!(understood(Format::NV12, unknown).0, unknown);
    }

    #[test]
    fn what_is_handed_on_of_rgb_means_the_usual_for_yuv() {
        let mut picture = RawPicture::default();
        let full = Colour {
            encoding: None,
            range: Some(Range::Full),
        };
        say(&mut picture, Some(Format::XRGB8888), full);
        let handed_on = colour(Format::YUYV, &picture);
        assert_eq!(handed_on.encoding, Some(Encoding::Bt601));
        assert_eq!(handed_on.range, Some(Range::Limited));
    }

    #[test]
    fn a_layout_is_asked_for_as_it_is() {
        let one = Layout::with_stride(Format::NV12, 1280, 720, 1344).unwrap();
        let request = FormatRequest::of(&one).unwrap();
        assert_eq!(request.code.to_string(), "NV12");
        assert_eq!(request.strides, [1344]);
        let two = Layout::with_buffers(Format::NV12, 1280, 720, &[1280, 1344]).unwrap();
        let request = FormatRequest::of(&two).unwrap();
        assert_eq!(request.code.to_string(), "NM12");
        assert_eq!(request.strides, [1280, 1344]);
    }
}
