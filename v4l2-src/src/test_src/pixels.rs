//! The formats that can be drawn, and how each stores a colour.

use dmaflow_core::format::{Colour, Encoding, Family, Format, Range};

/// The formats that can be drawn.
pub(super) const FORMATS: [Format; 3] = [Format::XRGB8888, Format::NV12, Format::YUYV];

/// One of [`FORMATS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pixels {
    Xrgb8888,
    Nv12,
    Yuyv,
}

/// Pixels of one colour that are stored together, in one plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) bytes: [u8; 4],
    /// How many of the bytes there are.
    pub(super) len: usize,
}

impl Pixels {
    pub(super) fn of(format: Format) -> Option<Self> {
        let kinds = [Self::Xrgb8888, Self::Nv12, Self::Yuyv];
        let mut known = FORMATS.iter().zip(kinds);
        known.find_map(|(known, kind)| (*known == format).then_some(kind))
    }

    /// How a plane stores a colour, given as red, green and blue.
    pub(super) fn block(self, plane: usize, [r, g, b]: [u8; 3]) -> Block {
        let [y, u, v] = bt601([r, g, b]);
        let (bytes, len) = match (self, plane) {
            (Self::Xrgb8888, _) => ([b, g, r, u8::MAX], 4),
            (Self::Yuyv, _) => ([y, u, y, v], 4),
            (Self::Nv12, 0) => ([y; 4], 1),
            (Self::Nv12, _) => ([u, v, u, v], 2),
        };
        Block { bytes, len }
    }

    /// Bytes from pixel to pixel of the first plane, and which byte of a pixel is high in white
    /// and low in black.
    pub(super) const fn brightness(self) -> (usize, usize) {
        match self {
            Self::Xrgb8888 => (4, 1),
            Self::Yuyv => (2, 0),
            Self::Nv12 => (1, 0),
        }
    }
}

/// How the numbers that are drawn become colours.
pub(super) fn colour(format: Format) -> Colour {
    match format.family() {
        Family::Yuv => Colour {
            encoding: Some(Encoding::Bt601),
            range: Some(Range::Limited),
        },
        _ => Colour {
            encoding: None,
            range: Some(Range::Full),
        },
    }
}

/// Luma and chroma by ITU-R BT.601, limited range.
fn bt601([r, g, b]: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(i32::from);
    let scale = |sum: i32, zero: i32| u8::try_from(((sum + 128) >> 8) + zero).unwrap_or(u8::MAX);
    [
        scale(66 * r + 129 * g + 25 * b, 16),
        scale(-38 * r - 74 * g + 112 * b, 128),
        scale(112 * r - 94 * g - 18 * b, 128),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours() {
        assert_eq!(bt601([255; 3]), [235, 128, 128]);
        assert_eq!(bt601([0; 3]), [16, 128, 128]);
        assert_eq!(bt601([255, 0, 0]), [82, 90, 240]);
        assert_eq!(Pixels::Xrgb8888.block(0, [1, 2, 3]).bytes, [3, 2, 1, 255]);
    }

    #[test]
    fn blocks_are_those_of_the_format() {
        for format in FORMATS {
            let pixels = Pixels::of(format).unwrap();
            for (index, plane) in format.planes().iter().enumerate() {
                let block = pixels.block(index, [0; 3]);
                assert_eq!(block.len, plane.block_bytes as usize, "{format} {index}");
            }
        }
        assert_eq!(Pixels::of("UYVY".parse().unwrap()), None);
    }
}
