//! A link: frames on their way from one stage's thread to the next.
//!
//! Sending never waits: with [`QueuePolicy::Fifo`] the channel has a place for every frame of
//! the pool, and with [`QueuePolicy::Latest`] it has one place, where a newer frame supersedes
//! an older one. The receiver sleeps in one futex wait a frame; the channel's own blocking
//! receive would yield the processor several times first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use dmaflow_core::frame::Frame;

use crate::bell::Bell;

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
    /// There is something for the receiver.
    bell: Bell,
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
    sender: Sender<Frame>,
    /// The other end as well: what is superseded is let go here, at once, so that its buffer is
    /// back at the camera before the receiver wakes.
    stale: Receiver<Frame>,
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
    let (sender, receiver) = bounded(match policy {
        QueuePolicy::Latest => 1,
        QueuePolicy::Fifo => frames.max(1),
    });
    let counters = Arc::new(LinkCounters::default());
    let outlet = Outlet {
        sender,
        stale: receiver.clone(),
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
    /// Sends a frame on. Never waits.
    #[inline]
    pub(crate) fn send(&self, mut frame: Frame) -> Result<(), Disconnected> {
        if self.counters.closed.load(Ordering::Relaxed) {
            return Err(Disconnected);
        }
        loop {
            match self.sender.try_send(frame) {
                Ok(()) => {
                    self.counters.bell.ring();
                    return Ok(());
                }
                Err(TrySendError::Full(newer)) => {
                    // Only clones of frames can fill a link that has a place for each.
                    if self.stale.try_recv().is_ok() {
                        self.counters.superseded.fetch_add(1, Ordering::Relaxed);
                    }
                    frame = newer;
                }
                Err(TrySendError::Disconnected(_)) => return Err(Disconnected),
            }
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.counters.ended.store(true, Ordering::Release);
        self.counters.bell.ring();
        // With the fence of the other end: one of the two sees what the other left.
        fence(Ordering::SeqCst);
        // What was sent while the receiver went away is nobody else's.
        if self.counters.closed.load(Ordering::Acquire) {
            self.counters.leave(self.stale.try_iter());
        }
    }
}

impl Inlet {
    /// Sleeps until there may be a frame to take or the link has ended.
    pub(crate) fn wait(&self) {
        // In this order: what was sent before the end is seen after it.
        let has_ended = self.counters.ended.load(Ordering::Acquire);
        // Where there is one place, what is in it came after the last one was taken, and so
        // has left its ring.
        let has_more = || self.policy == QueuePolicy::Fifo && !self.frames.is_empty();
        if !has_ended && !has_more() {
            self.counters.bell.wait();
        }
    }

    /// Takes the frame that the policy says, if there is one. Call [`Inlet::wait`] before.
    #[inline]
    pub(crate) fn take(&self) -> Option<Frame> {
        self.frames.try_recv().ok()
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
    use dmaflow_core::frame::{FrameMeta, FramePool};
    use dmaflow_core::heap::Heap;
    use dmaflow_core::layout::Layout;
    use dmaflow_heaps::Memfd;
    use std::thread;

    fn pool(frames: usize) -> FramePool {
        let heap = Heap::new(Memfd::info(), Memfd);
        let layout = Layout::packed(Format::XRGB8888, 16, 16).unwrap();
        FramePool::allocate(&heap, &layout, frames, "link").unwrap()
    }

    fn numbered(pool: &FramePool, sequence: u64) -> Frame {
        let mut frame = pool.acquire().unwrap();
        frame.set_meta(FrameMeta {
            sequence,
            ..FrameMeta::default()
        });
        frame
    }

    #[test]
    fn latest_lets_older_frames_go_and_counts_them() {
        let pool = pool(4);
        let (outlet, inlet, counters) = link(QueuePolicy::Latest, pool.len());
        for sequence in 0..100 {
            outlet.send(numbered(&pool, sequence)).unwrap();
        }
        inlet.wait();
        assert_eq!(inlet.take().unwrap().meta().sequence, 99);
        assert_eq!(counters.superseded(), 99);
        assert_eq!(pool.free(), 4);
    }

    #[test]
    fn a_frame_that_arrives_while_another_waits_supersedes_it() {
        let pool = pool(4);
        let (outlet, inlet, counters) = link(QueuePolicy::Latest, pool.len());
        outlet.send(numbered(&pool, 1)).unwrap();
        inlet.wait();
        outlet.send(numbered(&pool, 2)).unwrap();
        assert_eq!(inlet.take().unwrap().meta().sequence, 2);
        assert_eq!(counters.superseded(), 1);
    }

    #[test]
    fn fifo_keeps_every_frame_in_order_and_counts_what_is_left() {
        let pool = pool(4);
        let (outlet, inlet, counters) = link(QueuePolicy::Fifo, pool.len());
        for sequence in 0..4 {
            outlet.send(numbered(&pool, sequence)).unwrap();
        }
        for sequence in 0..2 {
            inlet.wait();
            assert_eq!(inlet.take().unwrap().meta().sequence, sequence);
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
        let (outlet, inlet, _counters) = link(QueuePolicy::Fifo, pool.len());
        let receiver = thread::spawn(move || {
            let mut seen = Vec::new();
            loop {
                inlet.wait();
                match inlet.take() {
                    Some(frame) => seen.push(frame.meta().sequence),
                    None if inlet.is_over() => return seen,
                    None => {}
                }
            }
        });
        for sequence in 0..1000 {
            let mut frame = loop {
                match pool.acquire() {
                    Some(frame) => break frame,
                    None => thread::yield_now(),
                }
            };
            frame.set_meta(FrameMeta {
                sequence,
                ..FrameMeta::default()
            });
            outlet.send(frame).unwrap();
        }
        drop(outlet);
        assert_eq!(receiver.join().unwrap(), (0..1000).collect::<Vec<_>>());
    }
}
