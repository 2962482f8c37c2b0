//! Comparison of what was to be shown with what was shown, pixel for pixel.

use std::fmt;

use crate::choice::Size;
use dmaflow_core::pixels::RgbBytes;

/// A pixel that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Pixels from the frame's left edge.
    pub x: u32,
    /// Rows from the frame's upper edge.
    pub y: u32,
    /// Red, green and blue in the frame.
    pub expected: [u8; 3],
    /// Red, green and blue on the screen.
    pub found: [u8; 3],
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.expected;
        write!(
            f,
            "at {},{}: #{red:02x}{green:02x}{blue:02x} in the frame, ",
            self.x, self.y
        )?;
        let [red, green, blue] = self.found;
        write!(f, "#{red:02x}{green:02x}{blue:02x} on the screen")
    }
}

/// A picture in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'b> {
    pub(crate) bytes: &'b [u8],
    /// Bytes to the first pixel.
    pub(crate) offset: usize,
    /// Bytes from a row to the next.
    pub(crate) stride: usize,
    pub(crate) pixels: RgbBytes,
}

impl<'b> Picture<'b> {
    /// The pixels of a row; fewer where the memory ends early.
    fn row(&self, y: u32, width: u32) -> std::slice::ChunksExact<'b, u8> {
        let start = self.offset + y as usize * self.stride;
        let end = start + width as usize * self.pixels.bytes;
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        bytes.chunks_exact(self.pixels.bytes)
    }
}

/// What a comparison found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Pixels compared.
    pub(crate) pixels: u64,
    /// Those that differ.
    pub(crate) differing: u64,
    /// The first of them.
    pub(crate) first: Option<Difference>,
}

/// Compares the colours of two pictures; bytes that carry no colour do not count, and neither do
/// pixels that something covers.
pub(crate) fn compare(
    expected: &Picture<'_>,
    found: &Picture<'_>,
    size: Size,
    covered: impl Fn(u32, u32) -> bool,
) -> Comparison {
    let mut result = Comparison::default();
    for y in 0..size.height {
        let pixels = expected.row(y, size.width).zip(found.row(y, size.width));
        for (x, (left, right)) in (0..).zip(pixels) {
            if covered(x, y) {
                continue;
            }
            let (left, right) = (expected.pixels.colour(left), found.pixels.colour(right));
            result.pixels += 1;
            if left != right {
                result.differing += 1;
                result.first.get_or_insert(Difference {
                    x,
                    y,
                    expected: left,
                    found: right,
                });
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        width: 3,
        height: 2,
    };

    fn rgb(format: &str) -> RgbBytes {
        RgbBytes::of(format.parse().unwrap()).unwrap()
    }

    fn picture<'b>(format: &str, bytes: &'b [u8], offset: usize, stride: usize) -> Picture<'b> {
        Picture {
            bytes,
            offset,
            stride,
            pixels: rgb(format),
        }
    }

    /// A picture of 3×2 in R, G, B order and the same in XRGB8888 inside a larger one.
    fn same() -> (Vec<u8>, Vec<u8>) {
        let frame: Vec<u8> = (1..=18).collect();
        let mut screen = vec![0xee; 5 * 4 * 4];
        for (index, pixel) in frame.chunks(3).enumerate() {
            let (x, y) = (1 + index % 3, 1 + index / 3);
            let at = (y * 5 + x) * 4;
            screen[at..at + 4].copy_from_slice(&[pixel[2], pixel[1], pixel[0], 0xff]);
        }
        (frame, screen)
    }

    fn compared(frame: &[u8], screen: &[u8]) -> Comparison {
        let expected = picture("BGR888", frame, 0, 9);
        let found = picture("XRGB8888", screen, (5 + 1) * 4, 20);
        compare(&expected, &found, SIZE, |_x, _y| false)
    }

    #[test]
    fn the_same_colours_in_other_orders_are_equal() {
        let (frame, screen) = same();
        let comparison = compared(&frame, &screen);
        assert_eq!(comparison.pixels, 6);
        assert_eq!((comparison.differing, comparison.first), (0, None));
    }

    #[test]
    fn one_altered_channel_is_found_where_it_is() {
        let (frame, screen) = same();
        for channel in 0..3 {
            let mut screen = screen.clone();
            screen[(2 * 5 + 3) * 4 + channel] ^= 1;
            let comparison = compared(&frame, &screen);
            assert_eq!(comparison.differing, 1);
            let first = comparison.first.unwrap();
            assert_eq!((first.x, first.y), (2, 1));
            assert_eq!(first.expected, [16, 17, 18]);
            assert_ne!(first.found, first.expected);
        }
    }

    #[test]
    fn the_unused_byte_and_what_lies_around_do_not_count() {
        let (frame, mut screen) = same();
        screen[0] ^= 0xff;
        screen[(5 + 1) * 4 + 3] = 0;
        assert_eq!(compared(&frame, &screen).differing, 0);
    }

    #[test]
    fn memory_that_ends_early_is_not_compared_as_equal() {
        let (frame, screen) = same();
        assert_eq!(compared(&frame[..10], &screen).pixels, 3);
    }
}
