//! Waiting for a free frame.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Mutex, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use super::Stopper;
use crate::frame::ReleaseHook;

/// Where the thread of a stage that draws or copies sleeps until it has a free frame, and what
/// wakes it: a frame that is let go ([`WakeOnRelease`]), or the [`Stopper`] that it is.
#[derive(Debug, Default)]
pub struct Bed {
    stopped: AtomicBool,
    /// The thread has no free frame and nothing else to wait for.
    starving: AtomicBool,
    /// Who sleeps here; looked at to sleep and to wake, never otherwise.
    sleeper: Mutex<Option<Thread>>,
}

impl Bed {
    /// Whether it was used as a stopper since it was cleared.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Makes it ready for a new start.
    pub fn clear(&self) {
        self.stopped.store(false, Ordering::Release);
        self.starving.store(false, Ordering::Release);
    }

    /// Sleeps for a time at most, unless it is stopped. May wake for nothing.
    pub fn sleep(&self, time: Duration) {
        self.lie_down();
        if !self.is_stopped() {
            thread::park_timeout(time);
        }
    }

    /// What `acquire` returns, if need be after having slept until a frame was let go. May
    /// wake for nothing.
    pub fn sleep_until<T>(&self, acquire: impl Fn() -> Option<T>) -> Option<T> {
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
    fn released(&self) {
        fence(Ordering::SeqCst);
        if self.starving.load(Ordering::Relaxed) && self.starving.swap(false, Ordering::Relaxed) {
            self.wake();
        }
    }
}

/// Wakes who waits in a [`Bed`] when a frame of the pool is free.
#[derive(Debug)]
pub struct WakeOnRelease(pub Weak<Bed>);

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
