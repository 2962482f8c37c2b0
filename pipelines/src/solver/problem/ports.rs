//! What ports can do, and what stages make of frames.

use std::fmt;

use dmaflow_core::caps::{Cap, Caps, Set};

/// Which way frames go through a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the stage.
    Input,
    /// Out of it.
    Output,
}

/// What a stage has to do with the frames of its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It makes frames, or uses them up: each port agrees on its own.
    Ends,
    /// It passes frames on: all its ports are one agreement.
    Passes,
    /// It makes frames of its one output from frames of its one input, in one of these ways,
    /// best first.
    Transforms(Vec<Alternative>),
}

/// A way of making frames of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// What it takes.
    pub input: Cap,
    /// What it makes of that.
    pub output: Cap,
    /// How much larger or smaller the picture may become.
    pub scale: Scale,
}

/// How much larger or smaller a picture may become, in each direction by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// To one part in so many of what it was at least; not 0.
    pub down: u32,
    /// To so many times what it was at most; not 0.
    pub up: u32,
}

impl Scale {
    /// Pictures stay as large as they are.
    pub const NONE: Self = Self { down: 1, up: 1 };

    /// Pictures of any size become pictures of any size.
    pub const ANY: Self = Self {
        down: u32::MAX,
        up: u32::MAX,
    };

    /// Whether so many pixels in a row, or rows, may become so many.
    #[must_use]
    pub fn allows(self, input: u32, output: u32) -> bool {
        let (least, most) = self.window(input);
        (least..=most).contains(&output)
    }

    /// The fewest and the most that so many pixels may become.
    pub(in crate::solver) fn window(self, input: u32) -> (u32, u32) {
        (
            input.div_ceil(self.down.max(1)),
            input.saturating_mul(self.up.max(1)),
        )
    }

    /// The fewest and the most of which so many pixels may have been made.
    pub(in crate::solver) fn window_back(self, output: u32) -> (u32, u32) {
        (
            output.div_ceil(self.up.max(1)),
            output.saturating_mul(self.down.max(1)),
        )
    }
}

/// What a port can do, and what it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// What frames may be.
    pub caps: Caps,
    /// How many frames it keeps while it works: buffers that a device needs queued, the frame
    /// that is shown.
    pub holds: usize,
    /// Of an output: how many buffers its pool is to have; by default what all that use them
    /// keep, and one on its way over each link.
    pub buffers: Option<usize>,
    /// Of an output: the heaps its pool may come from by name, best first.
    pub heaps: Set<String>,
}

impl Port {
    /// A port that keeps no frame, and says nothing about its pool.
    #[must_use]
    pub fn new(caps: impl Into<Caps>) -> Self {
        Self {
            caps: caps.into(),
            holds: 0,
            buffers: None,
            heaps: Set::Any,
        }
    }

    /// The same, keeping so many frames.
    #[must_use]
    pub fn holding(mut self, frames: usize) -> Self {
        self.holds = frames;
        self
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => f.write_str("unscaled"),
            Self::ANY => f.write_str("scaled to any size"),
            Self { down, up } => write!(f, "scaled to 1/{down} up to {up} times"),
        }
    }
}
