//! A picture's number, written where a program can read it.
//!
//! Along the top runs a row of 40 blocks, black for 0 and white for 1: the number's 32 bits,
//! the highest first, then eight bits that check them. A block is a 40th of the width wide, and
//! a 48th of the height high.

use dmaflow_core::layout::Layout;

use super::pixels::Pixels;

const BITS: usize = 32;
/// Blocks in the row.
pub(super) const BLOCKS: usize = BITS + 8;
/// What makes a black, a white and a torn row wrong.
const CHECK: u8 = 0xa5;

/// The least size that has room for the number and something that moves.
pub(super) const LEAST: (u32, u32) = (80, 16);

/// Where the blocks are, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    /// Of one block; even, so that subsampled chroma follows.
    pub(super) width: usize,
    /// Of the row; even as well.
    pub(super) height: usize,
}

impl Blocks {
    /// The blocks of a picture; `None` where there is no room for them.
    pub(super) fn of(layout: &Layout) -> Option<Self> {
        let (width, height) = (layout.width(), layout.height());
        (width >= LEAST.0 && height >= LEAST.1).then(|| Self {
            width: (width as usize / BLOCKS) & !1,
            height: (height as usize / 48).max(2) & !1,
        })
    }
}

/// The bits of the row, from the left.
pub(super) fn bits(number: u32) -> [bool; BLOCKS] {
    let [a, b, c, d] = number.to_be_bytes();
    let bytes = [a, b, c, d, a ^ b ^ c ^ d ^ CHECK];
    std::array::from_fn(|bit| bytes[bit / 8] & (0x80 >> (bit % 8)) != 0)
}

/// Reads the number that a [`TestSrc`](crate::TestSrc) wrote into a picture.
///
/// `bytes` is the buffer that holds the picture's first plane. The picture may have another
/// stride or another of the formats that the test source draws than when it was drawn, and must
/// have its size. `None` when there is no number, or it is damaged.
#[must_use]
pub fn read_frame_number(layout: &Layout, bytes: &[u8]) -> Option<u32> {
    let blocks = Blocks::of(layout)?;
    let plane = layout.planes().first()?;
    let (pixel, luma) = Pixels::of(layout.format())?.brightness();
    let row = plane.offset as usize + blocks.height / 2 * plane.stride as usize;
    let mut read = [0_u8; BLOCKS / 8];
    for block in 0..BLOCKS {
        let column = block * blocks.width + blocks.width / 2;
        let bit = match bytes.get(row + column * pixel + luma)? {
            160.. => 0x80 >> (block % 8),
            0..=96 => 0,
            _ => return None,
        };
        read[block / 8] |= bit;
    }
    let [a, b, c, d, check] = read;
    (a ^ b ^ c ^ d ^ CHECK == check).then(|| u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::format::Format;

    #[test]
    fn plain_pictures_have_no_number() {
        let layout = Layout::packed(Format::NV12, 640, 480).unwrap();
        for byte in [0, 16, 128, 235, 255] {
            let bytes = vec![byte; layout.buffer_lens()[0] as usize];
            assert_eq!(read_frame_number(&layout, &bytes), None, "{byte}");
        }
        assert_eq!(read_frame_number(&layout, &[0; 10]), None);
        let small = Layout::packed(Format::NV12, 78, 480).unwrap();
        assert_eq!(read_frame_number(&small, &[0; 100_000]), None);
    }

    #[test]
    fn the_check_bits_differ_when_a_bit_does() {
        let wrong = bits(0x1234_5678);
        for bit in 0..32 {
            let right = bits(0x1234_5678 ^ (1 << bit));
            let differ = wrong.iter().zip(right).filter(|(a, b)| **a != *b);
            assert_eq!(differ.count(), 2, "bit {bit}");
        }
    }
}
