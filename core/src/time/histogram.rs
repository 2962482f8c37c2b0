//! Durations counted in buckets, by one thread while others look.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Buckets in which a power of two is divided: a bucket is at most 1/32 of its value wide.
const SUB_BITS: u32 = 5;
const SUBS: usize = 1 << SUB_BITS;
/// Durations are counted in microseconds below 2^31, about 36 minutes.
const POWERS: usize = 31 - SUB_BITS as usize;
const BUCKETS: usize = SUBS * (POWERS + 1);

/// A histogram of durations with about 3 % of error, from 1 µs to half an hour.
///
/// Recording neither allocates nor locks; it may be read at any time.
#[derive(Debug)]
pub struct Histogram {
    buckets: Box<[AtomicU32]>,
    count: AtomicU64,
    max: AtomicU64,
}

/// What a histogram says in short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Durations counted.
    pub count: u64,
    /// Half are at most this long.
    pub p50: Duration,
    /// Nine of ten are at most this long.
    pub p90: Duration,
    /// Ninety-nine of a hundred are at most this long.
    pub p99: Duration,
    /// The longest, exactly.
    pub max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(),
            count: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }
}

/// The bucket of a number of microseconds: linear up to `SUBS`, then `SUBS` a power of two.
fn bucket(micros: u64) -> usize {
    let power = (u64::BITS - micros.leading_zeros()).saturating_sub(SUB_BITS + 1);
    let sub = usize::try_from(micros >> power).unwrap_or(usize::MAX);
    (power as usize * SUBS).saturating_add(sub).min(BUCKETS - 1)
}

/// The largest number of microseconds that falls into a bucket.
fn upper(bucket: usize) -> u64 {
    let power = (bucket / SUBS).saturating_sub(1);
    let sub = (bucket - power * SUBS) as u64;
    ((sub + 1) << power) - 1
}

impl Histogram {
    /// Counts a duration. One thread does so.
    pub fn record(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = &self.buckets[bucket(nanos / 1000)];
        // A single writer need not lock the bus to add one.
        bucket.store(bucket.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if nanos > self.max.load(Ordering::Relaxed) {
            self.max.store(nanos, Ordering::Relaxed);
        }
        // Last, so that whoever sees the count sees what was counted.
        let count = self.count.load(Ordering::Relaxed) + 1;
        self.count.store(count, Ordering::Release);
    }

    /// How many durations were counted so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Sums up what was counted so far.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let count = self.count();
        let max = Duration::from_nanos(self.max.load(Ordering::Relaxed));
        let mut found = [Duration::ZERO; 3];
        let wanted = [50, 90, 99].map(|percent| (count * percent).div_ceil(100));
        let (mut seen, mut next) = (0, 0);
        for (index, bucket) in self.buckets.iter().enumerate() {
            seen += u64::from(bucket.load(Ordering::Relaxed));
            while next < wanted.len() && seen > 0 && seen >= wanted[next] {
                found[next] = Duration::from_micros(upper(index)).min(max);
                next += 1;
            }
            if next == wanted.len() {
                break;
            }
        }
        let [p50, p90, p99] = found;
        Quantiles {
            count,
            p50,
            p90,
            p99,
            max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_without_gaps() {
        let mut micros = 0;
        for index in 0..BUCKETS {
            assert_eq!(bucket(micros), index);
            assert_eq!(bucket(upper(index)), index);
            micros = upper(index) + 1;
        }
    }

    #[test]
    fn quantiles_are_within_their_error() {
        let histogram = Histogram::default();
        for millis in 1..=1000 {
            histogram.record(Duration::from_millis(millis));
        }
        let quantiles = histogram.quantiles();
        assert_eq!(quantiles.count, 1000);
        for (found, exact) in [
            (quantiles.p50, 500.0),
            (quantiles.p90, 900.0),
            (quantiles.p99, 990.0),
        ] {
            let ratio = found.as_secs_f64() * 1000.0 / exact;
            assert!((1.0..1.04).contains(&ratio), "{found:?} for {exact} ms");
        }
        assert_eq!(quantiles.max, Duration::from_secs(1));
    }

    #[test]
    fn nothing_counted_and_things_too_long() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantiles(), Quantiles::default());
        histogram.record(Duration::MAX);
        assert_eq!(histogram.quantiles().count, 1);
    }
}
