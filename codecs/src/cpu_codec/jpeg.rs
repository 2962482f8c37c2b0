//! JPEG pictures as cameras send them, decoded straight into a frame: baseline, Huffman codes,
//! eight bits, all components in one scan (ITU-T T.81).
//!
//! Every unit of a picture is decoded into a few hundred bytes and written to its place from
//! there, with its chroma brought to the format's resolution on the way. Nothing is allocated. A
//! library would write rows of RGB without padding, or planes into memory of its own.

mod bits;
mod canvas;
mod cosine;
mod error;
mod huffman;
mod segments;

pub use error::{JpegError, JpegFault};

use dmaflow_core::format::Format;
use dmaflow_core::layout::Layout;

use bits::Bits;
use canvas::{Canvas, Shape, Unit};
use cosine::Block;
use huffman::Table;
use segments::{Header, Segments, ZIGZAG};

/// The formats that pictures can be made in, best first.
pub(super) fn formats() -> impl Iterator<Item = Format> {
    canvas::formats()
}

/// A decoder with its tables.
#[derive(Debug)]
pub(super) struct JpegDecoder {
    segments: Segments,
    unit: Box<Unit>,
    shape: Shape,
}

impl JpegDecoder {
    /// One for frames that lie so; `None` where pictures cannot be made to.
    pub(super) fn new(layout: &Layout) -> Option<Self> {
        Some(Self {
            shape: Shape::of(layout)?,
            segments: Segments::new(),
            unit: Box::new(Unit::NONE),
        })
    }

    /// Decodes a picture into a frame's bytes. What follows the picture is not looked at.
    ///
    /// # Errors
    /// [`JpegError`]; a part of the frame may then be written.
    pub(super) fn decode(&mut self, bytes: &[u8], into: &mut [u8]) -> Result<(), JpegError> {
        let begin = self.segments.read(bytes)?;
        let Some(header) = self.segments.header else {
            return Err(JpegFault::Ends.at(begin));
        };
        let mut canvas = Canvas::new(self.shape, into);
        if header.size != canvas.size() {
            let (found, agreed) = (header.size, canvas.size());
            return Err(JpegFault::Size { found, agreed }.at(begin));
        }
        self.prepare(&header);
        let mut bits = Bits::new(bytes, begin);
        let unit = self.unit.size;
        let across = (header.size.0 as usize).div_ceil(unit.0);
        let down = (header.size.1 as usize).div_ceil(unit.1);
        let mut before = [0_i32; 3];
        let (mut left, mut marker) = (self.segments.interval, 0xd0);
        for row in 0..down {
            for column in 0..across {
                if self.segments.interval > 0 {
                    if left == 0 {
                        bits.restart(marker)?;
                        before = [0; 3];
                        marker = 0xd0 | (marker + 1) & 7;
                        left = self.segments.interval;
                    }
                    left -= 1;
                }
                self.read_unit(&header, &mut bits, &mut before)?;
                canvas.put(&self.unit, (column * unit.0, row * unit.1));
            }
        }
        Ok(())
    }

    fn prepare(&mut self, header: &Header) {
        let (across, down) = header.components[0].blocks;
        self.unit.size = (8 * across, 8 * down);
        self.unit.grey = header.count == 1;
        for (samples, component) in self.unit.samples.iter_mut().zip(&header.components) {
            let (columns, rows) = component.blocks;
            // Of components that are not there nobody asks.
            let fewer = |most: usize, own: usize| (most / own.max(1)).max(1).ilog2();
            samples.set_fewer((fewer(across, columns), fewer(down, rows)));
        }
    }

    #[inline]
    fn read_unit(
        &mut self,
        header: &Header,
        bits: &mut Bits<'_>,
        before: &mut [i32; 3],
    ) -> Result<(), JpegError> {
        let parts = header.components.iter().take(header.count);
        let places = self.unit.samples.iter_mut().zip(before);
        for (component, (samples, before)) in parts.zip(places) {
            let tables = self.segments.tables(component);
            for row in 0..component.blocks.1 {
                for column in 0..component.blocks.0 {
                    samples.put((column, row), &read_block(bits, tables, before)?);
                }
            }
        }
        Ok(())
    }
}

/// Reads a block's coefficients (F.2.2), and makes samples of them.
#[inline]
fn read_block(
    bits: &mut Bits<'_>,
    (steps, direct, alternating): (&Block, &Table, &Table),
    before: &mut i32,
) -> Result<[[u8; 8]; 8], JpegError> {
    let steps = steps.as_flattened();
    let (_size, difference) = bits.coded(direct, u32::from)?;
    *before += i32::from(difference);
    // With steps of 1 they take twelve bits.
    let out_of_range = |bits: &Bits<'_>| JpegFault::Coefficient.at(bits.at());
    let first = i16::try_from(*before).map_err(|_too_large| out_of_range(bits))?;
    let first = f32::from(first) * steps[0];
    let mut block: Block = [[0.0; 8]; 8];
    let coefficients = block.as_flattened_mut();
    let (mut at, mut is_flat) = (1, true);
    while at < 64 {
        let (symbol, value) = bits.coded(alternating, |symbol| u32::from(symbol & 15))?;
        if symbol & 15 == 0 {
            if symbol == 0xf0 {
                at += 16;
                continue;
            }
            // The rest is 0.
            break;
        }
        at += usize::from(symbol >> 4);
        let Some(&place) = ZIGZAG.get(at) else {
            return Err(out_of_range(bits));
        };
        let place = usize::from(place & 63);
        coefficients[place] = f32::from(value) * steps[place];
        is_flat = false;
        at += 1;
    }
    if is_flat {
        return Ok([[cosine::flat(first); 8]; 8]);
    }
    coefficients[0] = first;
    Ok(cosine::samples(&block))
}
