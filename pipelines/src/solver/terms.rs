//! What the ports of a domain agree on, and where that puts pixels.

use std::fmt;

use dmaflow_core::caps::{Properties, Property, Split};
use dmaflow_core::format::{Colour, Format};
use dmaflow_core::layout::{Layout, LayoutError, Modifier, PlaneLayout};
use dmaflow_core::time::Rate;

/// What all ports of a domain agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// The pixel format.
    pub format: Format,
    /// How pixels are arranged.
    pub modifier: Modifier,
    /// How planes lie in buffers.
    pub split: Split,
    /// Frames a second; `None` where nobody says.
    pub rate: Option<Rate>,
    /// How numbers become colours.
    pub colour: Colour,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// Where the pixels of a pool's frames lie.
///
/// A [`Layout`] that there also is for compressed frames: these have no planes, and one buffer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Placement {
    /// What the pictures are.
    pub terms: Terms,
    /// Where each plane lies.
    pub planes: Vec<Plane>,
    /// The length of each buffer in bytes.
    pub buffer_lens: Vec<u32>,
}

/// Where a plane lies; see [`PlaneLayout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plane {
    /// Which of the frame's buffers it is in.
    pub buffer: usize,
    /// Bytes from the start of the buffer to the first pixel.
    pub offset: u32,
    /// Bytes from a row to the next.
    pub stride: u32,
}

impl Placement {
    /// Lays planes one behind the other, the first with this stride, each with its rows up to a
    /// multiple of `rows` of the picture's, and so many bytes behind the last of each buffer.
    ///
    /// `None` where that cannot be said in the kernel's 32 bits.
    pub(super) fn new(terms: Terms, stride: u32, rows: u32, behind: u32) -> Option<Self> {
        let coded = terms.height.checked_next_multiple_of(rows.max(1))?;
        let planes = terms.format.planes();
        let [first, ..] = planes else {
            // As much as a byte a pixel: what a compressed picture takes at the very most.
            let len = terms.width.checked_mul(coded)?.checked_add(behind)?;
            return Some(Self {
                terms,
                planes: Vec::new(),
                buffer_lens: vec![len],
            });
        };
        let mut placed = Vec::with_capacity(planes.len());
        let mut buffer_lens: Vec<u32> = Vec::with_capacity(1);
        for plane in planes {
            let part =
                u64::from(stride) * u64::from(plane.block_bytes) * u64::from(first.block_columns)
                    / (u64::from(first.block_bytes)
                        * u64::from(plane.horizontal)
                        * u64::from(plane.block_columns));
            let stride = u32::try_from(part).ok()?;
            if buffer_lens.is_empty() || terms.split == Split::Apart {
                buffer_lens.push(0);
            }
            let buffer = buffer_lens.len() - 1;
            let end = &mut buffer_lens[buffer];
            placed.push(Plane {
                buffer,
                offset: *end,
                stride,
            });
            *end = end.checked_add(stride.checked_mul(plane.rows(coded))?)?;
        }
        for len in &mut buffer_lens {
            *len = len.checked_add(behind)?;
        }
        Some(Self {
            terms,
            planes: placed,
            buffer_lens,
        })
    }

    /// The placement that a device answered with.
    #[must_use]
    pub fn of(layout: &Layout, rate: Option<Rate>) -> Self {
        let split = match layout.buffer_lens().len() {
            0 | 1 => Split::Together,
            _ => Split::Apart,
        };
        let plane = |plane: &PlaneLayout| Plane {
            buffer: plane.buffer,
            offset: plane.offset,
            stride: plane.stride,
        };
        Self {
            terms: Terms {
                format: layout.format(),
                modifier: layout.modifier(),
                split,
                rate,
                colour: layout.colour(),
                width: layout.width(),
                height: layout.height(),
            },
            planes: layout.planes().iter().map(plane).collect(),
            buffer_lens: layout.buffer_lens().to_vec(),
        }
    }

    /// The same as a layout.
    ///
    /// # Errors
    /// [`LayoutError`], where somebody made the terms by hand.
    pub fn layout(&self) -> Result<Layout, LayoutError> {
        let Terms {
            format,
            modifier,
            width,
            height,
            colour,
            ..
        } = self.terms;
        if let ([], &[len]) = (&*self.planes, &*self.buffer_lens) {
            let layout = Layout::compressed(format, (width, height), len)?;
            return Ok(layout.with_colour(colour));
        }
        let plane = |plane: &Plane| PlaneLayout {
            buffer: plane.buffer,
            offset: plane.offset,
            stride: plane.stride,
        };
        let planes: Vec<_> = self.planes.iter().map(plane).collect();
        let layout = Layout::with_planes(
            format,
            modifier,
            (width, height),
            &planes,
            &self.buffer_lens,
        )?;
        Ok(layout.with_colour(colour))
    }

    /// The first plane's bytes from row to row; 0 of a compressed frame.
    #[must_use]
    pub fn stride(&self) -> u32 {
        self.planes.first().map_or(0, |plane| plane.stride)
    }

    /// The bytes of a frame's buffers together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.buffer_lens.iter().copied().map(u64::from).sum()
    }

    /// The longest of a frame's buffers.
    pub(super) fn longest(&self) -> u64 {
        let longest = self.buffer_lens.iter().copied().max();
        longest.map_or(0, u64::from)
    }

    /// In which properties it is not as another.
    pub(super) fn differs(&self, other: &Self) -> Properties {
        let (a, b) = (&self.terms, &other.terms);
        let rows =
            |planes: &[Plane]| -> Vec<_> { planes.iter().map(|p| (p.buffer, p.offset)).collect() };
        let strides = |planes: &[Plane]| -> Vec<_> { planes.iter().map(|p| p.stride).collect() };
        let mut differs = Properties::NONE;
        for (property, differ) in [
            (Property::Format, a.format != b.format),
            (Property::Modifier, a.modifier != b.modifier),
            (Property::Split, a.split != b.split),
            (Property::Rate, a.rate != b.rate),
            (Property::Colour, a.colour != b.colour),
            (Property::Width, a.width != b.width),
            (Property::Height, a.height != b.height),
            (
                Property::Stride,
                strides(&self.planes) != strides(&other.planes),
            ),
            (Property::Rows, rows(&self.planes) != rows(&other.planes)),
            (Property::Length, self.buffer_lens != other.buffer_lens),
        ] {
            if differ {
                differs = differs.with(property);
            }
        }
        differs
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{} {}", self.width, self.height, self.format)?;
        if self.modifier != Modifier::LINEAR {
            write!(f, " {}", self.modifier)?;
        }
        if let Some(rate) = self.rate {
            write!(f, " at {rate}/s")?;
        }
        Ok(())
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.terms)?;
        for (index, plane) in self.planes.iter().enumerate() {
            let word = if index == 0 { ", stride" } else { " +" };
            write!(f, "{word} {}", plane.stride)?;
        }
        if self.buffer_lens.len() > 1 {
            write!(f, ", {} buffers", self.buffer_lens.len())?;
        }
        write!(f, ", {} bytes", self.bytes())
    }
}
