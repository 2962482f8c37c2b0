//! Frames as rows of pixels, for who looks at them with the CPU.

mod rgb;

pub use rgb::RgbBytes;

use crate::format::{Colour, Encoding, Family, Format, Range};
use crate::layout::{Layout, Modifier};

/// How a format's pixels become red, green and blue, or luma, Cb and Cr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pixels(Reader);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Rgb(RgbBytes),
    Rgb565,
    /// Luma alone.
    Grey,
    /// Two pixels in four bytes: where luma, Cb and Cr are.
    Packed {
        luma: [usize; 2],
        chroma: [usize; 2],
    },
    /// Luma in a plane of bytes; plane, byte and bytes a sample of Cb and Cr.
    Planar {
        chroma: [(usize, usize); 2],
        step: usize,
    },
}

impl Pixels {
    /// How pixels of a format are read, where they can be.
    #[must_use]
    pub fn of(format: Format) -> Option<Self> {
        let packed = |luma, chroma| Reader::Packed { luma, chroma };
        let planar = |chroma, step| Reader::Planar { chroma, step };
        Some(Self(match format.name() {
            "RGB565" => Reader::Rgb565,
            "GREY" => Reader::Grey,
            "YUYV" => packed([0, 2], [1, 3]),
            "YVYU" => packed([0, 2], [3, 1]),
            "UYVY" => packed([1, 3], [0, 2]),
            "VYUY" => packed([1, 3], [2, 0]),
            "NV12" | "NV16" | "NV24" => planar([(1, 0), (1, 1)], 2),
            "NV21" | "NV61" | "NV42" => planar([(1, 1), (1, 0)], 2),
            "YUV420" | "YUV422" | "YUV444" => planar([(1, 0), (2, 0)], 1),
            "YVU420" | "YVU422" | "YVU444" => planar([(2, 0), (1, 0)], 1),
            _ => Reader::Rgb(RgbBytes::of(format)?),
        }))
    }

    /// The same for frames that lie so, whose rows must lie from top to bottom.
    #[must_use]
    pub fn of_layout(layout: &Layout) -> Option<Self> {
        let linear = layout.modifier() == Modifier::LINEAR;
        Self::of(layout.format()).filter(|_readable| linear)
    }

    /// Writes a frame's pixels into `rgb`: red, green and blue of each, rows without padding.
    /// `buffers` are the frame's, in the order of [`Layout::buffer_lens`].
    pub fn rgb(&self, layout: &Layout, buffers: &[&[u8]], rgb: &mut Vec<u8>) {
        rgb.clear();
        for y in 0..layout.height() {
            self.rgb_row(layout, buffers, y, rgb);
        }
    }

    /// Adds the pixels of a row to `rgb`: red, green and blue of each.
    pub fn rgb_row(&self, layout: &Layout, buffers: &[&[u8]], y: u32, rgb: &mut Vec<u8>) {
        self.colours((layout, buffers, y), |colour| rgb.extend(colour));
    }

    /// Gives `each` red, green and blue of the pixels of a row, from left to right.
    pub fn colours(&self, row: (&Layout, &[&[u8]], u32), mut each: impl FnMut([u8; 3])) {
        if row.0.format().family() == Family::Rgb {
            self.numbers(row, each);
        } else {
            let matrix = Matrix::of(row.0.colour());
            self.numbers(row, |[luma, cb, cr]| each(matrix.colour(luma, cb, cr)));
        }
    }

    /// Gives `each` the three numbers of the pixels of a row, from left to right, as they lie in
    /// memory: red, green and blue, or luma, Cb and Cr. Of grey ones Cb and Cr are 128.
    pub fn numbers(
        &self,
        (layout, buffers, y): (&Layout, &[&[u8]], u32),
        mut each: impl FnMut([u8; 3]),
    ) {
        let width = layout.width() as usize;
        let rows = |plane: usize| row(layout, buffers, plane, y);
        let first = rows(0);
        match self.0 {
            Reader::Rgb(format) => {
                let pixels = first.chunks_exact(format.bytes).take(width);
                pixels.for_each(|bytes| each(format.colour(bytes)));
            }
            Reader::Rgb565 => {
                let pixels = first.chunks_exact(2).take(width);
                pixels.for_each(|bytes| each(rgb565([bytes[0], bytes[1]])));
            }
            Reader::Grey => {
                let pixels = first.iter().take(width);
                pixels.for_each(|&luma| each([luma, 128, 128]));
            }
            Reader::Packed { luma, chroma } => (0..width).for_each(|x| {
                let pair = first.get(x / 2 * 4..).unwrap_or_default();
                each([luma[x % 2], chroma[0], chroma[1]].map(|at| byte(pair, at)));
            }),
            Reader::Planar { chroma, step } => {
                let [cb, cr] = chroma.map(|(plane, at)| (rows(plane), plane, at));
                let sample = |(row, plane, at): (&[u8], usize, usize), x: usize| {
                    let across = layout.format().planes()[plane].horizontal as usize;
                    byte(row, x / across * step + at)
                };
                (0..width).for_each(|x| each([byte(first, x), sample(cb, x), sample(cr, x)]));
            }
        }
    }
}

/// A plane's row for a row of the picture; empty where the memory ends early.
fn row<'b>(layout: &Layout, buffers: &[&'b [u8]], plane: usize, y: u32) -> &'b [u8] {
    let (place, info) = (layout.planes()[plane], layout.format().planes()[plane]);
    let start = place.offset as usize + (y / info.vertical) as usize * place.stride as usize;
    let buffer = buffers.get(place.buffer).copied().unwrap_or_default();
    buffer
        .get(start..start + place.stride as usize)
        .or_else(|| buffer.get(start..))
        .unwrap_or_default()
}

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or_default()
}

/// Five bits become eight by repeating the highest ones, so that white stays white.
fn rgb565(bytes: [u8; 2]) -> [u8; 3] {
    let word = u16::from_le_bytes(bytes);
    let [red, blue] = [word >> 11, word & 31].map(|five| five << 3 | five >> 2);
    let six = word >> 5 & 63;
    let green = six << 2 | six >> 4;
    [red, green, blue].map(|channel| channel.to_le_bytes()[0])
}

/// The way from luma and chroma to red, green and blue, in 1/65536.
#[derive(Clone, Copy, Debug)]
struct Matrix {
    black: i32,
    luma: i32,
    cr_to_red: i32,
    cb_to_green: i32,
    cr_to_green: i32,
    cb_to_blue: i32,
}

impl Matrix {
    /// The matrix of ITU-R BT.601, BT.709 or BT.2020; what is left open is BT.601 and limited.
    fn of(colour: Colour) -> Self {
        // How much red and blue weigh in luma.
        let (red, blue) = match colour.encoding {
            Some(Encoding::Bt601) | None => (0.299, 0.114),
            Some(Encoding::Bt709) => (0.2126, 0.0722),
            Some(Encoding::Bt2020) => (0.2627, 0.0593),
        };
        let green = 1.0 - red - blue;
        let (black, luma, chroma) = match colour.range {
            Some(Range::Full) => (0, 1.0, 1.0),
            Some(Range::Limited) | None => (16, 255.0 / 219.0, 255.0 / 224.0),
        };
        Self {
            black,
            luma: fixed(luma),
            cr_to_red: fixed(2.0 * (1.0 - red) * chroma),
            cb_to_green: fixed(-2.0 * (1.0 - blue) * blue / green * chroma),
            cr_to_green: fixed(-2.0 * (1.0 - red) * red / green * chroma),
            cb_to_blue: fixed(2.0 * (1.0 - blue) * chroma),
        }
    }

    fn colour(&self, luma: u8, cb: u8, cr: u8) -> [u8; 3] {
        let luma = (i32::from(luma) - self.black) * self.luma;
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        [
            luma + cr * self.cr_to_red,
            luma + cb * self.cb_to_green + cr * self.cr_to_green,
            luma + cb * self.cb_to_blue,
        ]
        .map(|channel| {
            let rounded = (channel + (1 << 15)) >> 16;
            u8::try_from(rounded.clamp(0, 255)).unwrap_or(u8::MAX)
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "coefficients are below 3, so that 65536 times one is below 2^31"
)]
fn fixed(coefficient: f64) -> i32 {
    (coefficient * 65536.0).round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(format: &str, width: u32, height: u32, colour: Colour, bytes: &[u8]) -> Vec<u8> {
        let format = format.parse().unwrap();
        let layout = Layout::packed(format, width, height).unwrap();
        let layout = layout.with_colour(colour);
        let mut rgb = Vec::new();
        let pixels = Pixels::of(format).unwrap();
        pixels.rgb(&layout, &[bytes], &mut rgb);
        rgb
    }

    const LIMITED: Colour = Colour {
        encoding: Some(Encoding::Bt601),
        range: Some(Range::Limited),
    };

    #[test]
    fn the_bars_of_bt_601_have_their_colours() {
        // 75 % colour bars as BT.601 codes them in 8 bits.
        for ((luma, cb, cr), expected) in [
            ((16, 128, 128), [0, 0, 0]),
            ((235, 128, 128), [255, 255, 255]),
            ((65, 100, 212), [191, 0, 0]),
            ((112, 72, 58), [0, 191, 0]),
            ((35, 212, 114), [0, 0, 191]),
        ] {
            let found = Matrix::of(LIMITED).colour(luma, cb, cr);
            for (found, expected) in found.into_iter().zip(expected) {
                assert!(found.abs_diff(expected) <= 1, "{found} for {expected}");
            }
        }
    }

    #[test]
    fn full_range_bt_709_differs() {
        let full = Colour {
            encoding: Some(Encoding::Bt709),
            range: Some(Range::Full),
        };
        assert_eq!(Matrix::of(full).colour(255, 128, 128), [255; 3]);
        assert_eq!(Matrix::of(full).colour(54, 99, 255), [254, 0, 0]);
        assert_ne!(
            Matrix::of(full).colour(100, 90, 200),
            Matrix::of(LIMITED).colour(100, 90, 200)
        );
    }

    #[test]
    fn every_order_of_packed_and_planar_samples_gives_the_same_picture() {
        let (y, u, v) = (81, 90, 240);
        let expected = Matrix::of(LIMITED).colour(y, u, v).repeat(4);
        for (format, bytes) in [
            ("YUYV", [y, u, y, v].repeat(2)),
            ("UYVY", [u, y, v, y].repeat(2)),
            ("YVYU", [y, v, y, u].repeat(2)),
            ("VYUY", [v, y, u, y].repeat(2)),
            ("NV12", vec![y, y, y, y, u, v]),
            ("NV21", vec![y, y, y, y, v, u]),
            ("YU12", vec![y, y, y, y, u, v]),
            ("YV12", vec![y, y, y, y, v, u]),
            ("NV16", vec![y, y, y, y, u, v, u, v]),
            ("NV24", vec![y, y, y, y, u, v, u, v, u, v, u, v]),
        ] {
            assert_eq!(
                converted(format, 2, 2, LIMITED, &bytes),
                expected,
                "{format}"
            );
        }
    }

    #[test]
    fn neighbours_in_a_pair_have_their_own_luma() {
        let rgb = converted("YUYV", 2, 1, LIMITED, &[16, 128, 235, 128]);
        assert_eq!(rgb, [0, 0, 0, 255, 255, 255]);
    }

    #[test]
    fn rgb_keeps_its_numbers() {
        let colour = Colour::default();
        assert_eq!(
            converted("XRGB8888", 1, 1, colour, &[3, 2, 1, 9]),
            [1, 2, 3]
        );
        assert_eq!(converted("BGR888", 1, 1, colour, &[1, 2, 3]), [1, 2, 3]);
        assert_eq!(converted("RGB565", 1, 1, colour, &[0xff, 0xff]), [255; 3]);
        assert_eq!(
            converted("RGB565", 1, 1, colour, &[0x00, 0xf8]),
            [255, 0, 0]
        );
        assert_eq!(
            converted("RGB565", 1, 1, colour, &[0xe0, 0x07]),
            [0, 255, 0]
        );
    }
}
