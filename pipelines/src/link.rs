//! A link: frames on their way from one stage's thread to the next.
//!
//! The channel never fills, since it has a place for every frame of the pool, so sending never
//! waits. The receiver sleeps in one futex wait a frame; the channel's own blocking receive
//! would yield the processor several times first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::thread::{self, Thread};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use dmaflow_core::frame::Frame;

/// Which frame a stage takes from its link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueuePolicy {
    /// The newest: older ones are let go and counted. Lowest latency.
    #[default]
    Latest,
    /// The oldest: every frame gets its turn.
    Fifo,
}

/// What both ends of a link and its observers share.
#[derive(Debug, Default)]
pub(crate) struct LinkCounters {
    superseded: AtomicU64,
    left: AtomicU64,
    /// The sender is gone: nothing will follow what is in the channel.
    ended: AtomicBool,
    /// The receiver is gone; the channel cannot tell, since the sender receives as well.
    closed: AtomicBool,
}

impl LinkCounters {
    /// Frames let go because a newer one had arrived.
    pub(crate) fn superseded(&self) -> u64 {
        self.superseded.load(Ordering::Relaxed)
    }

    /// Frames that were on their way when the receiver ended.
    pub(crate) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    fn leave(&self, frames: impl Iterator<Item = Frame>) {
        self.left
            .fetch_add(frames.count() as u64, Ordering::Relaxed);
    }
}

/// The sending end. Dropping it ends the link once the receiver has taken what is left.
pub(crate) struct Outlet {
    sender: Option<Sender<Frame>>,
    /// The other end as well: what is superseded is let go here, at once, so that its buffer is
    /// back at the camera before the receiver wakes.
    stale: Receiver<Frame>,
    policy: QueuePolicy,
    receiver: Option<Thread>,
    counters: Arc<LinkCounters>,
}

/// The receiving end, for one thread.
pub(crate) struct Inlet {
    frames: Receiver<Frame>,
    policy: QueuePolicy,
    counters: Arc<LinkCounters>,
}

/// The receiver is gone; the frame was let go.
#[derive(Debug)]
pub(crate) struct Disconnected;

/// Makes a link for a pool of `frames`.
pub(crate) fn link(policy: QueuePolicy, frames: usize) -> (Outlet, Inlet, Arc<LinkCounters>) {
    let (sender, receiver) = bounded(frames.max(1));
    let counters = Arc::new(LinkCounters::default());
    let outlet = Outlet {
        sender: Some(sender),
        stale: receiver.clone(),
        policy,
        receiver: None,
        counters: Arc::clone(&counters),
    };
    let inlet = Inlet {
        frames: receiver,
        policy,
        counters: Arc::clone(&counters),
    };
    (outlet, inlet, counters)
}

impl Outlet {
    /// Says which thread has the other end. To be called before the first frame is sent.
    pub(crate) fn wakes(&mut self, receiver: Thread) {
        self.receiver = Some(receiver);
    }

    /// Sends a frame on. Never waits.
    pub(crate) fn send(&self, frame: Frame) -> Result<(), Disconnected> {
        // Asking whether there is one is much cheaper than trying to take it, and there rarely is.
        while self.policy == QueuePolicy::Latest
            && !self.stale.is_empty()
            && let Ok(stale) = self.stale.try_recv()
        {
            drop(stale);
            self.counters.superseded.fetch_add(1, Ordering::Relaxed);
        }
        let sender = self.sender.as_ref().ok_or(Disconnected)?;
        if self.counters.closed.load(Ordering::Relaxed) {
            return Err(Disconnected);
        }
        match sender.try_send(frame) {
            Ok(()) => {
                self.wake();
                Ok(())
            }
            // Only clones of frames can be more than there are places.
            Err(TrySendError::Full(_surplus)) => {
                self.counters.superseded.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => Err(Disconnected),
        }
    }

    fn wake(&self) {
        if let Some(thread) = &self.receiver {
            thread.unpark();
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.sender = None;
        self.counters.ended.store(true, Ordering::Release);
        self.wake();
        // With the fence of the other end: one of the two sees what the other left.
        fence(Ordering::SeqCst);
        // What was sent while the receiver went away is nobody else's.
        if self.counters.closed.load(Ordering::Acquire) {
            self.counters.leave(self.stale.try_iter());
        }
    }
}

impl Inlet {
    /// Sleeps until there is a frame to take or the link has ended.
    pub(crate) fn wait(&self) {
        // In this order: what was sent before the end is seen after it.
        while !self.counters.ended.load(Ordering::Acquire) && self.frames.is_empty() {
            thread::park();
        }
    }

    /// Takes the frame that the policy says; `None` where there is none. Call
    /// [`Inlet::wait`] before.
    pub(crate) fn take(&mut self) -> Option<Frame> {
        let mut taken = self.frames.try_recv().ok();
        while self.policy == QueuePolicy::Latest
            && !self.frames.is_empty()
            && let Ok(newer) = self.frames.try_recv()
        {
            if taken.replace(newer).is_some() {
                self.counters.superseded.fetch_add(1, Ordering::Relaxed);
            }
        }
        taken
    }

    /// Whether nothing is left and nothing will follow.
    pub(crate) fn is_over(&self) -> bool {
        self.counters.ended.load(Ordering::Acquire) && self.frames.is_empty()
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.counters.closed.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        self.counters.leave(self.frames.try_iter());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::format::Format;
    use dmaflow_core::frame::FramePool;
    use dmaflow_core::heap::Heap;
    use dmaflow_core::layout::Layout;
    use dmaflow_heaps::Memfd;

    fn pool(frames: usize) -> FramePool {
        let heap = Heap::new(Memfd::info(), Memfd);
        let layout = Layout::packed(Format::XRGB8888, 16, 16).unwrap();
        FramePool::allocate(&heap, &layout, frames, "link").unwrap()
    }

    fn numbered(pool: &FramePool, sequence: u64) -> Frame {
        let mut frame = pool.acquire().unwrap();
        frame.meta.sequence = sequence;
        frame
    }

    #[test]
    fn latest_lets_older_frames_go_and_counts_them() {
        let pool = pool(4);
        let (outlet, mut inlet, counters) = link(QueuePolicy::Latest, pool.len());
        for sequence in 0..100 {
            outlet.send(numbered(&pool, sequence)).unwrap();
        }
        inlet.wait();
        assert_eq!(inlet.take().unwrap().meta.sequence, 99);
        assert_eq!(counters.superseded(), 99);
        assert_eq!(pool.free(), 4);
    }

    #[test]
    fn a_frame_that_arrives_while_another_waits_supersedes_it() {
        let pool = pool(4);
        let (outlet, mut inlet, counters) = link(QueuePolicy::Latest, pool.len());
        outlet.send(numbered(&pool, 1)).unwrap();
        inlet.wait();
        outlet.send(numbered(&pool, 2)).unwrap();
        assert_eq!(inlet.take().unwrap().meta.sequence, 2);
        assert_eq!(counters.superseded(), 1);
    }

    #[test]
    fn fifo_keeps_every_frame_in_order_and_counts_what_is_left() {
        let pool = pool(4);
        let (outlet, mut inlet, counters) = link(QueuePolicy::Fifo, pool.len());
        for sequence in 0..4 {
            outlet.send(numbered(&pool, sequence)).unwrap();
        }
        for sequence in 0..2 {
            inlet.wait();
            assert_eq!(inlet.take().unwrap().meta.sequence, sequence);
        }
        drop(inlet);
        assert_eq!(counters.left(), 2);
        assert_eq!(counters.superseded(), 0);
        assert_eq!(pool.free(), 4);
        assert!(outlet.send(numbered(&pool, 5)).is_err());
        assert_eq!(pool.free(), 4);
    }

    #[test]
    fn the_receiver_wakes_for_frames_and_for_the_end() {
        let pool = pool(2);
        let (mut outlet, mut inlet, _counters) = link(QueuePolicy::Fifo, pool.len());
        let receiver = thread::spawn(move || {
            let mut seen = Vec::new();
            loop {
                inlet.wait();
                match inlet.take() {
                    Some(frame) => seen.push(frame.meta.sequence),
                    None => return seen,
                }
            }
        });
        outlet.wakes(receiver.thread().clone());
        for sequence in 0..1000 {
            let mut frame = loop {
                match pool.acquire() {
                    Some(frame) => break frame,
                    None => thread::yield_now(),
                }
            };
            frame.meta.sequence = sequence;
            outlet.send(frame).unwrap();
        }
        drop(outlet);
        assert_eq!(receiver.join().unwrap(), (0..1000).collect::<Vec<_>>());
    }
}
