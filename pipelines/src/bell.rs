//! A bell: how one thread wakes another.
//!
//! It is what thread parking is, as one word that both ends of a link share: ringing it is a
//! system call only where somebody sleeps, and waiting for it is one at most.

use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::futex::{self, Flags};

const SILENT: u32 = 0;
const RUNG: u32 = 1;
const AWAITED: u32 = 2;

/// A bell that one thread waits for. If it rings while nobody waits, the next wait ends at once.
#[derive(Debug, Default)]
pub(crate) struct Bell(AtomicU32);

impl Bell {
    /// Ends the wait, or the next one. Whoever waited sees what was done before.
    pub(crate) fn ring(&self) {
        if self.0.swap(RUNG, Ordering::Release) == AWAITED {
            let woken = futex::wake(&self.0, Flags::PRIVATE, 1);
            debug_assert!(woken.is_ok(), "{woken:?}");
        }
    }

    /// Sleeps until the bell rings.
    pub(crate) fn wait(&self) {
        let silent = self
            .0
            .compare_exchange(SILENT, AWAITED, Ordering::Relaxed, Ordering::Relaxed);
        if silent.is_ok() {
            while self.0.load(Ordering::Relaxed) == AWAITED {
                // Whatever ended it, a signal as well, the word tells whether it rang.
                futex::wait(&self.0, Flags::PRIVATE, AWAITED, None).ok();
            }
        }
        // Not a mere store: it has to see what was done before the last ring.
        self.0.swap(SILENT, Ordering::Acquire);
    }
}

#[cfg(test)]
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
        let (there, back, count) = (Bell::default(), Bell::default(), AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                for expected in 1..=10_000 {
                    there.wait();
                    assert_eq!(count.load(Ordering::Relaxed), expected);
                    back.ring();
                }
            });
            for _turn in 0..10_000 {
                count.fetch_add(1, Ordering::Relaxed);
                there.ring();
                back.wait();
            }
        });
    }
}
