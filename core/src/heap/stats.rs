//! What happened to a heap.

use std::time::Duration;

use super::counters::Usage;
use super::exporter::Idle;
use crate::sync::{AtomicU64, Ordering};

/// What happened to a heap so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapStats {
    /// What is and was on loan.
    pub usage: Usage,
    /// What its exporter keeps though nobody uses it.
    pub idle: Idle,
    /// How long allocations took.
    pub times: AllocTimes,
}

/// Powers of two of nanoseconds that are told apart: up to nine minutes.
const POWERS: usize = 40;

/// Buffers below this many bytes are short.
const SHORT: usize = 64 << 10;

/// One of so many allocations of short buffers is timed, and stands for all of them.
const SAMPLE: u64 = 16;

/// How long allocations took, in powers of two of nanoseconds.
///
/// Every buffer of 64 KiB and more is timed; of shorter ones, one of sixteen is, and counts for
/// all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocTimes([u64; POWERS]);

impl Default for AllocTimes {
    fn default() -> Self {
        Self([0; POWERS])
    }
}

impl AllocTimes {
    /// How many allocations they are of.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What a share of them, in hundredths, did not exceed; to a power of two.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let wanted = (self.count() * percent.min(100)).div_ceil(100).max(1);
        let mut seen = 0;
        let power = self.0.iter().position(|&count| {
            seen += count;
            seen >= wanted
        })?;
        Some(Duration::from_nanos(1 << power))
    }

    /// The buckets that hold any: durations below which they fall, and how many do.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let all = self.0.iter().enumerate();
        all.filter(|&(_, &count)| count > 0)
            .map(|(power, &count)| (Duration::from_nanos(1 << power), count))
    }
}

/// The counters behind [`AllocTimes`].
#[derive(Debug)]
pub(super) struct Times([AtomicU64; POWERS]);

impl Default for Times {
    fn default() -> Self {
        Self(std::array::from_fn(|_power| AtomicU64::new(0)))
    }
}

impl Times {
    /// For how many allocations this one is timed, if it is.
    ///
    /// Reading the clock twice would be a percent of what a short buffer costs, and is nothing
    /// beside the clearing of a long one.
    pub(super) fn weight(len: usize, serial: u64) -> Option<u64> {
        if len >= SHORT {
            Some(1)
        } else {
            (serial % SAMPLE == 1).then_some(SAMPLE)
        }
    }

    pub(super) fn record(&self, nanos: u64, weight: u64) {
        let power = (u64::BITS - nanos.leading_zeros()) as usize;
        self.0[power.min(POWERS - 1)].fetch_add(weight, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> AllocTimes {
        let mut times = AllocTimes::default();
        for (seen, counter) in times.0.iter_mut().zip(&self.0) {
            *seen = counter.load(Ordering::Relaxed);
        }
        times
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn one_of_sixteen_short_buffers_is_timed_for_all() {
        let weights = |len| (1..=32).filter_map(move |serial| Times::weight(len, serial));
        assert_eq!(weights(4096).collect::<Vec<_>>(), [16, 16]);
        assert_eq!(weights(1 << 20).sum::<u64>(), 32);
    }

    #[test]
    fn times_fall_into_powers_of_two() {
        let times = Times::default();
        for nanos in [0, 1, 1000, 1000, u64::MAX] {
            times.record(nanos, 1);
        }
        let times = times.snapshot();
        assert_eq!(times.count(), 5);
        assert_eq!(times.percentile(50), Some(Duration::from_nanos(1024)));
        assert_eq!(times.buckets().count(), 4);
        assert_eq!(AllocTimes::default().percentile(50), None);
    }
}
