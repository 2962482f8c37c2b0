//! What frames and their memory are told apart by.

use std::fmt;

/// A property of frames, or of their memory, that two ports have to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// The pixel format.
    Format,
    /// How pixels are arranged.
    Modifier,
    /// How planes lie in buffers.
    Split,
    /// Frames a second.
    Rate,
    /// How numbers become colours.
    Colour,
    /// Pixels a row.
    Width,
    /// Rows.
    Height,
    /// Bytes from row to row.
    Stride,
    /// Rows in memory, and where planes begin.
    Rows,
    /// What memory must be like.
    Memory,
    /// How long buffers are, and how much memory there is.
    Length,
    /// How many frames there are.
    Buffers,
}

impl Property {
    /// All of them, in the order in which a plan settles them.
    pub const ALL: [Self; 12] = [
        Self::Format,
        Self::Modifier,
        Self::Split,
        Self::Rate,
        Self::Colour,
        Self::Width,
        Self::Height,
        Self::Stride,
        Self::Rows,
        Self::Memory,
        Self::Length,
        Self::Buffers,
    ];

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Format => "format",
            Self::Modifier => "modifier",
            Self::Split => "number of buffers a frame",
            Self::Rate => "rate",
            Self::Colour => "colour encoding",
            Self::Width => "width",
            Self::Height => "height",
            Self::Stride => "stride",
            Self::Rows => "rows in memory",
            Self::Memory => "memory",
            Self::Length => "buffer length",
            Self::Buffers => "number of buffers",
        })
    }
}

/// Several properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Properties(u16);

impl Properties {
    /// No property.
    pub const NONE: Self = Self(0);

    /// All properties.
    pub const ALL: Self = Self::of(&Property::ALL);

    /// These properties.
    #[must_use]
    pub const fn of(properties: &[Property]) -> Self {
        let (mut bits, mut rest) = (0, properties);
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        Self(bits)
    }

    /// Whether a property is among them.
    #[must_use]
    pub const fn contains(self, property: Property) -> bool {
        self.0 & property.bit() != 0
    }

    /// The same and one more.
    #[must_use]
    pub const fn with(self, property: Property) -> Self {
        Self(self.0 | property.bit())
    }

    /// The same without one.
    #[must_use]
    pub const fn without(self, property: Property) -> Self {
        Self(self.0 & !property.bit())
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = Property> {
        let all = Property::ALL.into_iter();
        all.filter(move |property| self.contains(*property))
    }
}

impl fmt::Display for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, property) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{property}")?;
        }
        Ok(())
    }
}
