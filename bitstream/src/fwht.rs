//! What stands before each frame of FWHT, the kernel's own codec.
//!
//! Source: `struct fwht_cframe_hdr` in `drivers/media/test-drivers/vicodec/codec-fwht.h` and
//! `V4L2_FWHT_FL_…` in `linux/v4l2-controls.h`. All numbers are big-endian.

use crate::bits::BitReader;
use crate::error::{StreamError, Trouble};

/// What every header begins with; compressed data never holds it.
pub const FWHT_MAGIC: [u8; 8] = [0x4f, 0x4f, 0x4f, 0x4f, 0xff, 0xff, 0xff, 0xff];

/// Bytes of a header.
pub const FWHT_HEADER_LEN: usize = 44;

/// The newest version of the format.
const VERSION: u32 = 3;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FwhtHeader {
    /// The version of the format, from 1 on; key frames are marked since 3.
    pub version: u32,
    /// Columns to be seen.
    pub width: u32,
    /// Rows to be seen.
    pub height: u32,
    /// `V4L2_FWHT_FL_…`.
    pub flags: u32,
    /// `enum v4l2_colorspace`.
    pub colorspace: u32,
    /// `enum v4l2_xfer_func`.
    pub xfer_func: u32,
    /// `enum v4l2_ycbcr_encoding`.
    pub ycbcr_enc: u32,
    /// `enum v4l2_quantization`.
    pub quantization: u32,
    /// Bytes of data behind the header.
    pub size: u32,
}

impl FwhtHeader {
    /// `V4L2_FWHT_FL_CHROMA_FULL_HEIGHT`.
    pub const CHROMA_FULL_HEIGHT: u32 = 1 << 7;
    /// `V4L2_FWHT_FL_CHROMA_FULL_WIDTH`.
    pub const CHROMA_FULL_WIDTH: u32 = 1 << 8;
    /// `V4L2_FWHT_FL_I_FRAME`.
    pub const I_FRAME: u32 = 1 << 10;

    /// Reads a header from the beginning of a frame.
    ///
    /// # Errors
    /// [`Trouble::Ends`] where there are fewer than [`FWHT_HEADER_LEN`] bytes;
    /// [`Trouble::NotAllowed`] for another magic, version, size or kind of pixels.
    pub fn parse(data: &[u8]) -> Result<Self, StreamError> {
        let mut bits = BitReader::new(data);
        for (at, expected) in [(0, 0x4f4f_4f4f), (32, u32::MAX)] {
            let found = bits.bits(32, "magic")?;
            if found != expected {
                return Err(not_allowed(at, "magic", found));
            }
        }
        let header = Self {
            version: bits.bits(32, "version")?,
            width: bits.bits(32, "width")?,
            height: bits.bits(32, "height")?,
            flags: bits.bits(32, "flags")?,
            colorspace: bits.bits(32, "colorspace")?,
            xfer_func: bits.bits(32, "xfer_func")?,
            ycbcr_enc: bits.bits(32, "ycbcr_enc")?,
            quantization: bits.bits(32, "quantization")?,
            size: bits.bits(32, "size")?,
        };
        if !(1..=VERSION).contains(&header.version) {
            return Err(not_allowed(64, "version", header.version));
        }
        for (at, what, found) in [(96, "width", header.width), (128, "height", header.height)] {
            if !(1..=1 << 16).contains(&found) {
                return Err(not_allowed(at, what, found));
            }
        }
        if header.components() > 4 || header.version >= 2 && header.pixel_encoding() == 0 {
            return Err(not_allowed(160, "flags", header.flags));
        }
        Ok(header)
    }

    /// The bytes of it.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; FWHT_HEADER_LEN] {
        let words = [
            0x4f4f_4f4f,
            u32::MAX,
            self.version,
            self.width,
            self.height,
            self.flags,
            self.colorspace,
            self.xfer_func,
            self.ycbcr_enc,
            self.quantization,
            self.size,
        ];
        let mut bytes = [0; FWHT_HEADER_LEN];
        for (to, word) in bytes.chunks_mut(4).zip(words) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    /// Whether decoding can begin with it: whether it does not build on the frame before.
    #[must_use]
    pub const fn is_key(&self) -> bool {
        self.flags & Self::I_FRAME != 0
    }

    /// How many components its pixels have; up to 4 are allowed.
    #[must_use]
    pub const fn components(&self) -> u32 {
        if self.version < 2 {
            return 3;
        }
        1 + (self.flags >> 16 & 7)
    }

    /// What its pixels are: 1 YUV, 2 RGB, 3 HSV, as in `V4L2_FWHT_FL_PIXENC_MSK`; 0 before
    /// version 2, where they are YUV.
    #[must_use]
    pub const fn pixel_encoding(&self) -> u32 {
        if self.version < 2 {
            return 0;
        }
        self.flags >> 19 & 3
    }

    /// Columns and rows of pixels that share their samples of colour.
    #[must_use]
    pub const fn chroma_divisors(&self) -> (u32, u32) {
        let width = if self.flags & Self::CHROMA_FULL_WIDTH != 0 {
            1
        } else {
            2
        };
        let height = if self.flags & Self::CHROMA_FULL_HEIGHT != 0 {
            1
        } else {
            2
        };
        (width, height)
    }
}

fn not_allowed(bit: u64, what: &'static str, found: u32) -> StreamError {
    let found = found.into();
    BitReader::wrong(bit, what, Trouble::NotAllowed { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FwhtHeader {
        FwhtHeader {
            version: 3,
            width: 1280,
            height: 720,
            flags: 1 << 10 | 2 << 16 | 1 << 19,
            colorspace: 3,
            xfer_func: 1,
            ycbcr_enc: 2,
            quantization: 2,
            size: 1000,
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header = header();
        let bytes = header.to_bytes();
        assert_eq!(bytes[..8], FWHT_MAGIC);
        assert_eq!(FwhtHeader::parse(&bytes), Ok(header));
        assert!(header.is_key());
        assert_eq!((header.components(), header.pixel_encoding()), (3, 1));
        assert_eq!(header.chroma_divisors(), (2, 2));
        let full = FwhtHeader::CHROMA_FULL_WIDTH | FwhtHeader::CHROMA_FULL_HEIGHT;
        let full = FwhtHeader {
            flags: full,
            version: 1,
            ..header
        };
        assert!(!full.is_key());
        assert_eq!(full.chroma_divisors(), (1, 1));
        assert_eq!((full.components(), full.pixel_encoding()), (3, 0));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let bytes = header().to_bytes();
        for (at, what, bit) in [
            (0, "magic", 0),
            (5, "magic", 32),
            (11, "version", 64),
            (13, "width", 96),
            (16, "height", 128),
            (21, "flags", 160),
        ] {
            let mut wrong = bytes;
            wrong[at] = wrong[at].wrapping_add(0x80) ^ 0x04;
            let error = FwhtHeader::parse(&wrong).unwrap_err();
            assert_eq!((error.what, error.bit), (what, bit));
        }
        for len in 0..FWHT_HEADER_LEN {
            let error = FwhtHeader::parse(&bytes[..len]).unwrap_err();
            assert_eq!(error.trouble, Trouble::Ends);
        }
    }
}
