//! What the kernel and other crates do for threads, as the model checker can follow it.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex, MutexGuard};

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A word that a thread can sleep at: a futex.
///
/// The kernel compares the word and puts the thread to sleep under a lock that waking takes as
/// well (`futex_wait_setup` and `futex_wake` in `kernel/futex/waitwake.c`).
#[derive(Debug)]
pub(crate) struct Word {
    word: AtomicU32,
    bucket: Mutex<()>,
    sleepers: Condvar,
}

impl Default for Word {
    fn default() -> Self {
        Self {
            word: AtomicU32::new(0),
            bucket: Mutex::new(()),
            sleepers: Condvar::new(),
        }
    }
}

impl Word {
    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.word.load(order)
    }

    pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.word.swap(value, order)
    }

    pub(crate) fn change(&self, from: u32, to: u32) -> bool {
        let relaxed = Ordering::Relaxed;
        self.word
            .compare_exchange(from, to, relaxed, relaxed)
            .is_ok()
    }

    pub(crate) fn sleep_while(&self, value: u32) {
        let bucket = locked(&self.bucket);
        if self.word.load(Ordering::Relaxed) == value {
            drop(self.sleepers.wait(bucket));
        }
    }

    pub(crate) fn wake(&self) {
        let _bucket = locked(&self.bucket);
        self.sleepers.notify_one();
    }
}

/// crossbeam's bounded channel as a queue behind a lock; both ends always live as long.
pub(crate) struct Sender<T>(Arc<Queue<T>>);
pub(crate) struct Receiver<T>(Arc<Queue<T>>);

struct Queue<T> {
    waiting: Mutex<VecDeque<T>>,
    places: usize,
}

pub(crate) enum TrySendError<T> {
    Full(T),
    #[expect(dead_code, reason = "neither end goes before the other here")]
    Disconnected(T),
}

pub(crate) fn bounded<T>(places: usize) -> (Sender<T>, Receiver<T>) {
    let queue = Arc::new(Queue {
        waiting: Mutex::new(VecDeque::new()),
        places,
    });
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

impl<T> Sender<T> {
    pub(crate) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut waiting = locked(&self.0.waiting);
        if waiting.len() == self.0.places {
            return Err(TrySendError::Full(value));
        }
        waiting.push_back(value);
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub(crate) fn try_recv(&self) -> Result<T, ()> {
        locked(&self.0.waiting).pop_front().ok_or(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        locked(&self.0.waiting).is_empty()
    }
}
