//! Which of several formats is best where nobody asks for one.

use super::{Family, Format};

/// How much is lost in a format, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Nothing is subsampled, and no matrix has to be guessed.
    Rgb32,
    Rgb24,
    Yuv,
    /// Fewer than eight bits a colour.
    Rgb16,
    Grey,
    /// Raw from the sensor: not to be shown as it is.
    Bayer,
}

impl Format {
    /// What it costs to use it, to be compared: 32-bit RGB first, then YUV, those with fewer
    /// bytes a pixel before others.
    #[must_use]
    pub fn cost(self) -> impl Ord + Copy {
        let place = Self::all().position(|known| known == self);
        (class(self), bits_per_pixel(self), place)
    }
}

fn class(format: Format) -> Class {
    let [first, rest @ ..] = format.planes() else {
        return Class::Bayer;
    };
    match (format.family(), first.block_bytes) {
        (Family::Rgb, 4) => Class::Rgb32,
        (Family::Rgb, 3 | 8) => Class::Rgb24,
        (Family::Rgb, _) => Class::Rgb16,
        (Family::Yuv, 1 | 2) if rest.is_empty() => Class::Grey,
        (Family::Yuv, _) => Class::Yuv,
        (Family::Bayer | Family::Compressed, _) => Class::Bayer,
    }
}

/// In sixteenths of a bit, so that subsampled planes count exactly.
fn bits_per_pixel(format: Format) -> u32 {
    let bits = format.planes().iter().map(|plane| {
        16 * 8 * plane.block_bytes / (plane.block_columns * plane.horizontal * plane.vertical)
    });
    bits.sum()
}
