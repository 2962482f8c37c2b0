//! The number that vivid writes into each of its pictures, read from the pixels.

use dmaflow_core::dma_buf::{CpuUse, DmaBufError};
use dmaflow_core::format::Format;
use dmaflow_core::frame::Frame;

const GLYPH: (usize, usize) = (8, 16);

/// Where the number stands, across and down: vivid's first line is ` 00:00:00:000 0`.
const NUMBER_AT: (usize, usize) = (16 + 14 * GLYPH.0, 16);

/// Digits of the kernel's font `VGA8x16`, row by row without the blank ones above and below.
const DIGITS: [[u8; 10]; 10] = [
    [0x38, 0x6c, 0xc6, 0xc6, 0xd6, 0xd6, 0xc6, 0xc6, 0x6c, 0x38],
    [0x18, 0x38, 0x78, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x7e],
    [0x7c, 0xc6, 0x06, 0x0c, 0x18, 0x30, 0x60, 0xc0, 0xc6, 0xfe],
    [0x7c, 0xc6, 0x06, 0x06, 0x3c, 0x06, 0x06, 0x06, 0xc6, 0x7c],
    [0x0c, 0x1c, 0x3c, 0x6c, 0xcc, 0xfe, 0x0c, 0x0c, 0x0c, 0x1e],
    [0xfe, 0xc0, 0xc0, 0xc0, 0xfc, 0x06, 0x06, 0x06, 0xc6, 0x7c],
    [0x38, 0x60, 0xc0, 0xc0, 0xfc, 0xc6, 0xc6, 0xc6, 0xc6, 0x7c],
    [0xfe, 0xc6, 0x06, 0x06, 0x0c, 0x18, 0x30, 0x30, 0x30, 0x30],
    [0x7c, 0xc6, 0xc6, 0xc6, 0x7c, 0xc6, 0xc6, 0xc6, 0xc6, 0x7c],
    [0x7c, 0xc6, 0xc6, 0xc6, 0x7e, 0x06, 0x06, 0x06, 0x0c, 0x78],
];

/// Blank rows above a digit.
const ABOVE: usize = 2;

/// Pixels of a glyph that a codec may have turned: digits differ in more.
const TURNED: u32 = 3;

/// The number that is written in a picture of vivid in XRGB8888 or NV12; `None` where none can
/// be read.
///
/// # Errors
/// When the CPU cannot look at it.
pub fn number_in(frame: &Frame) -> Result<Option<u64>, DmaBufError> {
    let plane = frame.layout().planes()[0];
    // The green of a pixel is as bright as white and as dark as black.
    let packed = frame.layout().format() == Format::XRGB8888;
    let step = if packed { 4 } else { 1 };
    let bytes = frame.buffers()[0].read(CpuUse::Inspect)?;
    let bright = |x: usize, y: usize| {
        let at = plane.offset as usize + y * plane.stride as usize + x * step + step / 4;
        bytes[at] >= 128
    };
    let mut number = None;
    for left in (NUMBER_AT.0..).step_by(GLYPH.0) {
        let mut rows = [0_u8; GLYPH.1];
        for (y, row) in rows.iter_mut().enumerate() {
            for x in 0..GLYPH.0 {
                *row = *row << 1 | u8::from(bright(left + x, NUMBER_AT.1 + y));
            }
        }
        let Some(digit) = digit(&rows) else {
            return Ok(number);
        };
        number = Some(number.unwrap_or(0) * 10 + digit);
    }
    Ok(number)
}

fn digit(rows: &[u8; GLYPH.1]) -> Option<u64> {
    let turned = |digit: &[u8; 10]| {
        let glyph = rows.iter().enumerate().map(|(y, row)| {
            let ink = y.checked_sub(ABOVE).and_then(|y| digit.get(y));
            (row ^ ink.unwrap_or(&0)).count_ones()
        });
        glyph.sum::<u32>()
    };
    let near = DIGITS.iter().position(|digit| turned(digit) <= TURNED)?;
    Some(near as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_told_apart_and_nothing_is_no_digit() {
        for (value, digit_rows) in DIGITS.iter().enumerate() {
            let mut rows = [0; GLYPH.1];
            rows[ABOVE..ABOVE + 10].copy_from_slice(digit_rows);
            rows[ABOVE] ^= 0x10;
            assert_eq!(digit(&rows), Some(value as u64));
            let others = DIGITS.iter().filter(|other| *other != digit_rows);
            let apart = others.map(|other| {
                let pairs = other.iter().zip(digit_rows);
                pairs.map(|(a, b)| (a ^ b).count_ones()).sum::<u32>()
            });
            assert!(apart.min() > Some(2 * TURNED), "{value}");
        }
        assert_eq!(digit(&[0; GLYPH.1]), None);
        assert_eq!(digit(&[0xff; GLYPH.1]), None);
    }
}
