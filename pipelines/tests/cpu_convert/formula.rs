//! What a pixel is, by the standards' own formulas and the formats' definitions: nothing here
//! knows the library that is tested.

use dmaflow_core::format::{Colour, Encoding, Family, Range};
use dmaflow_core::layout::Layout;

/// How much red and blue weigh in luma.
fn weights(colour: Colour) -> (f64, f64) {
    match colour.encoding {
        Some(Encoding::Bt601) | None => (0.299, 0.114),
        Some(Encoding::Bt709) => (0.2126, 0.0722),
        Some(Encoding::Bt2020) => (0.2627, 0.0593),
    }
}

/// Black, and how much luma and chroma span.
fn spans(colour: Colour) -> (f64, f64, f64) {
    match colour.range {
        Some(Range::Limited) | None => (16.0, 219.0, 224.0),
        Some(Range::Full) => (0.0, 255.0, 255.0),
    }
}

/// Red, green and blue of luma, Cb and Cr, from 0 to 255.
fn rgb_of([luma, cb, cr]: [u8; 3], colour: Colour) -> [f64; 3] {
    let (red, blue) = weights(colour);
    let green = 1.0 - red - blue;
    let (black, luma_span, chroma_span) = spans(colour);
    let y = (f64::from(luma) - black) / luma_span;
    let pb = (f64::from(cb) - 128.0) / chroma_span;
    let pr = (f64::from(cr) - 128.0) / chroma_span;
    let r = y + 2.0 * (1.0 - red) * pr;
    let b = y + 2.0 * (1.0 - blue) * pb;
    let g = (y - red * r - blue * b) / green;
    [r, g, b].map(|channel| 255.0 * channel.clamp(0.0, 1.0))
}

/// Luma, Cb and Cr of red, green and blue.
pub(crate) fn yuv_of([r, g, b]: [f64; 3], colour: Colour) -> [f64; 3] {
    let (red, blue) = weights(colour);
    let (black, luma_span, chroma_span) = spans(colour);
    let [r, g, b] = [r / 255.0, g / 255.0, b / 255.0];
    let y = red * r + (1.0 - red - blue) * g + blue * b;
    [
        black + luma_span * y,
        128.0 + chroma_span * (b - y) / (2.0 * (1.0 - blue)),
        128.0 + chroma_span * (r - y) / (2.0 * (1.0 - red)),
    ]
}

/// Where a byte of the pixel lies: plane, and bytes into its row.
fn places(format: &str, x: usize) -> [(usize, usize); 3] {
    let packed = |places: [usize; 3]| places.map(|place| (0, x / 2 * 4 + place));
    let second = x % 2 * 2;
    let rgb = |bytes: usize, places: [usize; 3]| places.map(|place| (0, x * bytes + place));
    match format {
        "YUYV" => packed([second, 1, 3]),
        "YVYU" => packed([second, 3, 1]),
        "UYVY" => packed([second + 1, 0, 2]),
        "VYUY" => packed([second + 1, 2, 0]),
        "NV12" => [(0, x), (1, x / 2 * 2), (1, x / 2 * 2 + 1)],
        "NV21" => [(0, x), (1, x / 2 * 2 + 1), (1, x / 2 * 2)],
        "YUV420" => [(0, x), (1, x / 2), (2, x / 2)],
        "YVU420" => [(0, x), (2, x / 2), (1, x / 2)],
        "XRGB8888" | "ARGB8888" => rgb(4, [2, 1, 0]),
        "XBGR8888" | "ABGR8888" => rgb(4, [0, 1, 2]),
        "RGB888" => rgb(3, [2, 1, 0]),
        "BGR888" => rgb(3, [0, 1, 2]),
        other => unreachable!("no test for {other}"),
    }
}

/// The three numbers of a pixel as they lie in memory: R, G, B or Y, Cb, Cr.
pub(crate) fn numbers(layout: &Layout, buffers: &[&[u8]], (x, y): (usize, usize)) -> [u8; 3] {
    places(layout.format().name(), x).map(|(plane, byte)| {
        let info = layout.format().planes()[plane];
        let plane = layout.planes()[plane];
        let row = y / info.vertical as usize;
        let start = plane.offset as usize + row * plane.stride as usize;
        buffers[plane.buffer][start + byte]
    })
}

/// The colour of a pixel.
pub(crate) fn colour(layout: &Layout, buffers: &[&[u8]], at: (usize, usize)) -> [f64; 3] {
    let numbers = numbers(layout, buffers, at);
    match layout.format().family() {
        Family::Rgb => numbers.map(f64::from),
        _ => rgb_of(numbers, layout.colour()),
    }
}
