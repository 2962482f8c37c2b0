//! What was allocated, counted without locks.

use std::time::Duration;

use super::exporter::Idle;
use crate::sync::{AtomicU64, Ordering};

/// Buffers and bytes on loan, of a heap or of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Buffers on loan now.
    pub live: u64,
    /// The most buffers that were on loan at once.
    pub peak: u64,
    /// Buffers ever given.
    pub total: u64,
    /// Requests refused.
    pub failed: u64,
    /// Bytes on loan now.
    pub live_bytes: u64,
    /// The most bytes that were on loan at once.
    pub peak_bytes: u64,
}

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

/// The counters behind a [`Usage`], which enforce a [`Budget`].
#[derive(Debug)]
pub(super) struct Counters {
    live: AtomicU64,
    peak: AtomicU64,
    total: AtomicU64,
    failed: AtomicU64,
    live_bytes: AtomicU64,
    peak_bytes: AtomicU64,
    most: AtomicU64,
    most_bytes: AtomicU64,
}

/// How much may be on loan at once; `None` is without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Bytes.
    pub bytes: Option<u64>,
    /// Buffers: each costs a descriptor besides its memory.
    pub buffers: Option<u64>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            live: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            total: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            live_bytes: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
            most: AtomicU64::new(u64::MAX),
            most_bytes: AtomicU64::new(u64::MAX),
        }
    }
}

/// Adds without ever passing a limit, not even for a moment in which another would be refused
/// for it.
fn add_within(counter: &AtomicU64, amount: u64, limit: &AtomicU64) -> Option<u64> {
    let most = limit.load(Ordering::Relaxed);
    let add = |now: u64| now.checked_add(amount).filter(|&sum| sum <= most);
    let before = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    before.ok().map(|before| before + amount)
}

fn raise(peak: &AtomicU64, now: u64) {
    // The peak is rarely passed, and looking is cheaper than writing.
    if now > peak.load(Ordering::Relaxed) {
        peak.fetch_max(now, Ordering::Relaxed);
    }
}

impl Counters {
    /// Counts a buffer of `len` bytes, unless the budget does not have it.
    pub(super) fn take(&self, len: usize) -> bool {
        let Some(bytes) = add_within(&self.live_bytes, len as u64, &self.most_bytes) else {
            return false;
        };
        let Some(live) = add_within(&self.live, 1, &self.most) else {
            self.live_bytes.fetch_sub(len as u64, Ordering::Relaxed);
            return false;
        };
        raise(&self.peak_bytes, bytes);
        raise(&self.peak, live);
        self.total.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Counts bytes that a buffer turned out to be longer.
    pub(super) fn lengthen(&self, len: usize) {
        let bytes = self.live_bytes.fetch_add(len as u64, Ordering::Relaxed) + len as u64;
        raise(&self.peak_bytes, bytes);
    }

    /// Counts a buffer that came back.
    pub(super) fn give(&self, len: usize) {
        self.live.fetch_sub(1, Ordering::Relaxed);
        self.live_bytes.fetch_sub(len as u64, Ordering::Relaxed);
    }

    /// Takes back what [`Counters::take`] counted: there was no buffer after all.
    pub(super) fn undo(&self, len: usize) {
        self.give(len);
        self.total.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_budget(&self, budget: Budget) {
        let most = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
        self.most.store(most(budget.buffers), Ordering::Relaxed);
        self.most_bytes.store(most(budget.bytes), Ordering::Relaxed);
    }

    pub(super) fn budget(&self) -> Budget {
        let limit = |most: &AtomicU64| Some(most.load(Ordering::Relaxed)).filter(|&m| m < u64::MAX);
        Budget {
            bytes: limit(&self.most_bytes),
            buffers: limit(&self.most),
        }
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            live: self.live.load(Ordering::Relaxed),
            peak: self.peak.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            live_bytes: self.live_bytes.load(Ordering::Relaxed),
            peak_bytes: self.peak_bytes.load(Ordering::Relaxed),
        }
    }
}

/// Powers of two of nanoseconds that are told apart: up to nine minutes.
const POWERS: usize = 40;

/// How long allocations took, in powers of two of nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocTimes([u64; POWERS]);

impl Default for AllocTimes {
    fn default() -> Self {
        Self([0; POWERS])
    }
}

impl AllocTimes {
    /// How many allocations were timed.
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
    pub(super) fn record(&self, nanos: u64) {
        let power = (u64::BITS - nanos.leading_zeros()) as usize;
        self.0[power.min(POWERS - 1)].fetch_add(1, Ordering::Relaxed);
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
    fn a_budget_is_never_passed() {
        let counters = Counters::default();
        counters.set_budget(Budget {
            bytes: Some(100),
            buffers: Some(2),
        });
        assert!(!counters.take(101));
        assert!(counters.take(60));
        assert!(!counters.take(60));
        assert!(counters.take(40));
        counters.give(40);
        assert!(counters.take(1));
        assert!(!counters.take(1), "a third buffer");
        let usage = counters.usage();
        assert_eq!(
            (usage.live, usage.live_bytes, usage.peak_bytes),
            (2, 61, 100)
        );
        assert_eq!((usage.total, usage.peak), (3, 2));
    }

    #[test]
    fn times_fall_into_powers_of_two() {
        let times = Times::default();
        for nanos in [0, 1, 1000, 1000, u64::MAX] {
            times.record(nanos);
        }
        let times = times.snapshot();
        assert_eq!(times.count(), 5);
        assert_eq!(times.percentile(50), Some(Duration::from_nanos(1024)));
        assert_eq!(times.buckets().count(), 4);
        assert_eq!(AllocTimes::default().percentile(50), None);
    }
}

/// Every order in which threads can meet at a budget.
#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn loom_two_threads_never_pass_a_budget_together() {
        loom::model(|| {
            let counters = Arc::new(Counters::default());
            counters.set_budget(Budget {
                bytes: Some(10),
                buffers: None,
            });
            let other = Arc::clone(&counters);
            let taker = thread::spawn(move || other.take(6));
            let mine = counters.take(6);
            let theirs = taker.join().unwrap();
            assert!(mine ^ theirs, "one of two gets it");
            assert_eq!(counters.usage().live_bytes, 6);
            counters.give(6);
            assert_eq!((counters.usage().live, counters.usage().live_bytes), (0, 0));
            assert_eq!(counters.usage().peak_bytes, 6);
        });
    }

    #[test]
    fn loom_what_is_refused_leaves_no_trace_and_what_is_given_is_counted() {
        loom::model(|| {
            let counters = Arc::new(Counters::default());
            counters.set_budget(Budget {
                bytes: Some(10),
                buffers: Some(1),
            });
            // One of the two limits is met by either, so that the other's charge is undone.
            let takers = [4, 11].map(|len| {
                let counters = Arc::clone(&counters);
                thread::spawn(move || {
                    let taken = counters.take(len);
                    if taken {
                        counters.lengthen(1);
                        counters.give(len + 1);
                    }
                    u64::from(taken)
                })
            });
            let here = counters.take(4);
            let there = takers.map(|taker| taker.join().unwrap());
            assert_eq!(there[1], 0, "more bytes than there may be");
            let usage = counters.usage();
            assert_eq!(usage.total, u64::from(here) + there[0]);
            assert!(usage.total >= 1, "one of two that fit got none");
            assert_eq!(
                (usage.live, usage.live_bytes),
                match here {
                    true => (1, 4),
                    false => (0, 0),
                }
            );
            assert_eq!(usage.peak, 1);
        });
    }
}
