//! A bell: how one thread wakes another.
//!
//! It is what thread parking is, as one word that both ends of a link share: ringing it is a
//! system call only where somebody sleeps, and waiting for it is one at most.

use crate::sync::{Ordering, Word};

const SILENT: u32 = 0;
const RUNG: u32 = 1;
const AWAITED: u32 = 2;

/// A bell that one thread waits for. If it rings while nobody waits, the next wait ends at once.
#[derive(Debug, Default)]
pub(crate) struct Bell(Word);

impl Bell {
    /// Ends the wait, or the next one. Whoever waited sees what was done before.
    pub(crate) fn ring(&self) {
        if self.0.swap(RUNG, Ordering::Release) == AWAITED {
            self.0.wake();
        }
    }

    /// Sleeps until the bell rings.
    pub(crate) fn wait(&self) {
        if self.0.change(SILENT, AWAITED) {
            while self.0.load(Ordering::Relaxed) == AWAITED {
                self.0.sleep_while(AWAITED);
            }
        }
        // Not a mere store: it has to see what was done before the last ring.
        self.0.swap(SILENT, Ordering::Acquire);
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;
    use std::thread;

    #[test]
    fn a_bell_that_rang_before_ends_the_next_wait() {
        let bell = Bell::default();
        bell.ring();
        bell.ring();
        bell.wait();
    }

    #[test]
    fn no_ring_is_lost() {
        const TURNS: u64 = if cfg!(miri) { 100 } else { 10_000 };
        let (there, back, count) = (Bell::default(), Bell::default(), AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                for expected in 1..=TURNS {
                    there.wait();
                    assert_eq!(count.load(Ordering::Relaxed), expected);
                    back.ring();
                }
            });
            for _turn in 0..TURNS {
                count.fetch_add(1, Ordering::Relaxed);
                there.ring();
                back.wait();
            }
        });
    }
}

/// Every order in which threads can meet at a bell. A ring that is lost is a thread that sleeps
/// for ever, which loom calls a deadlock.
#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::cell::Cell;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU64;
    use loom::thread;

    #[test]
    fn loom_whoever_waited_sees_what_was_done_before() {
        loom::model(|| {
            let shared = Arc::new((Bell::default(), Cell::new(0)));
            let ringing = Arc::clone(&shared);
            let ringer = thread::spawn(move || {
                ringing.1.set(7);
                ringing.0.ring();
            });
            shared.0.wait();
            assert_eq!(shared.1.get(), 7);
            ringer.join().unwrap();
        });
    }

    #[test]
    fn loom_no_ring_is_lost() {
        loom::model(|| {
            let shared = Arc::new((Bell::default(), AtomicU64::new(0)));
            for _ringer in 0..2 {
                let ringing = Arc::clone(&shared);
                thread::spawn(move || {
                    ringing.1.fetch_add(1, Ordering::Relaxed);
                    ringing.0.ring();
                });
            }
            // Rings that come together are one, and that one is the later's too.
            while shared.1.load(Ordering::Relaxed) < 2 {
                shared.0.wait();
            }
        });
    }

    #[test]
    fn loom_two_threads_wake_each_other_by_turns() {
        loom::model(|| {
            let shared = Arc::new((Bell::default(), Bell::default(), Cell::new(0)));
            let other = Arc::clone(&shared);
            let answering = thread::spawn(move || {
                for turn in [1, 3] {
                    other.0.wait();
                    assert_eq!(other.2.get(), turn);
                    other.2.set(turn + 1);
                    other.1.ring();
                }
            });
            for turn in [0, 2] {
                assert_eq!(shared.2.get(), turn);
                shared.2.set(turn + 1);
                shared.0.ring();
                shared.1.wait();
            }
            assert_eq!(shared.2.get(), 4);
            answering.join().unwrap();
        });
    }
}
