//! What a test picture looks like.
//!
//! Eight bars of colour, a number along the top (see [`super::number`]) and a white box that
//! moves from picture to picture. The bars are drawn once in each frame; from then on only the
//! box and those blocks of the number that change are.

use dmaflow_core::layout::Layout;

use super::number::{self, Blocks};
use super::pixels::{Block, Pixels};

/// Red, green and blue of the bars.
const BARS: [[u8; 3]; 8] = [
    [192, 192, 192],
    [192, 192, 0],
    [0, 192, 192],
    [0, 192, 0],
    [192, 0, 192],
    [192, 0, 0],
    [0, 0, 192],
    [32, 32, 32],
];
const WHITE: [u8; 3] = [255; 3];
const BLACK: [u8; 3] = [0; 3];

/// How far the box moves, in pixels a picture.
const STEP: (u32, u32) = (4, 2);

/// A part of the picture in pixels; all even, so that every plane has a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Area {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

/// A plane, and what whole rows of it may look like.
#[derive(Debug)]
struct Plane {
    offset: usize,
    stride: usize,
    rows: usize,
    /// Pixels a stored block covers.
    columns: usize,
    vertical: usize,
    /// Bytes of such a block.
    block: usize,
    bars: Vec<u8>,
    white: Vec<u8>,
    black: Vec<u8>,
}

impl Plane {
    /// The bytes of the rows of an area.
    fn rows<'a>(&self, bytes: &'a mut [u8], area: Area) -> impl Iterator<Item = &'a mut [u8]> {
        let columns = self.byte_columns(area);
        let first = self.offset + area.y / self.vertical * self.stride;
        let rows = area.height / self.vertical;
        let stride = self.stride;
        bytes
            .get_mut(first..)
            .unwrap_or_default()
            .chunks_mut(stride)
            .take(rows)
            .filter_map(move |row| row.get_mut(columns.clone()))
    }

    fn byte_columns(&self, area: Area) -> std::ops::Range<usize> {
        let bytes = |pixels: usize| pixels / self.columns * self.block;
        bytes(area.x)..bytes(area.x + area.width)
    }
}

/// Draws pictures of one layout, all of whose planes are in one buffer.
#[derive(Debug)]
pub(super) struct Painter {
    planes: Vec<Plane>,
    blocks: Blocks,
    size: (u32, u32),
}

impl Painter {
    /// A painter for a layout; `None` where the format or so small a size cannot be drawn.
    pub(super) fn new(layout: &Layout) -> Option<Self> {
        let pixels = Pixels::of(layout.format())?;
        let blocks = Blocks::of(layout)?;
        let width = layout.width() as usize;
        let planes = layout
            .planes()
            .iter()
            .zip(layout.format().planes())
            .enumerate();
        let planes = planes.map(|(index, (plane, info))| {
            let columns = (info.horizontal * info.block_columns) as usize;
            let bar = |block: usize| BARS[(block * columns * BARS.len() / width).min(7)];
            let row = |colour: &dyn Fn(usize) -> [u8; 3]| -> Vec<u8> {
                let blocks = 0..width.div_ceil(columns);
                blocks
                    .flat_map(|block| {
                        let Block { bytes, len } = pixels.block(index, colour(block));
                        bytes.into_iter().take(len)
                    })
                    .collect()
            };
            Plane {
                offset: plane.offset as usize,
                stride: plane.stride as usize,
                rows: info.rows(layout.height()) as usize,
                columns,
                vertical: info.vertical as usize,
                block: pixels.block(index, BLACK).len,
                bars: row(&bar),
                white: row(&|_block| WHITE),
                black: row(&|_block| BLACK),
            }
        });
        Some(Self {
            planes: planes.collect(),
            blocks,
            size: (layout.width(), layout.height()),
        })
    }

    /// Draws the bars.
    pub(super) fn background(&self, bytes: &mut [u8]) {
        for plane in &self.planes {
            let rows = bytes.get_mut(plane.offset..).unwrap_or_default();
            for row in rows.chunks_mut(plane.stride).take(plane.rows) {
                if let Some(row) = row.get_mut(..plane.bars.len()) {
                    row.copy_from_slice(&plane.bars);
                }
            }
        }
    }

    /// Draws picture `number` over the bars, or over the picture that is there.
    pub(super) fn picture(&self, bytes: &mut [u8], number: u32, there: Option<u32>) {
        if let Some(there) = there {
            self.lay(bytes, self.box_area(there), |plane| &plane.bars);
        }
        let old = there.map(number::bits);
        for (index, bit) in number::bits(number).into_iter().enumerate() {
            if old.is_none_or(|old| old[index] != bit) {
                let area = Area {
                    x: index * self.blocks.width,
                    y: 0,
                    width: self.blocks.width,
                    height: self.blocks.height,
                };
                let look: fn(&Plane) -> &[u8] = match bit {
                    true => |plane| &plane.white,
                    false => |plane| &plane.black,
                };
                self.lay(bytes, area, look);
            }
        }
        self.lay(bytes, self.box_area(number), |plane| &plane.white);
    }

    /// Covers an area with what rows of the picture look like there.
    fn lay(&self, bytes: &mut [u8], area: Area, look: impl Fn(&Plane) -> &[u8]) {
        for plane in &self.planes {
            let look = &look(plane)[plane.byte_columns(area)];
            for row in plane.rows(bytes, area) {
                row.copy_from_slice(look);
            }
        }
    }

    /// Where the box is in picture `number`: below the number, and wholly in the picture.
    fn box_area(&self, number: u32) -> Area {
        let (width, height) = self.size;
        let side = (width.min(height) / 8).max(2) & !1;
        let top = u32::try_from(self.blocks.height).unwrap_or(0);
        // Room to move, and where in it; the product wraps, and the box with it.
        let place = |step: u32, room: u32| {
            let at = number.wrapping_mul(step) % (room + 1);
            (at & !1) as usize
        };
        Area {
            x: place(STEP.0, width - side),
            y: self.blocks.height + place(STEP.1, height - side - top),
            width: side as usize,
            height: side as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_src::pixels::FORMATS;
    use crate::test_src::read_frame_number;
    use dmaflow_core::format::Format;
    use dmaflow_v4l2::aligned_layout;

    fn draw(layout: &Layout, numbers: &[u32]) -> Vec<u8> {
        let painter = Painter::new(layout).unwrap();
        let mut bytes = vec![0x55; layout.buffer_lens()[0] as usize];
        painter.background(&mut bytes);
        let mut there = None;
        for number in numbers {
            painter.picture(&mut bytes, *number, there);
            there = Some(*number);
        }
        bytes
    }

    #[test]
    fn numbers_are_read_back_in_every_format_and_size() {
        for format in FORMATS {
            for (width, height) in [(80, 16), (81, 17), (640, 480), (1366, 768), (1920, 1080)] {
                let layout = aligned_layout(format, width, height).unwrap();
                for number in [0, 1, 0xdead_beef, u32::MAX] {
                    let bytes = draw(&layout, &[number]);
                    let read = read_frame_number(&layout, &bytes);
                    assert_eq!(read, Some(number), "{format} {width}×{height}");
                }
            }
        }
    }

    #[test]
    fn drawing_over_another_picture_leaves_nothing_of_it() {
        for format in FORMATS {
            for (width, height) in [(81, 17), (640, 480)] {
                let layout = aligned_layout(format, width, height).unwrap();
                for numbers in [[0, 5], [1000, 7], [u32::MAX, 0]] {
                    let over = draw(&layout, &numbers);
                    assert!(over == draw(&layout, &numbers[1..]), "{format} {numbers:?}");
                }
            }
        }
    }

    #[test]
    fn pictures_differ_and_padding_is_left_alone() {
        let layout = Layout::with_stride(Format::XRGB8888, 320, 240, 1344).unwrap();
        let first = draw(&layout, &[1]);
        assert!(first != draw(&layout, &[2]));
        for row in first.chunks(1344) {
            assert_eq!(row[1280..], [0x55; 64]);
        }
    }

    #[test]
    fn the_box_stays_in_the_picture() {
        for (width, height) in [(80, 16), (1920, 1080), (200, 2000)] {
            let layout = Layout::packed(Format::NV12, width, height).unwrap();
            let painter = Painter::new(&layout).unwrap();
            for number in (0..10_000).chain(u32::MAX - 10_000..=u32::MAX) {
                let area = painter.box_area(number);
                assert!(area.y >= painter.blocks.height);
                assert!(area.x + area.width <= width as usize);
                assert!(area.y + area.height <= height as usize);
            }
        }
    }

    #[test]
    fn bars_reach_both_edges() {
        let layout = Layout::packed(Format::XRGB8888, 640, 480).unwrap();
        let bytes = draw(&layout, &[0]);
        let last_row = &bytes[479 * 2560..];
        assert_eq!(last_row[..4], [192, 192, 192, 255]);
        assert_eq!(last_row[2556..], [32, 32, 32, 255]);
    }

    #[test]
    fn what_cannot_be_drawn() {
        let small = aligned_layout(Format::NV12, 79, 100).unwrap();
        assert!(Painter::new(&small).is_none());
        let other = Layout::packed("UYVY".parse().unwrap(), 640, 480).unwrap();
        assert!(Painter::new(&other).is_none());
    }
}
