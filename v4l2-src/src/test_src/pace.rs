//! When a picture is due, and waiting for it.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use dmaflow_core::frame::ReleaseHook;
use dmaflow_core::stage::Stopper;
use dmaflow_core::time::{Rate, Timestamp};

/// Pictures at a rate, each at its own time: an early or late one does not move the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    start: Timestamp,
    rate: Rate,
}

impl Pace {
    pub(super) const fn new(start: Timestamp, rate: Rate) -> Self {
        Self { start, rate }
    }

    /// When picture `number` is due.
    pub(super) fn due(&self, number: u64) -> Timestamp {
        let seconds = u128::from(number) * u128::from(self.rate.seconds());
        let nanos = seconds * 1_000_000_000 / u128::from(self.rate.frames());
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Timestamp::from_nanos(self.start.as_nanos().saturating_add(nanos))
    }

    /// The last picture that is due at `now`, which is not before the start.
    pub(super) fn newest(&self, now: Timestamp) -> u64 {
        let passed = now.since(self.start).unwrap_or_default().as_nanos();
        let frames = passed * u128::from(self.rate.frames());
        let number = frames / (u128::from(self.rate.seconds()) * 1_000_000_000);
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        // `due` rounds down: the next one may be due in this very nanosecond.
        if self.due(number + 1) <= now {
            number + 1
        } else {
            number
        }
    }
}

/// Where the source's thread sleeps, and what wakes it.
#[derive(Debug, Default)]
pub(super) struct Bed {
    stopped: AtomicBool,
    /// The source has no free frame and nothing else to wait for.
    starving: AtomicBool,
    /// Who sleeps here; looked at to sleep and to wake, never otherwise.
    sleeper: Mutex<Option<Thread>>,
}

impl Bed {
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    pub(super) fn clear(&self) {
        self.stopped.store(false, Ordering::Release);
        self.starving.store(false, Ordering::Release);
    }

    /// Sleeps for a time at most, unless it is stopped. May wake for nothing.
    pub(super) fn sleep(&self, time: Duration) {
        self.lie_down();
        if !self.is_stopped() {
            thread::park_timeout(time);
        }
    }

    /// What `acquire` returns, if need be after having slept until a frame was let go. May
    /// wake for nothing.
    pub(super) fn sleep_until<T>(&self, acquire: impl Fn() -> Option<T>) -> Option<T> {
        self.lie_down();
        self.starving.store(true, Ordering::Relaxed);
        // Pairs with the fence in `released`: one of the two sees what the other did.
        fence(Ordering::SeqCst);
        let found = acquire();
        if found.is_none() && !self.is_stopped() {
            thread::park();
        }
        self.starving.store(false, Ordering::Relaxed);
        found.or_else(acquire)
    }

    fn lie_down(&self) {
        let mut sleeper = self.sleeper.lock().unwrap_or_else(PoisonError::into_inner);
        let this = thread::current();
        if sleeper.as_ref().is_none_or(|known| known.id() != this.id()) {
            *sleeper = Some(this);
        }
    }

    fn wake(&self) {
        let sleeper = self.sleeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sleeper) = sleeper.as_ref() {
            sleeper.unpark();
        }
    }

    /// A frame is free.
    pub(super) fn released(&self) {
        fence(Ordering::SeqCst);
        if self.starving.load(Ordering::Relaxed) && self.starving.swap(false, Ordering::Relaxed) {
            self.wake();
        }
    }
}

/// Wakes the source when it waits for a frame.
#[derive(Debug)]
pub(super) struct WakeOnRelease(pub(super) std::sync::Weak<Bed>);

impl ReleaseHook for WakeOnRelease {
    fn released(&self, _slot: usize) {
        if let Some(bed) = self.0.upgrade() {
            bed.released();
        }
    }
}

impl Stopper for Bed {
    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_due_without_drift() {
        let start = Timestamp::from_nanos(7);
        let pace = Pace::new(start, Rate::new(30_000, 1001).unwrap());
        assert_eq!(pace.due(0), start);
        // A hundred hours of them.
        assert_eq!(
            pace.due(30_000 * 360),
            Timestamp::from_nanos(7 + 360_360_000_000_000)
        );
        for number in [0, 1, 2, 1000, 12_345_678] {
            let due = pace.due(number);
            assert_eq!(pace.newest(due), number, "at its time");
            let before = Timestamp::from_nanos(pace.due(number + 1).as_nanos() - 1);
            assert_eq!(pace.newest(before), number, "until the next");
        }
    }

    #[test]
    fn a_sleeper_is_woken_by_the_stopper() {
        let bed = Bed::default();
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                while !bed.is_stopped() {
                    bed.sleep(Duration::from_secs(3600));
                }
            });
            bed.stop();
            sleeper.join().unwrap();
        });
    }

    #[test]
    fn a_starving_source_is_woken_by_a_frame() {
        let bed = Bed::default();
        let free = AtomicBool::new(false);
        thread::scope(|scope| {
            let source = scope.spawn(|| {
                let take = || free.swap(false, Ordering::AcqRel).then_some(());
                (0..10_000).for_each(|_frame| while bed.sleep_until(take).is_none() {});
            });
            while !source.is_finished() {
                if !free.swap(true, Ordering::AcqRel) {
                    bed.released();
                }
                std::hint::spin_loop();
            }
            source.join().unwrap();
        });
    }
}
