//! Frees on a worker, as a helper around any exporter.
//!
//! To give many pages back takes the kernel a while, which whoever drops a frame may not have.
//! The price is that memory stays taken a little longer than anybody uses it. So this is off
//! unless asked for, and should stay off on the CMA and on carve-outs: while a freed piece
//! waits for the worker, the next allocation cannot take its place and goes elsewhere, and
//! contiguous memory fragments. (Samsung found that with ION's deferred freeing, and turned it
//! off on its carve-outs.)

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{ClientId, ExportError, Exporter, Idle, Request};

use crate::shrinker::{Bell, Reclaim, Reclaimable, shortage};

/// An exporter whose buffers are freed on a worker thread. Clones are the same.
///
/// The thread is started at the first release. When the last clone is dropped, all that waits
/// is freed and the thread has ended. When the exporter is short of memory, what waits is freed
/// at once and it is asked again.
pub struct DeferredFree<E: Exporter + 'static>(Arc<Owner<E>>);

impl<E: Exporter + 'static> Clone for DeferredFree<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What the clones have in common; ends the worker.
struct Owner<E: Exporter> {
    shared: Arc<Shared<E>>,
    worker: Mutex<Worker>,
}

#[derive(Default)]
enum Worker {
    #[default]
    NotYet,
    Running(JoinHandle<()>),
    /// No thread was to be had: buffers are freed by whoever releases them.
    Never,
}

struct Shared<E> {
    exporter: E,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(DmaBuf, ClientId)>,
    /// Bytes that wait, and those that the worker is just freeing.
    bytes: u64,
    /// Buffers taken out of the queue and not yet freed.
    in_hand: usize,
    ending: bool,
}

impl<E: Exporter + 'static> DeferredFree<E> {
    /// Makes a helper around an exporter; no thread yet.
    #[must_use]
    pub fn new(exporter: E) -> Self {
        let shared = Arc::new(Shared {
            exporter,
            queue: Mutex::default(),
            changed: Condvar::new(),
        });
        let worker = Mutex::default();
        Self(Arc::new(Owner { shared, worker }))
    }

    /// The exporter behind it.
    #[must_use]
    pub fn inner(&self) -> &E {
        &self.0.shared.exporter
    }

    /// Frees all that waits, and returns when it is freed: how many bytes there were.
    pub fn drain(&self) -> u64 {
        self.0.shared.drain()
    }

    /// Asks the exporter, and once more without what waits in the way.
    fn ask(&self, what: impl Fn(&E) -> Result<DmaBuf, ExportError>) -> Result<DmaBuf, ExportError> {
        let outcome = what(self.inner());
        match &outcome {
            Err(error) if shortage(error) => {
                // The worker may have been quicker, so that what this frees says nothing.
                self.drain();
                what(self.inner())
            }
            _ => outcome,
        }
    }
}

impl<E: Exporter + 'static> Exporter for DeferredFree<E> {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        self.ask(|inner| inner.allocate(request))
    }

    fn allocate_named(&self, request: &Request, account: &str) -> Result<DmaBuf, ExportError> {
        self.ask(|inner| inner.allocate_named(request, account))
    }

    fn release(&self, buffer: DmaBuf, client: ClientId) {
        if self.0.has_worker() {
            self.0.shared.push(buffer, client);
        } else {
            self.inner().release(buffer, client);
        }
    }

    fn idle(&self) -> Idle {
        let waiting = Idle {
            deferred: self.0.shared.queue().bytes,
            ..Idle::default()
        };
        waiting + self.inner().idle()
    }

    fn available(&self) -> Option<u64> {
        self.inner().available()
    }
}

impl<E: Exporter + 'static> Owner<E> {
    /// Starts the worker if that was not tried yet, and says whether there is one.
    fn has_worker(&self) -> bool {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*worker, Worker::NotYet) {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("dmaflow-free".to_owned());
            *worker = match thread.spawn(move || shared.work()) {
                Ok(handle) => Worker::Running(handle),
                Err(error) => {
                    tracing::warn!(%error, "no thread to free buffers on; they are freed in place");
                    Worker::Never
                }
            };
        }
        match &*worker {
            Worker::Running(handle) => !handle.is_finished(),
            Worker::NotYet | Worker::Never => false,
        }
    }
}

impl<E: Exporter> Drop for Owner<E> {
    fn drop(&mut self) {
        self.shared.queue().ending = true;
        self.shared.changed.notify_all();
        let worker = self.worker.get_mut();
        let worker = worker.unwrap_or_else(PoisonError::into_inner);
        if let Worker::Running(handle) = std::mem::take(worker)
            && handle.join().is_err()
        {
            tracing::error!("the thread that frees buffers panicked");
        }
        // A worker that panicked left something.
        while let Some((buffer, client)) = self.shared.take() {
            self.shared.free(buffer, client);
        }
    }
}

impl<E: Exporter> Shared<E> {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Whoever panicked did so between whole changes of the queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, buffer: DmaBuf, client: ClientId) {
        let mut queue = self.queue();
        queue.bytes += buffer.len() as u64;
        queue.waiting.push_back((buffer, client));
        drop(queue);
        self.changed.notify_all();
    }

    /// Takes the buffer that waits for longest.
    fn take(&self) -> Option<(DmaBuf, ClientId)> {
        let mut queue = self.queue();
        let taken = queue.waiting.pop_front();
        queue.in_hand += usize::from(taken.is_some());
        taken
    }

    /// Frees what was taken; no lock is held meanwhile.
    fn free(&self, buffer: DmaBuf, client: ClientId) {
        let freed = Freed {
            shared: self,
            bytes: buffer.len() as u64,
        };
        self.exporter.release(buffer, client);
        drop(freed);
    }

    fn drain(&self) -> u64 {
        let there = self.queue().bytes;
        while let Some((buffer, client)) = self.take() {
            self.free(buffer, client);
        }
        let mut queue = self.queue();
        while queue.in_hand > 0 {
            let woken = self.changed.wait(queue);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
        }
        there
    }

    fn work(&self) {
        loop {
            while let Some((buffer, client)) = self.take() {
                self.free(buffer, client);
            }
            let mut queue = self.queue();
            while queue.waiting.is_empty() {
                if queue.ending {
                    return;
                }
                let woken = self.changed.wait(queue);
                queue = woken.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// A buffer that is being freed: counted as freed however that ends.
struct Freed<'a, E> {
    shared: &'a Shared<E>,
    bytes: u64,
}

impl<E> Drop for Freed<'_, E> {
    fn drop(&mut self) {
        let queue = self.shared.queue.lock();
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        queue.bytes -= self.bytes;
        queue.in_hand -= 1;
        drop(queue);
        self.shared.changed.notify_all();
    }
}

impl<E: Exporter + Reclaim + 'static> Reclaim for DeferredFree<E> {
    fn count(&self) -> Reclaimable {
        let waiting = self.0.shared.queue().bytes;
        let behind = self.inner().count();
        Reclaimable {
            idle: waiting + behind.idle,
            spare: waiting + behind.spare,
            waiting: behind.waiting,
        }
    }

    fn scan(&self, bytes: u64) -> u64 {
        // What waits goes to the exporter behind, which may keep it.
        self.drain();
        self.inner().scan(bytes)
    }

    fn press(&self, pressed: bool) {
        self.inner().press(pressed);
    }

    fn missing(&self) -> u64 {
        self.inner().missing()
    }

    fn refill(&self, most: u64) -> u64 {
        self.inner().refill(most)
    }

    fn expire(&self) -> Option<Instant> {
        self.inner().expire()
    }

    fn ages(&self) -> bool {
        self.inner().ages()
    }

    fn tell(&self, bell: &Bell) {
        self.inner().tell(bell);
    }
}

impl<E: Exporter + 'static> fmt::Debug for DeferredFree<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeferredFree")
            .field("idle", &self.idle())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Counting, request};
    use dmaflow_core::Errno;
    use dmaflow_core::heap::page_size;

    #[test]
    fn all_is_freed_when_the_last_clone_goes() {
        let inner = Counting::default();
        let heap = DeferredFree::new(inner.clone());
        let clone = heap.clone();
        for _round in 0..20 {
            let buffer = heap.allocate(&request(1)).unwrap();
            clone.release(buffer, ClientId::PROCESS);
        }
        drop(heap);
        let buffer = clone.allocate(&request(1)).unwrap();
        clone.release(buffer, ClientId::PROCESS);
        drop(clone);
        assert_eq!((inner.out(), inner.given()), (0, 21));
        assert_eq!(inner.clones(), 1, "the worker has not ended");
    }

    #[test]
    fn what_waits_is_freed_before_a_shortage_stands() {
        let page = page_size() as u64;
        let inner = Counting::default();
        let heap = DeferredFree::new(inner.clone());
        let buffers: Vec<_> = (0..3)
            .map(|_| heap.allocate(&request(1)).unwrap())
            .collect();
        // Nothing can be freed before the exporter has said that it is short.
        inner.hold_releases_until_a_shortage();
        for buffer in buffers {
            heap.release(buffer, ClientId::PROCESS);
        }
        assert_eq!(heap.idle().deferred, 3 * page);
        inner.set_limit(3 * page);
        let given = heap.allocate(&request(1)).unwrap();
        assert_eq!(heap.idle().deferred, 0);
        assert_eq!(inner.out(), 1);
        inner.set_limit(page);
        let short = heap.allocate(&request(1)).unwrap_err();
        assert_eq!(short.errno(), Some(Errno::ENOMEM));
        heap.release(given, ClientId::PROCESS);
        heap.drain();
        assert_eq!((inner.out(), heap.idle().deferred), (0, 0));
    }
}
