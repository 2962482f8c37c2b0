//! The picture of the tests, by its formula, and how near to it others are.

use dmaflow_core::format::{Family, Format};
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

/// Red, green and blue of luma, Cb and Cr in full range, by BT.601.
fn rgb([luma, cb, cr]: [f64; 3]) -> [f64; 3] {
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    [
        luma + 1.402 * cr,
        luma - (0.114 * 1.772 * cb + 0.299 * 1.402 * cr) / 0.587,
        luma + 1.772 * cb,
    ]
    .map(|channel| channel.clamp(0.0, 255.0))
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
        "XRGB8888" => bytes(4, [2, 1, 0]),
        "XBGR8888" => bytes(4, [0, 1, 2]),
        "RGB888" => bytes(3, [2, 1, 0]),
        "BGR888" => bytes(3, [0, 1, 2]),
        "GREY" => [(0, x); 3],
        other => unreachable!("no test for {other}"),
    }
}

/// The three numbers of a pixel as they lie in memory.
pub(crate) fn numbers(layout: &Layout, bytes: &[u8], (x, y): (usize, usize)) -> [u8; 3] {
    places(layout.format(), x).map(|(plane, byte)| {
        let row = y / layout.format().planes()[plane].vertical as usize;
        let plane = layout.planes()[plane];
        bytes[plane.offset as usize + row * plane.stride as usize + byte]
    })
}

/// Peak signal to noise in dB against the formula, of the three numbers of all pixels: of chroma
/// where a sample belongs to the pixel itself and its right and lower neighbour. Of grey pictures
/// `grey` is true, and chroma is 128.
pub(crate) fn psnr(layout: &Layout, bytes: &[u8], grey: bool) -> [f64; 3] {
    let (width, height) = (layout.width() as usize, layout.height() as usize);
    let mut squares = [0.0; 3];
    for y in 0..height {
        for x in 0..width {
            // The middle of a sample of 4:2:0 lies between four pixels.
            let near = |x: usize, most: usize| [x / 2 * 2, (x / 2 * 2 + 1).min(most - 1)];
            let mut expected = [0.0; 3];
            for y in near(y, height) {
                for x in near(x, width) {
                    for (sum, number) in expected.iter_mut().zip(original((x, y))) {
                        *sum += number / 4.0;
                    }
                }
            }
            expected[0] = original((x, y))[0];
            if grey {
                expected = [expected[0], 128.0, 128.0];
            }
            if layout.format().family() == Family::Rgb {
                expected = rgb(expected);
            } else if layout.format().name() == "GREY" {
                expected = [expected[0]; 3];
            }
            let found = numbers(layout, bytes, (x, y)).map(f64::from);
            for (square, (found, expected)) in squares.iter_mut().zip(found.iter().zip(expected)) {
                *square += (found - expected) * (found - expected);
            }
        }
    }
    squares.map(|sum| {
        let mean = sum / (width * height) as f64;
        10.0 * (255.0 * 255.0 / mean).log10()
    })
}
