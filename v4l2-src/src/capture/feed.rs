//! How frames go round between a pool and a driver's queue.

use std::sync::Weak;

use dmaflow_core::Errno;
use dmaflow_core::frame::ReleaseHook;
use dmaflow_core::stage::Stopper;
use dmaflow_v4l2::{Dequeued, Queue, V4l2Error};

use super::slots::Slots;

/// A queue, and which frames it has.
#[derive(Debug)]
pub(super) struct Feed {
    queue: Queue,
    slots: Slots,
}

impl Feed {
    /// A feed whose frames are all with us, and which queues none by itself.
    pub(super) fn new(queue: Queue) -> Self {
        Self {
            slots: Slots::new(queue.len()),
            queue,
        }
    }

    pub(super) const fn queue(&self) -> &Queue {
        &self.queue
    }

    /// From now on frames are queued as soon as they are free.
    pub(super) fn open(&self) {
        self.slots.open();
    }

    /// Whether frames are queued as soon as they are free.
    pub(super) fn is_open(&self) -> bool {
        self.slots.is_open()
    }

    /// Frames that could not be queued again since the feed was opened.
    pub(super) fn requeue_failed(&self) -> u64 {
        self.slots.failed()
    }

    /// Whether a frame is free and with us.
    pub(super) fn is_ours(&self, slot: usize) -> bool {
        self.slots.is_ours(slot)
    }

    /// Hands a frame to the driver that is ours; others are left alone.
    pub(super) fn give(&self, slot: usize) -> Result<(), Errno> {
        self.slots.give(slot, |slot| self.queue.enqueue(slot))
    }

    /// Waits for a frame that the driver is done with.
    #[inline]
    pub(super) fn take(&self) -> Result<Dequeued, Errno> {
        self.queue
            .dequeue()
            .inspect(|frame| self.slots.taken(frame.slot))
    }

    /// Hands a frame that nobody uses any more to the driver, if the feed is open.
    #[inline]
    pub(super) fn returned(&self, slot: usize) {
        let given = self.slots.returned(slot, |slot| self.queue.enqueue(slot));
        if let Err(errno) = given {
            // It is counted, and where the device is gone the next dequeue says so.
            let device = self.queue.device();
            tracing::debug!(%device, slot, %errno, "cannot queue a frame again");
        }
    }

    /// Ends the flow and wakes whoever waits in [`Feed::take`].
    pub(super) fn halt(&self) -> Result<(), V4l2Error> {
        self.slots.close();
        self.queue.stream_off()
    }

    /// Ends the flow for good: waits until no thread is queueing, and takes every frame back.
    pub(super) fn settle(&self) -> Result<(), V4l2Error> {
        self.slots.settle(|| self.queue.stream_off())
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
