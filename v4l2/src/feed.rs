//! How frames go round between a pool and a driver's queue.

mod slots;

use std::sync::{Arc, Weak};

use dmaflow_core::Errno;
use dmaflow_core::frame::{Frame, FramePool, ReleaseHook};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::Stopper;

use crate::device::{Direction, VideoDevice};
use crate::error::V4l2Error;
use crate::queue::{Dequeued, Queue};
use crate::refusal::{AttachError, check_layout, not_queued, not_requested};
use slots::Slots;

/// A queue that a driver fills the frames of a pool in: what comes out of a camera, or of a
/// converter. A frame goes back to the driver as soon as nobody uses it any more, from the
/// thread that let go of it.
#[derive(Debug)]
pub struct Feed {
    queue: Queue,
    slots: Slots,
    pool: FramePool,
}

impl Feed {
    /// Has a driver that writes frames laid out so import every frame of a pool, and queues them
    /// all, so that only starting is left; it needs `least` frames. The pool's release hook is
    /// then the feed's.
    ///
    /// # Errors
    /// [`AttachError::Refused`] when the device cannot use the pool's memory.
    /// [`V4l2Error::OtherLayout`] and [`V4l2Error::TooFewFrames`] for another pool than it was
    /// set up for. Otherwise as [`Queue::request`]; [`V4l2Error::DataOffset`];
    /// [`V4l2Error::Pool`] when the pool has a release hook already.
    pub fn attach(
        device: &Arc<VideoDevice>,
        writes: &Layout,
        least: usize,
        pool: &FramePool,
    ) -> Result<Arc<Self>, AttachError> {
        check_layout(device, "writes", writes, pool)?;
        if pool.len() < least {
            return Err(AttachError::Device(V4l2Error::TooFewFrames {
                device: device.to_string(),
                least,
                found: pool.len(),
            }));
        }
        let queue = Queue::request(device, Direction::Capture, pool)
            .map_err(|error| not_requested(device, Direction::Capture, pool, error))?;
        // Until it is handed out, dropping it has the driver forget everything.
        let feed = Arc::new(Self {
            slots: Slots::new(queue.len()),
            queue,
            pool: pool.clone(),
        });
        for slot in 0..pool.len() {
            feed.give(slot)
                .map_err(|errno| not_queued(device, pool, slot, errno))?;
        }
        let offsets = feed.queue.data_offsets(0)?;
        if let Some(offset) = offsets.into_iter().find(|offset| *offset != 0) {
            return Err(AttachError::Device(V4l2Error::DataOffset {
                device: device.to_string(),
                format: pool.layout().format().name(),
                offset,
            }));
        }
        let hook = Requeue(Arc::downgrade(&feed));
        pool.on_release(hook).map_err(|source| V4l2Error::Pool {
            device: device.to_string(),
            source,
        })?;
        Ok(feed)
    }

    /// The pool whose frames it queues.
    #[must_use]
    pub const fn pool(&self) -> &FramePool {
        &self.pool
    }

    /// Starts the flow: every frame that is free is queued, and from now on each as soon as it
    /// is.
    ///
    /// # Errors
    /// [`V4l2Error::Requeue`]; otherwise as [`Queue::stream_on`].
    pub fn start(&self) -> Result<(), V4l2Error> {
        // From here on a frame that somebody still holds is queued when it is let go.
        self.slots.open();
        for slot in (0..self.pool.len()).filter(|slot| self.slots.is_ours(*slot)) {
            let Some(_free_until_here) = self.pool.acquire_slot(slot) else {
                continue;
            };
            self.give(slot).map_err(|source| V4l2Error::Requeue {
                device: self.queue.device().to_string(),
                slot,
                source,
            })?;
        }
        self.queue.stream_on()
    }

    /// Ends the flow, if there is one, and has the driver know its frames anew after `set`, which
    /// may set the format again: a decoder forgets it when it reads what its pictures are like.
    /// [`Feed::start`] is what comes next.
    ///
    /// # Errors
    /// As [`Queue::request`] and [`Queue::stream_off`], and what `set` says.
    pub fn renew(&self, set: impl FnOnce() -> Result<(), V4l2Error>) -> Result<(), V4l2Error> {
        self.settle()?;
        self.queue.renew(set)
    }

    /// Ends the flow for good and has the driver forget the frames, so that others can take their
    /// place in its queue ([`Feed::attach`]).
    ///
    /// # Errors
    /// As [`Queue::forget`] and [`Queue::stream_off`].
    pub fn retire(&self) -> Result<(), V4l2Error> {
        self.settle()?;
        self.queue.forget()
    }

    /// Whether frames are queued as soon as they are free: until the flow is ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.slots.is_open()
    }

    /// Frames that could not be queued again since the start.
    #[must_use]
    pub fn requeue_failed(&self) -> u64 {
        self.slots.failed()
    }

    /// Hands a frame to the driver that is ours; others are left alone.
    fn give(&self, slot: usize) -> Result<(), Errno> {
        self.slots.give(slot, |slot| self.queue.enqueue(slot))
    }

    /// Waits for a frame that the driver is done with. Allocates nothing. Not to be called while
    /// another thread is in [`Feed::settle`].
    ///
    /// # Errors
    /// As [`Queue::dequeue`].
    #[inline]
    pub fn take(&self) -> Result<Dequeued, Errno> {
        self.queue
            .dequeue()
            .inspect(|frame| self.slots.taken(frame.slot))
    }

    /// The frame of a slot that the driver is done with; letting go of it queues it again. `None`
    /// where somebody has it already: the driver filled what it was not given, which is logged.
    #[inline]
    #[must_use]
    pub fn frame(&self, slot: usize) -> Option<Frame> {
        let frame = self.pool.acquire_slot(slot);
        if frame.is_none() {
            self.filled_unasked(slot);
        }
        frame
    }

    #[cold]
    fn filled_unasked(&self, slot: usize) {
        let device = self.queue.device();
        tracing::error!(%device, slot, "the driver filled a frame that is in use");
    }

    /// What it means that [`Feed::take`] gave no frame: an end, which is no error, or why.
    ///
    /// # Errors
    /// [`V4l2Error::Dequeue`], also where the device is gone.
    #[cold]
    pub fn ended(&self, errno: Errno) -> Result<(), V4l2Error> {
        let device = self.queue.device();
        let failed = |meaning, source| {
            Err(V4l2Error::Dequeue {
                device: device.to_string(),
                meaning,
                source,
            })
        };
        match errno {
            _ if !self.is_open() => Ok(()),
            Errno::EPIPE => Ok(()),
            // Unloading a driver ends the flow before the node is gone for good.
            _ if device.is_gone() => failed("the device is gone", Errno::ENODEV),
            Errno::EINVAL => failed("somebody else ended the flow", errno),
            Errno::EIO => failed(
                "the driver gave up, and must be stopped and started again",
                errno,
            ),
            Errno::EBUSY => failed("another program streams from the device", errno),
            _ => failed("the driver gives no frame", errno),
        }
    }

    /// Hands a frame that nobody uses any more to the driver, if the feed is open.
    #[inline]
    fn returned(&self, slot: usize) {
        let given = self.slots.returned(slot, |slot| self.queue.enqueue(slot));
        if let Err(errno) = given {
            // It is counted, and where the device is gone the next dequeue says so.
            let device = self.queue.device();
            tracing::debug!(%device, slot, %errno, "cannot queue a frame again");
        }
    }

    /// Ends the flow, from any thread, and wakes whoever waits in [`Feed::take`].
    ///
    /// # Errors
    /// As [`Queue::stream_off`].
    pub fn halt(&self) -> Result<(), V4l2Error> {
        self.slots.close();
        self.queue.stream_off()
    }

    /// Ends the flow for good: waits until no thread is queueing, and takes every frame back.
    ///
    /// # Errors
    /// As [`Queue::stream_off`].
    pub fn settle(&self) -> Result<(), V4l2Error> {
        self.slots.settle(|| self.queue.stream_off())
    }

    /// What ends the flow from another thread, as [`Feed::halt`] does.
    #[must_use]
    pub fn stopper(self: &Arc<Self>) -> Arc<dyn Stopper> {
        Arc::new(Halt(Arc::downgrade(self)))
    }
}

/// Has a pool's free frames queued again. It does not keep the queue: frames may outlive it.
#[derive(Debug)]
struct Requeue(Weak<Feed>);

impl ReleaseHook for Requeue {
    fn released(&self, slot: usize) {
        if let Some(feed) = self.0.upgrade() {
            feed.returned(slot);
        }
    }
}

/// Ends the flow of a feed from another thread.
#[derive(Debug)]
struct Halt(Weak<Feed>);

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
