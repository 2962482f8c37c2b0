//! How frames go round between a pool and a driver's queue.
//!
//! Any thread may let go of a frame, which is queued again from there at once, while the
//! source's thread waits for the next one and a third one ends the flow. Only atomics are
//! shared; [`Feed::settle`] alone waits, for threads that are inside one system call.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;

use dmaflow_core::Errno;
use dmaflow_core::frame::ReleaseHook;
use dmaflow_core::stage::Stopper;
use dmaflow_v4l2::{Dequeued, Queue, V4l2Error};

/// The bit of [`Feed::gate`] that says that free frames are queued; the other bits count the
/// threads that are at it.
const OPEN: u32 = 1 << 31;

/// A queue, and which frames it has.
#[derive(Debug)]
pub(super) struct Feed {
    queue: Queue,
    gate: AtomicU32,
    /// By slot: the driver has it, or somebody is just handing it over.
    with_driver: Vec<AtomicBool>,
    requeue_failed: AtomicU64,
}

impl Feed {
    /// A feed whose frames are all with us, and which queues none by itself.
    pub(super) fn new(queue: Queue) -> Self {
        Self {
            with_driver: (0..queue.len())
                .map(|_slot| AtomicBool::new(false))
                .collect(),
            queue,
            gate: AtomicU32::new(0),
            requeue_failed: AtomicU64::new(0),
        }
    }

    pub(super) const fn queue(&self) -> &Queue {
        &self.queue
    }

    /// From now on frames are queued as soon as they are free.
    pub(super) fn open(&self) {
        self.requeue_failed.store(0, Ordering::Relaxed);
        self.gate.fetch_or(OPEN, Ordering::AcqRel);
    }

    /// Whether frames are queued as soon as they are free.
    pub(super) fn is_open(&self) -> bool {
        self.gate.load(Ordering::Acquire) & OPEN != 0
    }

    /// Frames that could not be queued again since the feed was opened.
    pub(super) fn requeue_failed(&self) -> u64 {
        self.requeue_failed.load(Ordering::Relaxed)
    }

    /// Hands a free frame to the driver, unless it is there already.
    pub(super) fn give(&self, slot: usize) -> Result<(), Errno> {
        let with_driver = self.with_driver.get(slot).ok_or(Errno::EINVAL)?;
        if with_driver.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.queue.enqueue(slot).inspect_err(|_not_there| {
            with_driver.store(false, Ordering::Release);
        })
    }

    /// Waits for a frame that the driver is done with.
    pub(super) fn take(&self) -> Result<Dequeued, Errno> {
        let frame = self.queue.dequeue()?;
        if let Some(with_driver) = self.with_driver.get(frame.slot) {
            with_driver.store(false, Ordering::Release);
        }
        Ok(frame)
    }

    /// Hands a frame that nobody uses any more to the driver, if the feed is open.
    pub(super) fn returned(&self, slot: usize) {
        let gate = self.gate.fetch_add(1, Ordering::AcqRel);
        if gate & OPEN != 0
            && let Err(errno) = self.give(slot)
            && self.requeue_failed.fetch_add(1, Ordering::Relaxed) == 0
        {
            // Of use once; the next dequeue tells the source why.
            tracing::debug!(device = %self.queue.device(), slot, %errno, "cannot queue a frame again");
        }
        self.gate.fetch_sub(1, Ordering::AcqRel);
    }

    /// Ends the flow and wakes whoever waits in [`Feed::take`].
    pub(super) fn halt(&self) -> Result<(), V4l2Error> {
        self.gate.fetch_and(!OPEN, Ordering::AcqRel);
        self.queue.stream_off()
    }

    /// Ends the flow for good: waits until no thread is queueing, and takes every frame back.
    pub(super) fn settle(&self) -> Result<(), V4l2Error> {
        self.gate.fetch_and(!OPEN, Ordering::AcqRel);
        while self.gate.load(Ordering::Acquire) != 0 {
            thread::yield_now();
        }
        // After the last thread, so that a frame which came late is taken back as well.
        let stopped = self.queue.stream_off();
        for with_driver in &self.with_driver {
            with_driver.store(false, Ordering::Release);
        }
        stopped
    }
}

/// Has a pool's free frames queued again. It does not keep the queue: frames may outlive it.
#[derive(Debug)]
pub(super) struct Requeue(pub(super) Weak<Feed>);

impl ReleaseHook for Requeue {
    fn released(&self, slot: usize) {
        if let Some(feed) = self.0.upgrade() {
            feed.returned(slot);
        }
    }
}

/// Ends the flow of a feed from another thread.
#[derive(Debug)]
pub(super) struct Halt(pub(super) Weak<Feed>);

impl Stopper for Halt {
    fn stop(&self) {
        if let Some(feed) = self.0.upgrade()
            && let Err(error) = feed.halt()
        {
            // A device that is gone has woken its waiter itself.
            tracing::debug!(%error, "cannot end the flow");
        }
    }
}
