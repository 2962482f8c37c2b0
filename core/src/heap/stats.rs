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
    total: AtomicU64,
    failed: AtomicU64,
    peak: AtomicU64,
    most: AtomicU64,
}

/// Buffers and bytes in one word, so that they are counted together and no budget is passed
/// even for a moment: bytes in the lower 44 bits, buffers above.
#[derive(Clone, Copy)]
struct Both(u64);

impl Both {
    const SHIFT: u32 = 44;
    const BUFFER: u64 = 1 << Self::SHIFT;
    /// All that is counted: more buffers than a process may have descriptors, on a kernel that
    /// was not told otherwise (`fs.nr_open`), and half of the bytes that fit; the other half is
    /// for exporters that give more than was asked for.
    const ALL: Self = Self::of(u64::MAX >> Self::SHIFT, Self::BUFFER / 2);

    const fn of(buffers: u64, bytes: u64) -> Self {
        Self((buffers << Self::SHIFT) | bytes)
    }

    const fn buffers(self) -> u64 {
        self.0 >> Self::SHIFT
    }

    const fn bytes(self) -> u64 {
        self.0 & (Self::BUFFER - 1)
    }

    /// One buffer of so many bytes.
    const fn one(len: usize) -> u64 {
        Self::BUFFER + len as u64
    }

    /// Whether neither is more than the other's. (Both are compared before there is a branch.)
    const fn within(self, other: Self) -> bool {
        (self.buffers() <= other.buffers()) & (self.bytes() <= other.bytes())
    }

    /// The more of each.
    fn max(self, other: Self) -> Self {
        Self::of(
            self.buffers().max(other.buffers()),
            self.bytes().max(other.bytes()),
        )
    }
}

/// How much may be on loan at once; `None` is all that can be counted: 1,048,575 buffers of
/// 8 TiB together.
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
            total: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            most: AtomicU64::new(Both::ALL.0),
        }
    }
}

impl Counters {
    /// Counts a buffer of `len` bytes and gives its number, unless the budget does not have it.
    pub(super) fn take(&self, len: usize) -> Option<u64> {
        let most = Both(self.most.load(Ordering::Relaxed));
        let add = |live: u64| {
            let bytes = Both(live).bytes().saturating_add(len as u64);
            let has = (bytes <= most.bytes()) & (Both(live).buffers() < most.buffers());
            has.then(|| live + Both::one(len))
        };
        let relaxed = Ordering::Relaxed;
        let before = self.live.fetch_update(relaxed, relaxed, add).ok()?;
        self.raise(Both(before + Both::one(len)));
        Some(self.total.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn raise(&self, live: Both) {
        // The peak is rarely passed, and looking is cheaper than writing.
        if !live.within(Both(self.peak.load(Ordering::Relaxed))) {
            self.raise_to(live);
        }
    }

    #[cold]
    fn raise_to(&self, live: Both) {
        let relaxed = Ordering::Relaxed;
        let raised = |peak| Some(live.max(Both(peak)).0);
        // It is never refused.
        self.peak.fetch_update(relaxed, relaxed, raised).ok();
    }

    /// Counts bytes that a buffer turned out to be longer.
    pub(super) fn lengthen(&self, len: usize) {
        let before = self.live.fetch_add(len as u64, Ordering::Relaxed);
        self.raise(Both(before + len as u64));
    }

    /// Counts a buffer that came back.
    pub(super) fn give(&self, len: usize) {
        self.live.fetch_sub(Both::one(len), Ordering::Relaxed);
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
        let most = |limit: Option<u64>, all: u64| limit.map_or(all, |limit| limit.min(all));
        let most = Both::of(
            most(budget.buffers, Both::ALL.buffers()),
            most(budget.bytes, Both::ALL.bytes()),
        );
        self.most.store(most.0, Ordering::Relaxed);
    }

    pub(super) fn budget(&self) -> Budget {
        let most = Both(self.most.load(Ordering::Relaxed));
        let limit = |most: u64, all: u64| (most < all).then_some(most);
        Budget {
            bytes: limit(most.bytes(), Both::ALL.bytes()),
            buffers: limit(most.buffers(), Both::ALL.buffers()),
        }
    }

    pub(super) fn usage(&self) -> Usage {
        let live = Both(self.live.load(Ordering::Relaxed));
        let peak = Both(self.peak.load(Ordering::Relaxed));
        Usage {
            live: live.buffers(),
            peak: peak.buffers(),
            total: self.total.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            live_bytes: live.bytes(),
            peak_bytes: peak.bytes(),
        }
    }
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
    fn a_budget_is_never_passed() {
        let counters = Counters::default();
        counters.set_budget(Budget {
            bytes: Some(100),
            buffers: Some(2),
        });
        assert_eq!(counters.take(101), None);
        assert_eq!(counters.take(60), Some(1));
        assert_eq!(counters.take(60), None);
        assert_eq!(counters.take(40), Some(2));
        counters.give(40);
        assert_eq!(counters.take(1), Some(3));
        assert_eq!(counters.take(1), None, "a third buffer");
        let usage = counters.usage();
        assert_eq!(
            (usage.live, usage.live_bytes, usage.peak_bytes),
            (2, 61, 100)
        );
        assert_eq!((usage.total, usage.peak), (3, 2));
    }

    #[test]
    fn what_cannot_be_counted_is_not_given() {
        let counters = Counters::default();
        assert_eq!(counters.take(usize::MAX), None);
        assert_eq!(counters.take(1 << 43), Some(1));
        assert_eq!(counters.take(1), None);
        counters.lengthen(4096);
        assert_eq!(counters.usage().peak_bytes, (1 << 43) + 4096);
        counters.give((1 << 43) + 4096);
        assert_eq!(counters.usage().live_bytes, 0);
        let many = Budget {
            bytes: Some(u64::MAX),
            buffers: Some(u64::MAX),
        };
        counters.set_budget(many);
        assert_eq!(counters.budget(), Budget::default());
        for _buffer in 0..Both::ALL.buffers() {
            assert!(counters.take(1).is_some());
        }
        assert_eq!(counters.take(1), None);
        assert_eq!(counters.usage().live_bytes, Both::ALL.buffers());
    }

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
            let taker = thread::spawn(move || other.take(6).is_some());
            let mine = counters.take(6).is_some();
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
