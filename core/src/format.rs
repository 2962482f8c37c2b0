//! Pixel formats: what a four-character code of V4L2 or DRM says about memory.
//!
//! V4L2 names (`Documentation/userspace-api/media/v4l/pixfmt.rst`) and DRM names
//! (`include/uapi/drm/drm_fourcc.h`) differ for the same bytes: V4L2's packed RGB names follow
//! memory order or the order in a register, by format, DRM's always the order in a
//! little-endian word. One [`Format`] is one order of bytes in memory, with both names.

mod colour;
mod ranking;
mod table;

pub use colour::{Colour, Encoding, Range};

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use crate::fourcc::FourCc;

/// A pixel format that dmaflow knows.
#[derive(Clone, Copy)]
pub struct Format(&'static FormatInfo);

/// What is known of a format.
#[derive(Debug)]
pub(crate) struct FormatInfo {
    /// DRM's name where it has one, otherwise V4L2's.
    name: &'static str,
    family: Family,
    /// V4L2's code for all planes in one buffer.
    v4l2: Option<FourCc>,
    /// V4L2's code for each plane in a buffer of its own.
    v4l2_multi: Option<FourCc>,
    drm: Option<FourCc>,
    planes: &'static [PlaneInfo],
}

/// The kinds of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Red, green and blue, packed in one plane.
    Rgb,
    /// Luma and chroma, or luma alone.
    Yuv,
    /// A colour filter array straight from a sensor.
    Bayer,
    /// A compressed stream; has no planes.
    Compressed,
}

/// How a plane stores its part of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaneInfo {
    /// Picture columns per sample column of this plane.
    pub horizontal: u32,
    /// Picture rows per row of this plane.
    pub vertical: u32,
    /// Sample columns that are stored together.
    pub block_columns: u32,
    /// Bytes those sample columns take.
    pub block_bytes: u32,
}

impl PlaneInfo {
    /// Bytes that a row of a picture `width` pixels wide needs, without padding.
    #[must_use]
    pub const fn row_bytes(&self, width: u32) -> Option<u32> {
        let blocks = width.div_ceil(self.horizontal).div_ceil(self.block_columns);
        blocks.checked_mul(self.block_bytes)
    }

    /// Rows that a picture `height` pixels high has in this plane.
    #[must_use]
    pub const fn rows(&self, height: u32) -> u32 {
        height.div_ceil(self.vertical)
    }
}

impl Format {
    /// Packed B, G, R and an unused byte in memory: what every display knows.
    pub const XRGB8888: Self = Self(&table::XRGB8888);
    /// Luma, then interleaved Cb and Cr at half the resolution.
    pub const NV12: Self = Self(&table::NV12);
    /// Packed Y, Cb, Y, Cr.
    pub const YUYV: Self = Self(&table::YUYV);

    /// All formats, RGB first.
    pub fn all() -> impl Iterator<Item = Self> {
        table::FORMATS.iter().map(Self)
    }

    /// The format that V4L2 calls so, be its planes in one buffer or in several.
    #[must_use]
    pub fn from_v4l2(code: FourCc) -> Option<Self> {
        Self::all().find(|format| format.v4l2() == Some(code) || format.v4l2_multi() == Some(code))
    }

    /// The format that DRM calls so.
    #[must_use]
    pub fn from_drm(code: FourCc) -> Option<Self> {
        Self::all().find(|format| format.drm() == Some(code))
    }

    /// Its name: DRM's where DRM has the format, otherwise V4L2's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// V4L2's code for it with all planes in one buffer.
    #[must_use]
    pub const fn v4l2(self) -> Option<FourCc> {
        self.0.v4l2
    }

    /// V4L2's code for it with each plane in a buffer of its own.
    #[must_use]
    pub const fn v4l2_multi(self) -> Option<FourCc> {
        self.0.v4l2_multi
    }

    /// DRM's code for it.
    #[must_use]
    pub const fn drm(self) -> Option<FourCc> {
        self.0.drm
    }

    /// What kind of pixels it has.
    #[must_use]
    pub const fn family(self) -> Family {
        self.0.family
    }

    /// Whether it is a compressed stream for a stateless decoder: one that is told in controls
    /// what it would have to read in the stream's headers
    /// (`Documentation/userspace-api/media/v4l/dev-stateless-decoder.rst`).
    #[must_use]
    pub fn is_stateless(self) -> bool {
        const CODES: [&[u8; 4]; 7] = [
            b"S264", b"S265", b"VP8F", b"VP9F", b"AV1F", b"MG2S", b"SFWH",
        ];
        self.v4l2()
            .is_some_and(|code| CODES.iter().any(|known| FourCc::new(**known) == code))
    }

    /// Its planes, in the order both kernels' interfaces count them.
    #[must_use]
    pub const fn planes(self) -> &'static [PlaneInfo] {
        self.0.planes
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Format {}

impl Hash for Format {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Format({})", self.name())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No format is called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no pixel format is called `{0}`")]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    /// Takes a name or either kernel interface's code, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        // Some codes differ in case only, so an exact match comes first.
        let find = |same: fn(&str, &str) -> bool| {
            Self::all().find(|format| {
                let codes = [format.drm(), format.v4l2(), format.v4l2_multi()];
                same(format.name(), text)
                    || codes
                        .iter()
                        .flatten()
                        .any(|code| same(&code.to_string(), text))
            })
        };
        find(|name, text| name == text)
            .or_else(|| find(str::eq_ignore_ascii_case))
            .ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_code_means_two_formats() {
        let mut v4l2 = HashSet::new();
        let mut drm = HashSet::new();
        let mut names = HashSet::new();
        for format in Format::all() {
            assert!(names.insert(format.name()), "{format} twice");
            for code in [format.v4l2(), format.v4l2_multi()].into_iter().flatten() {
                assert!(v4l2.insert(code), "V4L2's {code} twice");
            }
            if let Some(code) = format.drm() {
                assert!(drm.insert(code), "DRM's {code} twice");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes of comparing names, and no pointers")]
    fn every_format_is_found_by_each_of_its_names() {
        for format in Format::all() {
            assert_eq!(format.name().parse(), Ok(format));
            for code in [format.v4l2(), format.v4l2_multi()].into_iter().flatten() {
                assert_eq!(Format::from_v4l2(code), Some(format));
            }
            if let Some(code) = format.drm() {
                assert_eq!(Format::from_drm(code), Some(format));
                assert_eq!(
                    code.to_string().to_lowercase().parse(),
                    Ok(format),
                    "{code}"
                );
            }
        }
    }

    #[test]
    fn v4l2_and_drm_names_of_the_same_bytes() {
        let drm = |v4l2: &[u8; 4]| {
            Format::from_v4l2(FourCc::new(*v4l2))
                .and_then(|format| format.drm().map(|code| code.to_string()))
        };
        assert_eq!(drm(b"RGB3").as_deref(), Some("BG24"));
        assert_eq!(drm(b"BGR3").as_deref(), Some("RG24"));
        assert_eq!(drm(b"RGBP").as_deref(), Some("RG16"));
        assert_eq!(drm(b"422P").as_deref(), Some("YU16"));
        assert_eq!(drm(b"NM12").as_deref(), Some("NV12"));
        assert_eq!(drm(b"MJPG"), None);
    }

    #[test]
    fn streams_for_stateless_decoders_are_known() {
        let stateless: Vec<_> = Format::all()
            .filter(|format| format.is_stateless())
            .map(Format::name)
            .collect();
        assert_eq!(
            stateless,
            [
                "H264_SLICE",
                "HEVC_SLICE",
                "VP8_FRAME",
                "VP9_FRAME",
                "AV1_FRAME",
                "MPEG2_SLICE",
                "FWHT_STATELESS"
            ]
        );
    }

    #[test]
    fn packed_ten_bit_rows() {
        let nv15: Format = "NV15".parse().unwrap();
        // Four samples in five bytes, for both planes.
        assert_eq!(nv15.planes()[0].row_bytes(1280), Some(1600));
        assert_eq!(nv15.planes()[1].row_bytes(1280), Some(1600));
        assert_eq!(nv15.planes()[1].rows(721), 361);
    }
}
