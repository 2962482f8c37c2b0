//! The picture of the tests, by its formula, and how near to it others are.

use dmaflow_core::format::{Colour, Encoding, Family, Format, Range};
use dmaflow_core::layout::Layout;

/// Luma, Cb and Cr of a pixel.
pub(crate) fn original((x, y): (usize, usize)) -> [f64; 3] {
    let (x, y) = (x as f64, y as f64);
    [
        128.0 + 100.0 * (x / 9.0).sin() * (y / 7.0).cos(),
        128.0 + 90.0 * ((x + y) / 23.0).sin(),
        128.0 + 90.0 * ((x - 2.0 * y) / 31.0).cos(),
    ]
}

/// Red, green and blue of luma, Cb and Cr.
pub(crate) fn rgb([luma, cb, cr]: [f64; 3], colour: Colour) -> [f64; 3] {
    let (red, blue) = match colour.encoding {
        Some(Encoding::Bt601) | None => (0.299, 0.114),
        Some(Encoding::Bt709) => (0.2126, 0.0722),
        Some(Encoding::Bt2020) => (0.2627, 0.0593),
    };
    let (black, luma_span, chroma_span) = match colour.range {
        Some(Range::Full) => (0.0, 255.0, 255.0),
        Some(Range::Limited) | None => (16.0, 219.0, 224.0),
    };
    let luma = (luma - black) / luma_span;
    let [cb, cr] = [cb, cr].map(|chroma| (chroma - 128.0) / chroma_span);
    let (r, b) = (
        luma + 2.0 * (1.0 - red) * cr,
        luma + 2.0 * (1.0 - blue) * cb,
    );
    let g = (luma - red * r - blue * b) / (1.0 - red - blue);
    [r, g, b].map(|channel| 255.0 * channel.clamp(0.0, 1.0))
}

/// As JPEG files have it.
pub(crate) const JFIF: Colour = Colour {
    encoding: Some(Encoding::Bt601),
    range: Some(Range::Full),
};

/// Luma of a pixel, and chroma of the four that share it in 4:2:0, in a picture of that size.
pub(crate) fn shared((x, y): (usize, usize), (width, height): (usize, usize)) -> [f64; 3] {
    let near = |x: usize, most: usize| [x / 2 * 2, (x / 2 * 2 + 1).min(most - 1)];
    let mut mean = [0.0; 3];
    for y in near(y, height) {
        for x in near(x, width) {
            for (sum, number) in mean.iter_mut().zip(original((x, y))) {
                *sum += number / 4.0;
            }
        }
    }
    mean[0] = original((x, y))[0];
    mean
}

/// Draws the picture: into formats of RGB as JPEG files mean its numbers.
pub(crate) fn draw(layout: &Layout, bytes: &mut [u8]) {
    let size = (layout.width() as usize, layout.height() as usize);
    for (x, y) in (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x, y))) {
        let mut numbers = shared((x, y), size);
        if layout.format().family() == Family::Rgb {
            numbers = rgb(numbers, JFIF);
        }
        for (number, at) in numbers.iter().zip(at(layout, (x, y))).rev() {
            #[expect(clippy::cast_possible_truncation, reason = "below 256")]
            #[expect(clippy::cast_sign_loss, reason = "not below 0")]
            let number = number.round() as u8;
            bytes[at] = number;
        }
    }
}

/// Peak signal to noise in dB of squared errors of numbers from 0 to 255.
pub(crate) fn decibels(squares: f64, count: usize) -> f64 {
    10.0 * (255.0 * 255.0 * count as f64 / squares).log10()
}

/// Where a pixel's three numbers lie: plane, and bytes into its row.
fn places(format: Format, x: usize) -> [(usize, usize); 3] {
    let across = |plane: usize| x / format.planes()[plane].horizontal as usize;
    let packed = |luma: usize, cb, cr| {
        let pair = x / 2 * 4;
        [(0, pair + luma + x % 2 * 2), (0, pair + cb), (0, pair + cr)]
    };
    let bytes = |step: usize, places: [usize; 3]| places.map(|place| (0, step * x + place));
    match format.name() {
        "NV12" | "NV16" | "NV24" => [(0, x), (1, 2 * across(1)), (1, 2 * across(1) + 1)],
        "NV21" | "NV61" | "NV42" => [(0, x), (1, 2 * across(1) + 1), (1, 2 * across(1))],
        "YUV420" | "YUV422" | "YUV444" => [(0, x), (1, across(1)), (2, across(1))],
        "YVU420" => [(0, x), (2, across(1)), (1, across(1))],
        "YUYV" => packed(0, 1, 3),
        "YVYU" => packed(0, 3, 1),
        "UYVY" => packed(1, 0, 2),
        "VYUY" => packed(1, 2, 0),
        "YVU422" | "YVU444" => [(0, x), (2, across(1)), (1, across(1))],
        "XRGB8888" | "ARGB8888" => bytes(4, [2, 1, 0]),
        "XBGR8888" | "ABGR8888" => bytes(4, [0, 1, 2]),
        "BGRX8888" | "BGRA8888" => bytes(4, [1, 2, 3]),
        "RGBX8888" | "RGBA8888" => bytes(4, [3, 2, 1]),
        "RGB888" => bytes(3, [2, 1, 0]),
        "BGR888" => bytes(3, [0, 1, 2]),
        "GREY" => [(0, x); 3],
        other => unreachable!("no test for {other}"),
    }
}

/// Where the three numbers of a pixel lie in a frame's buffer.
fn at(layout: &Layout, (x, y): (usize, usize)) -> [usize; 3] {
    places(layout.format(), x).map(|(plane, byte)| {
        let row = y / layout.format().planes()[plane].vertical as usize;
        let plane = layout.planes()[plane];
        plane.offset as usize + row * plane.stride as usize + byte
    })
}

/// The three numbers of a pixel.
pub(crate) fn numbers(layout: &Layout, bytes: &[u8], pixel: (usize, usize)) -> [u8; 3] {
    at(layout, pixel).map(|at| bytes[at])
}

/// How near a frame's three numbers are to the formula's, in dB of peak signal to noise. Of grey
/// pictures `grey` is true, and chroma is 128.
pub(crate) fn psnr(layout: &Layout, bytes: &[u8], grey: bool) -> [f64; 3] {
    let size = (layout.width() as usize, layout.height() as usize);
    let mut squares = [0.0; 3];
    for (x, y) in (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x, y))) {
        let mut expected = shared((x, y), size);
        if grey {
            expected = [expected[0], 128.0, 128.0];
        }
        if layout.format().family() == Family::Rgb {
            expected = rgb(expected, JFIF);
        } else if layout.format().name() == "GREY" {
            expected = [expected[0]; 3];
        }
        let found = at(layout, (x, y)).map(|at| f64::from(bytes[at]));
        for (square, (found, expected)) in squares.iter_mut().zip(found.iter().zip(expected)) {
            *square += (found - expected) * (found - expected);
        }
    }
    squares.map(|squares| decibels(squares, size.0 * size.1))
}
