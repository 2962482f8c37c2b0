//! Which frames a link keeps when they come faster than they are taken.

use std::fmt;
use std::num::NonZeroUsize;

/// Which frame a stage takes from its link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueuePolicy {
    /// The newest: older ones are let go and counted. Lowest latency.
    #[default]
    Latest,
    /// The oldest: every frame gets its turn.
    Fifo {
        /// How many may wait; one more and the oldest is let go and counted. Without a number
        /// as many as the pool has, but [`SHARED_DEPTH`] where the frames have other users.
        depth: Option<NonZeroUsize>,
    },
    /// The oldest, and none is ever let go: whoever sends waits for room.
    Block {
        /// How many may wait.
        depth: NonZeroUsize,
    },
}

/// How many frames wait in a link whose frames go to other stages as well, where nothing is
/// said: a slow stage must not keep those that the others need.
pub const SHARED_DEPTH: NonZeroUsize = NonZeroUsize::new(2).unwrap();

impl QueuePolicy {
    /// Every frame gets its turn.
    pub const FIFO: Self = Self::Fifo { depth: None };

    /// How many frames a pool should have for such a link.
    pub(crate) const fn frames(self) -> usize {
        match self {
            Self::Latest | Self::Fifo { depth: None } => 1,
            Self::Fifo { depth: Some(depth) } | Self::Block { depth } => depth.get(),
        }
    }

    /// The same where no frame may be left out, with as many that wait: compressed frames build
    /// on each other.
    pub(crate) const fn lossless(self) -> Self {
        let depth = match self {
            Self::Latest | Self::Fifo { depth: None } => NonZeroUsize::MIN,
            Self::Fifo { depth: Some(depth) } | Self::Block { depth } => depth,
        };
        Self::Block { depth }
    }

    /// The same where other links lead away from where this one does.
    pub(crate) const fn shared(self) -> Self {
        match self {
            Self::Fifo { depth: None } => Self::Fifo {
                depth: Some(SHARED_DEPTH),
            },
            told => told,
        }
    }
}

impl fmt::Display for QueuePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Fifo { depth: None } => f.write_str("fifo"),
            Self::Fifo { depth: Some(depth) } => write!(f, "fifo of {depth}"),
            Self::Block { depth } => write!(f, "block of {depth}"),
        }
    }
}
