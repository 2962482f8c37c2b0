//! What threads meet at, which the model checker replaces by its own.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p dmaflow-pipelines --lib loom` tries every order in which
//! threads can meet in what is built on these; `cargo xtask test` does.

#[cfg(loom)]
mod model;

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use model::{Receiver, Sender, TrySendError, Word, bounded};

#[cfg(not(loom))]
pub(crate) use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use word::Word;

#[cfg(not(loom))]
mod word {
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::thread::futex::{self, Flags};

    /// A word that a thread can sleep at.
    #[derive(Debug, Default)]
    pub(crate) struct Word(AtomicU32);

    impl Word {
        #[inline]
        pub(crate) fn load(&self, order: Ordering) -> u32 {
            self.0.load(order)
        }

        #[inline]
        pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
            self.0.swap(value, order)
        }

        /// Changes it without ordering anything else, if it is what the caller thinks.
        #[inline]
        pub(crate) fn change(&self, from: u32, to: u32) -> bool {
            let relaxed = Ordering::Relaxed;
            self.0.compare_exchange(from, to, relaxed, relaxed).is_ok()
        }

        /// Sleeps while it is `value`; may wake for nothing.
        pub(crate) fn sleep_while(&self, value: u32) {
            // Whatever ended it, a signal as well, the word tells.
            futex::wait(&self.0, Flags::PRIVATE, value, None).ok();
        }

        /// Wakes who sleeps at it.
        pub(crate) fn wake(&self) {
            let woken = futex::wake(&self.0, Flags::PRIVATE, 1);
            debug_assert!(woken.is_ok(), "{woken:?}");
        }
    }
}
