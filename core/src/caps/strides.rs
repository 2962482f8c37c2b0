//! What the bytes from row to row may be.

use std::fmt;

use super::{common_divisor, common_multiple};
use crate::format::Format;

/// What the first plane's bytes from row to row may be; those of further planes follow from it,
/// as in [`Layout::with_stride`](crate::layout::Layout::with_stride).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Strides {
    /// A divisor of the first plane's stride.
    pub align: u32,
    /// A divisor of each plane's stride.
    pub each: u32,
    /// The longest.
    pub max: u32,
    /// Fewer bytes than this follow a row's pixels. With as many as `align` it is a device that
    /// pads by itself and heeds nobody: there is one stride for each width.
    pub padding: u32,
}

impl Strides {
    /// Every stride.
    pub const ANY: Self = Self::padded(1, u32::MAX);

    /// Every multiple of `align` bytes that holds a row, up to `max`.
    #[must_use]
    pub const fn padded(align: u32, max: u32) -> Self {
        Self {
            align,
            each: 1,
            max,
            padding: u32::MAX,
        }
    }

    /// A row's bytes rounded up to a multiple of `align`, and nothing else: a device that pads by
    /// itself and heeds nobody.
    #[must_use]
    pub const fn own(align: u32) -> Self {
        Self {
            align,
            each: 1,
            max: u32::MAX,
            padding: align,
        }
    }

    /// The strides that are in both, unless no stride is for any width.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let both = Self {
            align: common_multiple(self.align.max(1), other.align.max(1))?,
            each: common_multiple(self.each.max(1), other.each.max(1))?,
            max: self.max.min(other.max),
            padding: self.padding.min(other.padding),
        };
        (both.align <= both.max && both.padding > 0).then_some(both)
    }

    /// Strides among which are all of either.
    #[must_use]
    pub fn either(&self, other: &Self) -> Self {
        Self {
            align: common_divisor(self.align, other.align),
            each: common_divisor(self.each, other.each),
            max: self.max.max(other.max),
            padding: self.padding.max(other.padding),
        }
    }

    /// The shortest stride for rows of so many pixels; of whole pixels only, where `whole` is
    /// set. `None` where there is none; 0 for a format without planes.
    #[must_use]
    pub fn shortest(&self, format: Format, width: u32, whole: bool) -> Option<u32> {
        if format.planes().is_empty() {
            return Some(0);
        }
        let row = first_row(format, width)?;
        let stride = row.checked_next_multiple_of(self.step(format, whole)?)?;
        (stride <= self.max && stride - row < self.padding).then_some(stride)
    }

    /// Whether the first plane may have this stride.
    #[must_use]
    pub fn contains(&self, stride: u32, format: Format, width: u32, whole: bool) -> bool {
        let (Some(row), Some(step)) = (first_row(format, width), self.step(format, whole)) else {
            return format.planes().is_empty();
        };
        (row..=self.max).contains(&stride)
            && stride.is_multiple_of(step)
            && stride - row < self.padding
    }

    /// What divides the first plane's stride, so that each plane's is as it must be.
    fn step(&self, format: Format, whole: bool) -> Option<u32> {
        let mut step = self.align.max(1);
        for plane in 0..format.planes().len() {
            let blocks = if whole {
                format.planes()[plane].block_bytes
            } else {
                1
            };
            let own = common_multiple(self.each.max(1), blocks)?;
            let (part, of) = share(format, plane);
            let behind = of.checked_mul(own)?;
            step = common_multiple(step, behind / common_divisor(part, behind))?;
        }
        Some(step)
    }
}

/// A plane's stride as a fraction of the first one's: both cover the same columns.
fn share(format: Format, plane: usize) -> (u32, u32) {
    let (a, b) = (format.planes()[0], format.planes()[plane]);
    let part = b.block_bytes * a.block_columns;
    let of = a.block_bytes * b.horizontal * b.block_columns;
    let common = common_divisor(part, of);
    (part / common, of / common)
}

/// The first plane's bytes a row, with which each plane's rows hold their pixels.
fn first_row(format: Format, width: u32) -> Option<u32> {
    let mut row = 0;
    for (index, plane) in format.planes().iter().enumerate() {
        let (part, of) = share(format, index);
        let needed = u64::from(plane.row_bytes(width)?) * u64::from(of);
        row = row.max(u32::try_from(needed.div_ceil(part.into())).ok()?);
    }
    (row > 0).then_some(row)
}

impl fmt::Display for Strides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let align = self.align.max(self.each);
        if self.padding == self.align && self.align > 1 {
            write!(f, "rows rounded up to {align} bytes by the device itself")?;
        } else if self.padding == 1 {
            f.write_str("rows without padding")?;
        } else if align > 1 {
            write!(f, "multiples of {align} bytes")?;
        } else {
            f.write_str("any")?;
        }
        if self.max < u32::MAX {
            write!(f, " up to {}", self.max)?;
        }
        Ok(())
    }
}
