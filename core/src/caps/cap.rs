//! Products of sets, and several of them.

use std::fmt;

use super::{MemoryNeeds, Properties, Property, Set, Steps, Strides, common_multiple};
use crate::format::{Colour, Format};
use crate::layout::{Layout, Modifier};
use crate::time::Rate;

/// How a frame's planes lie in buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// All in one.
    Together,
    /// Each in one of its own.
    Apart,
}

/// A product of sets: what frames must be to pass a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Pixel formats.
    pub formats: Set<Format>,
    /// How pixels are arranged.
    pub modifiers: Set<Modifier>,
    /// Pixels a row.
    pub width: Steps,
    /// Rows.
    pub height: Steps,
    /// Bytes from row to row of the first plane.
    pub strides: Strides,
    /// No row and no stride ends within a pixel, and no picture where pixels share their chroma
    /// with others that are not in it.
    pub whole_pixels: bool,
    /// A plane takes a multiple of so many rows in memory, the picture's own counted in: those of
    /// the first plane, and of further ones in proportion.
    pub rows: u32,
    /// How planes lie in buffers; formats of one plane lie in one.
    pub split: Set<Split>,
    /// Frames a second.
    pub rates: Set<Rate>,
    /// How numbers become colours.
    pub colours: Set<Colour>,
    /// What memory must be like.
    pub memory: MemoryNeeds,
    /// Bytes that a buffer has behind the picture at least, for what the device keeps there.
    pub behind: u32,
}

/// What a port can do: frames pass that one of these lets pass, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caps(pub Vec<Cap>);

impl Cap {
    /// Lets everything pass.
    #[must_use]
    pub const fn any() -> Self {
        Self {
            formats: Set::Any,
            modifiers: Set::Any,
            width: Steps::ANY,
            height: Steps::ANY,
            strides: Strides::ANY,
            whole_pixels: false,
            rows: 1,
            split: Set::Any,
            rates: Set::Any,
            colours: Set::Any,
            memory: MemoryNeeds::NONE,
            behind: 0,
        }
    }

    /// Lets pass what both let pass, in this one's order of preference; `None` where that is
    /// nothing.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let both = Self {
            formats: self.formats.intersect(&other.formats),
            modifiers: self.modifiers.intersect(&other.modifiers),
            width: self.width.intersect(&other.width)?,
            height: self.height.intersect(&other.height)?,
            strides: self.strides.intersect(&other.strides)?,
            whole_pixels: self.whole_pixels || other.whole_pixels,
            rows: common_multiple(self.rows.max(1), other.rows.max(1))?,
            split: self.split.intersect(&other.split),
            rates: self.rates.intersect(&other.rates),
            colours: self.colours.intersect(&other.colours),
            memory: self.memory.and(other.memory),
            behind: self.behind.max(other.behind),
        };
        (!both.is_empty()).then_some(both)
    }

    /// Whether nothing passes, as far as that can be told without a format.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.formats.is_empty()
            || self.modifiers.is_empty()
            || self.width.is_empty()
            || self.height.is_empty()
            || self.rates.is_empty()
            || self.colours.is_empty()
            // A format of one plane passes however planes are to lie.
            || (self.split.is_empty() && !self.has_formats_of_one_plane())
    }

    fn has_formats_of_one_plane(&self) -> bool {
        match &self.formats {
            Set::Any => true,
            Set::Of(formats) => formats.iter().any(|format| format.planes().len() < 2),
        }
    }

    /// Whether planes of a format may lie so.
    #[must_use]
    pub fn allows_split(&self, format: Format, split: Split) -> bool {
        format.planes().len() < 2 || self.split.contains(&split)
    }

    /// Whether a picture of this format may be so wide.
    #[must_use]
    pub fn allows_width(&self, format: Format, width: u32) -> bool {
        let mut planes = format.planes().iter();
        self.width.contains(width)
            && (!self.whole_pixels
                || planes.all(|plane| width.is_multiple_of(plane.horizontal * plane.block_columns)))
    }

    /// Whether a picture of this format may be so high.
    #[must_use]
    pub fn allows_height(&self, format: Format, height: u32) -> bool {
        let mut planes = format.planes().iter();
        self.height.contains(height)
            && (!self.whole_pixels || planes.all(|plane| height.is_multiple_of(plane.vertical)))
    }

    /// What keeps frames of a layout from passing; nothing where they pass. Rates and memory
    /// are not looked at: a layout tells nothing of them.
    #[must_use]
    pub fn misfits(&self, layout: &Layout) -> Properties {
        let format = layout.format();
        let mut misfits = Properties::NONE;
        let mut check = |property, fits: bool| {
            if !fits {
                misfits = misfits.with(property);
            }
        };
        check(Property::Format, self.formats.contains(&format));
        check(
            Property::Modifier,
            self.modifiers.contains(&layout.modifier()),
        );
        let split = match layout.buffer_lens().len() {
            0 | 1 => Split::Together,
            _ => Split::Apart,
        };
        check(Property::Split, self.allows_split(format, split));
        check(Property::Width, self.allows_width(format, layout.width()));
        check(
            Property::Height,
            self.allows_height(format, layout.height()),
        );
        check(Property::Colour, self.colours.contains(&layout.colour()));
        // Other modifiers have rules of their own, which nobody but the driver knows.
        if layout.modifier() == Modifier::LINEAR {
            check(Property::Stride, self.has_stride(layout));
            check(Property::Rows, self.has_rows(layout));
        }
        check(Property::Length, self.has_room_behind(layout));
        misfits
    }

    fn has_stride(&self, layout: &Layout) -> bool {
        let (format, whole) = (layout.format(), self.whole_pixels);
        let Some(first) = layout.planes().first() else {
            return true;
        };
        let mut all = layout.planes().iter().zip(format.planes());
        (self.strides).contains(first.stride, format, layout.width(), whole)
            && all.all(|(plane, info)| {
                let blocks = if whole { info.block_bytes } else { 1 };
                plane.stride.is_multiple_of(self.strides.each.max(1))
                    && plane.stride.is_multiple_of(blocks)
            })
    }

    /// Whether each plane has all its rows' bytes before the next one begins, or its buffer ends.
    fn has_rows(&self, layout: &Layout) -> bool {
        if self.rows <= 1 {
            return true;
        }
        let Some(coded) = layout.height().checked_next_multiple_of(self.rows) else {
            return false;
        };
        let planes = layout.planes();
        planes
            .iter()
            .zip(layout.format().planes())
            .all(|(plane, info)| {
                let begin = u64::from(plane.offset);
                let end = begin + u64::from(plane.stride) * u64::from(info.rows(coded));
                let others = planes.iter().filter(|other| other.buffer == plane.buffer);
                let next = others
                    .map(|other| u64::from(other.offset))
                    .filter(|&offset| offset > begin)
                    .min();
                let len = layout.buffer_lens().get(plane.buffer).copied();
                end <= next.unwrap_or_else(|| len.unwrap_or(0).into())
            })
    }

    fn has_room_behind(&self, layout: &Layout) -> bool {
        if self.behind == 0 || layout.modifier() != Modifier::LINEAR {
            return true;
        }
        let rows = self.rows.max(1);
        let coded = layout.height().checked_next_multiple_of(rows);
        let planes = layout.planes().iter().zip(layout.format().planes());
        let ends = planes.map(|(plane, info)| {
            let bytes = u64::from(plane.stride) * u64::from(info.rows(coded.unwrap_or(u32::MAX)));
            (plane.buffer, u64::from(plane.offset) + bytes)
        });
        let lens = layout.buffer_lens();
        ends.into_iter().all(|(buffer, end)| {
            let len = lens.get(buffer).copied().map_or(0, u64::from);
            end + u64::from(self.behind) <= len
        })
    }
}

impl Caps {
    /// Lets everything pass.
    #[must_use]
    pub fn any() -> Self {
        Self(vec![Cap::any()])
    }

    /// Lets pass what both let pass, in this one's order of preference.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        for cap in &self.0 {
            for common in other.0.iter().filter_map(|other| cap.intersect(other)) {
                if !both.contains(&common) {
                    both.push(common);
                }
            }
        }
        Self(both)
    }

    /// Whether nothing passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Cap::is_empty)
    }

    /// Whether frames of a layout pass.
    #[must_use]
    pub fn contain(&self, layout: &Layout) -> bool {
        self.0.iter().any(|cap| cap.misfits(layout).is_empty())
    }
}

impl From<Cap> for Caps {
    fn from(cap: Cap) -> Self {
        Self(vec![cap])
    }
}

impl FromIterator<Cap> for Caps {
    fn from_iter<I: IntoIterator<Item = Cap>>(caps: I) -> Self {
        Self(caps.into_iter().collect())
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Together => "in one buffer",
            Self::Apart => "a buffer a plane",
        })
    }
}

impl fmt::Display for Cap {
    /// Writes what is not left to others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.formats {
            Set::Any => f.write_str("any format")?,
            formats => write!(f, "{formats}")?,
        }
        if (self.width, self.height) != (Steps::ANY, Steps::ANY) {
            write!(f, ", {} × {}", self.width, self.height)?;
        }
        if self.modifiers != Set::Any {
            write!(f, ", {}", self.modifiers)?;
        }
        if self.split != Set::Any {
            write!(f, ", {}", self.split)?;
        }
        if self.rates != Set::Any {
            write!(f, ", {} frames a second", self.rates)?;
        }
        if self.colours != Set::Any {
            write!(f, ", {}", self.colours)?;
        }
        if self.strides != Strides::ANY {
            write!(f, ", strides: {}", self.strides)?;
        }
        if self.whole_pixels {
            f.write_str(", whole pixels")?;
        }
        if self.rows > 1 {
            write!(f, ", rows by {}", self.rows)?;
        }
        if self.behind > 0 {
            write!(f, ", {} bytes behind the picture", self.behind)?;
        }
        if self.memory != MemoryNeeds::NONE {
            write!(f, ", memory: {}", self.memory)?;
        }
        Ok(())
    }
}

impl fmt::Display for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (index, cap) in self.0.iter().enumerate() {
            let or = if index == 0 { "" } else { "; or " };
            write!(f, "{or}{cap}")?;
        }
        Ok(())
    }
}
