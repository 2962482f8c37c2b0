//! What is on loan, counted without locks.

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
    /// All that is counted: as many buffers as a process may have descriptors, on a kernel that
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
    /// Charges a buffer of `len` bytes and gives its number, unless the budget does not have
    /// it. [`Counters::grant`] or [`Counters::undo`] follows.
    pub(super) fn take(&self, len: usize) -> Option<u64> {
        let most = Both(self.most.load(Ordering::Relaxed));
        let add = |live: u64| {
            let bytes = Both(live).bytes().saturating_add(len as u64);
            let has = (bytes <= most.bytes()) & (Both(live).buffers() < most.buffers());
            has.then(|| live + Both::one(len))
        };
        let relaxed = Ordering::Relaxed;
        self.live.fetch_update(relaxed, relaxed, add).ok()?;
        Some(self.total.fetch_add(1, Ordering::Relaxed) + 1)
    }

    #[inline]
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

    /// Counts what was charged as given, and bytes that it turned out to be longer (huge pages,
    /// size classes): those no budget refuses any more.
    #[inline]
    pub(super) fn grant(&self, longer: usize) {
        let longer = longer as u64;
        let before = match longer {
            0 => self.live.load(Ordering::Relaxed),
            _ => self.live.fetch_add(longer, Ordering::Relaxed),
        };
        self.raise(Both(before + longer));
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
        counters.grant(0);
        assert_eq!(counters.take(60), None);
        assert_eq!(counters.take(40), Some(2));
        counters.grant(0);
        counters.give(40);
        assert_eq!(counters.take(1), Some(3));
        counters.grant(0);
        assert_eq!(counters.take(1), None, "a third buffer");
        let usage = counters.usage();
        assert_eq!(
            (usage.live, usage.live_bytes, usage.peak_bytes),
            (2, 61, 100)
        );
        assert_eq!((usage.total, usage.peak), (3, 2));
    }

    #[test]
    fn what_was_never_given_is_no_peak() {
        let counters = Counters::default();
        assert_eq!(counters.take(60), Some(1));
        counters.undo(60);
        assert_eq!(counters.usage(), Usage::default());
    }

    #[test]
    #[cfg_attr(miri, ignore = "a million buffers, and no pointers")]
    fn what_cannot_be_counted_is_not_given() {
        let counters = Counters::default();
        assert_eq!(counters.take(usize::MAX), None);
        assert_eq!(counters.take(1 << 43), Some(1));
        assert_eq!(counters.take(1), None);
        counters.grant(4096);
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
            counters.grant(0);
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
                    let taken = counters.take(len).is_some();
                    if taken {
                        counters.grant(1);
                        counters.give(len + 1);
                    }
                    u64::from(taken)
                })
            });
            let here = counters.take(4).is_some();
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
            assert_eq!(usage.peak, there[0]);
        });
    }
}
