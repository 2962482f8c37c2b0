//! A buffer on loan.

use std::ops::Deref;
use std::sync::atomic::Ordering;

use super::{Heap, Opened};
use crate::dma_buf::DmaBuf;

/// A buffer on loan from a heap. Dropping it hands it back to the exporter.
///
/// # Invariants
/// `buffer` is there until `Drop` runs.
#[derive(Debug)]
pub struct HeapBuffer {
    pub(super) heap: Heap,
    /// The number by which the heap's account, where it has one, remembers it.
    pub(super) loan: u64,
    pub(super) buffer: Option<DmaBuf>,
}

impl HeapBuffer {
    /// The heap it came from.
    #[must_use]
    pub const fn heap(&self) -> &Heap {
        &self.heap
    }
}

impl Deref for HeapBuffer {
    type Target = DmaBuf;

    #[expect(clippy::expect_used, reason = "the type's invariant")]
    fn deref(&self) -> &DmaBuf {
        self.buffer.as_ref().expect("a buffer until dropped")
    }
}

impl Drop for HeapBuffer {
    #[inline]
    fn drop(&mut self) {
        let opened = &*self.heap.0;
        if !opened.registered.closes.load(Ordering::Relaxed) {
            return self.heap.take_back(self.buffer.take(), self.loan);
        }
        let Some(len) = self.buffer.as_ref().map(|buffer| buffer.len()) else {
            return;
        };
        // Closed where it is: moving it to its exporter first would cost as much again.
        self.buffer = None;
        opened.given_back(len, self.loan);
    }
}

impl Heap {
    #[inline(never)]
    fn take_back(&self, buffer: Option<DmaBuf>, loan: u64) {
        let Some(buffer) = buffer else { return };
        let Opened {
            registered, client, ..
        } = &*self.0;
        let len = buffer.len();
        match registered.observer.get() {
            None => {
                registered.exporter.release(buffer, *client);
                self.0.given_back(len, loan);
            }
            Some(observer) => {
                observer.before_release(&buffer);
                let id = buffer.id();
                registered.exporter.release(buffer, *client);
                self.0.given_back(len, loan);
                observer.after_release(id, len);
            }
        }
    }
}

impl Opened {
    fn given_back(&self, len: usize, loan: u64) {
        self.registered.counters.give(len);
        if let Some(account) = &self.account {
            account.give(loan, len);
        }
    }
}
