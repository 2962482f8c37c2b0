//! Time: clocks that stamp frames, rates, and where latencies are gathered.

mod histogram;
mod rate;

pub use histogram::{Histogram, Quantiles};
pub use rate::{NotARate, Rate};

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Add;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A clock of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`: what V4L2 and KMS stamp with; stands still in suspend.
    Monotonic,
    /// `CLOCK_BOOTTIME`: runs on in suspend.
    Boottime,
    /// `CLOCK_REALTIME`: jumps when it is set.
    Realtime,
}

impl Clock {
    /// Reads the clock.
    #[inline]
    #[must_use]
    pub fn now(self) -> Timestamp {
        let now = clock_gettime(match self {
            Self::Monotonic => ClockId::Monotonic,
            Self::Boottime => ClockId::Boottime,
            Self::Realtime => ClockId::Realtime,
        });
        let (seconds, nanos) = (now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned());
        // No clock of Linux goes beyond 2⁶³ nanoseconds.
        Timestamp::from_nanos(seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos))
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Monotonic => "MONOTONIC",
            Self::Boottime => "BOOTTIME",
            Self::Realtime => "REALTIME",
        })
    }
}

/// A moment on some clock, in nanoseconds since that clock's start.
///
/// Kept as one more than that number, so that an `Option` of it is no larger: frames carry
/// several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroU64);

const _: () = assert!(size_of::<Option<Timestamp>>() == size_of::<u64>());

impl Timestamp {
    /// The moment so many nanoseconds after the clock's start; the very last of 2⁶⁴ becomes
    /// the one before it.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// Nanoseconds since the clock's start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// A moment or none as one number.
    pub(crate) const fn to_bits(moment: Option<Self>) -> u64 {
        match moment {
            Some(Self(bits)) => bits.get(),
            None => 0,
        }
    }

    /// What [`Timestamp::to_bits`] made.
    pub(crate) const fn from_bits(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// How long after `earlier` this is; `None` where it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Duration> {
        let nanos = self.as_nanos().checked_sub(earlier.as_nanos());
        nanos.map(Duration::from_nanos)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// The moment so much later, or the last one there is.
    fn add(self, later: Duration) -> Self {
        let nanos = u64::try_from(later.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Default for Timestamp {
    /// The clock's start.
    fn default() -> Self {
        Self::from_nanos(0)
    }
}

impl From<Duration> for Timestamp {
    /// Takes the time since the clock's start; 584 years and more become the last moment.
    fn from(since_start: Duration) -> Self {
        Self::from_nanos(u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX))
    }
}
