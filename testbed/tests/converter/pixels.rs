//! Pictures for a converter, drawn and judged pixel by pixel with the CPU.

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::Frame;
use dmaflow_testbed::rgb::{Rgb, of_rgb565, of_yuv};

/// A colour a quarter, so that every way of turning the picture is told from every other.
pub(crate) const QUARTERS: [Rgb; 4] = [
    [0xd0, 0x20, 0x30],
    [0x18, 0xc8, 0x40],
    [0x28, 0x38, 0xe0],
    [0x80, 0x80, 0x80],
];

/// How far a colour may be from the one that was drawn: five bits a colour are told by eight.
const TOLERANCE: u8 = 12;

/// The quarter that a pixel is in: upper left, upper right, lower left, lower right.
fn quarter(frame: &Frame, x: u32, y: u32) -> usize {
    let layout = frame.layout();
    usize::from(x >= layout.width() / 2) + 2 * usize::from(y >= layout.height() / 2)
}

/// The bytes of a pixel of a format that takes whole bytes.
fn encode(format: Format, [r, g, b]: Rgb) -> Vec<u8> {
    match format.name() {
        "RGB565" => {
            let [r, g, b] = [r >> 3, g >> 2, b >> 3].map(u16::from);
            (r << 11 | g << 5 | b).to_le_bytes().to_vec()
        }
        // Named by the word, so the bytes lie the other way round.
        "RGB888" => vec![b, g, r],
        "BGR888" => vec![r, g, b],
        other => unreachable!("vim2m does not take {other}"),
    }
}

/// The colour of a pixel; that of YUYV by BT.601 in limited range.
fn decode(format: Format, row: &[u8], x: usize) -> Rgb {
    match format.name() {
        "RGB565" => of_rgb565([row[2 * x], row[2 * x + 1]]),
        "RGB888" => [row[3 * x + 2], row[3 * x + 1], row[3 * x]],
        "BGR888" => [row[3 * x], row[3 * x + 1], row[3 * x + 2]],
        "YUYV" => {
            let pair = &row[4 * (x / 2)..][..4];
            of_yuv(pair[2 * (x % 2)], pair[1], pair[3])
        }
        other => unreachable!("no test judges {other}"),
    }
}

/// Draws a colour into each quarter.
pub(crate) fn draw(frame: &Frame, quarters: [Rgb; 4]) {
    let layout = frame.layout();
    let (format, plane) = (layout.format(), layout.planes()[0]);
    let mut bytes = frame.buffers()[0].write(CpuUse::Draw).expect("memory");
    for y in 0..layout.height() {
        let start = (plane.offset + y * plane.stride) as usize;
        let pixels = (0..layout.width()).flat_map(|x| {
            let colour = quarters[quarter(frame, x, y)];
            encode(format, colour)
        });
        for (place, byte) in bytes[start..].iter_mut().zip(pixels) {
            *place = byte;
        }
    }
}

/// Looks at every pixel: each quarter has its colour.
pub(crate) fn assert_drawn(frame: &Frame, quarters: [Rgb; 4]) {
    let layout = frame.layout();
    let (format, plane) = (layout.format(), layout.planes()[0]);
    let bytes = frame.buffers()[0].read(CpuUse::Inspect).expect("memory");
    for y in 0..layout.height() {
        let row = &bytes[(plane.offset + y * plane.stride) as usize..];
        for x in 0..layout.width() {
            let expected = quarters[quarter(frame, x, y)];
            let found = decode(format, row, x as usize);
            let near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= TOLERANCE;
            assert!(
                found.iter().zip(&expected).all(near),
                "{format} at {x},{y}: {found:?}, and {expected:?} (±{TOLERANCE}) was drawn"
            );
        }
    }
}

/// Compares a picture in YUYV with the one in BGR888 that it was made of, byte by byte, and says
/// how many values of luma there are.
pub(crate) fn assert_made_of(made: &Frame, of: &Frame) -> usize {
    assert_eq!(made.layout().format(), Format::YUYV);
    assert_eq!(of.layout().format().name(), "BGR888");
    let (made_in, of_in) = (made.layout().planes()[0], of.layout().planes()[0]);
    let (made_bytes, of_bytes) = (&made.buffers()[0], &of.buffers()[0]);
    let made_bytes = made_bytes.read(CpuUse::Inspect).expect("memory");
    let of_bytes = of_bytes.read(CpuUse::Inspect).expect("memory");
    let mut lumas = std::collections::BTreeSet::new();
    for y in 0..made.layout().height() {
        let made_row = &made_bytes[(y * made_in.stride) as usize..];
        let of_row = &of_bytes[(y * of_in.stride) as usize..];
        for pair in 0..made.layout().width() as usize / 2 {
            let rgb = |x: usize| [0, 1, 2].map(|c| f32::from(of_row[3 * x + c]));
            // Chroma is that of the first of the two.
            let ([r, g, b], [r1, g1, b1]) = (rgb(2 * pair), rgb(2 * pair + 1));
            let luma = |r: f32, g: f32, b: f32| 16.0 + 0.2568 * r + 0.5041 * g + 0.0979 * b;
            let expected = [
                luma(r, g, b),
                128.0 - 0.1482 * r - 0.2910 * g + 0.4392 * b,
                luma(r1, g1, b1),
                128.0 + 0.4392 * r - 0.3678 * g - 0.0714 * b,
            ];
            let found = &made_row[4 * pair..][..4];
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (f32::from(*found) - expected).abs() <= 2.0,
                    "{found} at pair {pair} of row {y}, and {expected} was captured"
                );
            }
            lumas.insert(found[0]);
        }
    }
    lumas.len()
}
