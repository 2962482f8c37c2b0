//! What a port of a stage can do, as sets.
//!
//! A [`Cap`] is a product of sets, one a property of frames: a frame can pass where each of its
//! properties is in its set. A port's [`Caps`] are several of these: a frame can pass where one
//! of them lets it. Two ends of a link can agree on what is in both.

use std::fmt;

use crate::format::{Colour, Format};
use crate::layout::Modifier;
use crate::time::Rate;

/// Values that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set<T> {
    /// Whatever there is.
    Any,
    /// One of these, best first.
    Of(Vec<T>),
}

/// Numbers from `min` to `max`, in steps from `min` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The least.
    pub min: u32,
    /// The greatest.
    pub max: u32,
    /// From one to the next; 1 where all between them will do.
    pub step: u32,
}

/// What the first plane's bytes from row to row may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strides {
    /// Any multiple of `align` bytes that holds a row, up to `max`.
    Padded {
        /// A divisor of the stride.
        align: u32,
        /// The longest.
        max: u32,
    },
    /// A row's bytes rounded up to a multiple of `align`, and nothing else: a device that pads
    /// by itself and heeds nobody.
    Own {
        /// A divisor of the stride.
        align: u32,
    },
}

/// How a frame's planes lie in buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// All in one.
    Together,
    /// Each in one of its own.
    Apart,
}

/// What a device wants of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryNeeds {
    /// It reads and writes by the dma-buf's descriptor, not with the CPU.
    pub import: bool,
    /// It has no IOMMU: a buffer must be one physical piece.
    pub contiguous: bool,
    /// How many bits an address may have that it reaches without a bounce buffer; `None` for
    /// all of memory.
    pub address_bits: Option<u32>,
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
    /// A plane takes a multiple of so many rows in memory, the picture's own counted in.
    pub rows: u32,
    /// How planes lie in buffers.
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

impl Steps {
    /// Every number from 1 on.
    pub const ANY: Self = Self {
        min: 1,
        max: u32::MAX,
        step: 1,
    };

    /// This number alone.
    #[must_use]
    pub const fn only(number: u32) -> Self {
        Self {
            min: number,
            max: number,
            step: 1,
        }
    }
}

impl Cap {
    /// Lets everything pass.
    #[must_use]
    pub const fn any() -> Self {
        Self {
            formats: Set::Any,
            modifiers: Set::Any,
            width: Steps::ANY,
            height: Steps::ANY,
            strides: Strides::Padded {
                align: 1,
                max: u32::MAX,
            },
            rows: 1,
            split: Set::Any,
            rates: Set::Any,
            colours: Set::Any,
            memory: MemoryNeeds {
                import: false,
                contiguous: false,
                address_bits: None,
            },
            behind: 0,
        }
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
