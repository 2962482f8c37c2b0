//! A link: frames on their way from one stage's thread to the next.
//!
//! Sending never waits: with [`QueuePolicy::Fifo`] there is a channel with a place for every
//! frame of the pool, and with [`QueuePolicy::Latest`] there is one place, where a newer frame
//! takes that of an older one. The receiver sleeps in one futex wait a frame; the channel's own
//! blocking receive would yield the processor several times first.

#[cfg(test)]
mod frames;
#[cfg(all(test, loom))]
mod models;

use std::num::NonZeroUsize;
use std::sync::Arc;

use dmaflow_core::frame::{Frame, FramePlace};

use crate::bell::Bell;
use crate::sync::{AtomicBool, AtomicU64, Ordering, fence};
use crate::sync::{Receiver, Sender, TrySendError, bounded};

/// Which frame a stage takes from its link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueuePolicy {
    /// The newest: older ones are let go and counted. Lowest latency.
    #[default]
    Latest,
    /// The oldest.
    Fifo {
        /// How many wait at most: then the oldest goes and is counted. `None` for as many as
        /// there are, so that every frame gets its turn.
        depth: Option<NonZeroUsize>,
    },
    /// The oldest, and who sends waits while the link is full: every frame gets its turn, and
    /// a slow stage slows those before it.
    Block {
        /// How many wait at most.
        depth: NonZeroUsize,
    },
}

impl QueuePolicy {
    /// The oldest, however many wait: every frame gets its turn.
    pub const FIFO: Self = Self::Fifo { depth: None };
}

/// Where frames wait. Both ends may take from it.
enum Places {
    /// A channel cannot replace what waits in it; this is one exchange of pointers.
    Latest(FramePlace),
    Fifo(Sender<Frame>, Receiver<Frame>),
}

impl Places {
    fn new(policy: QueuePolicy, frames: usize) -> Self {
        match policy {
            QueuePolicy::Latest => Self::Latest(FramePlace::default()),
            QueuePolicy::Fifo { .. } | QueuePolicy::Block { .. } => {
                let (sender, receiver) = bounded(frames.max(1));
                Self::Fifo(sender, receiver)
            }
        }
    }

    /// Puts a frame in, and gives back the one whose place it took.
    #[inline]
    fn put(&self, frame: Frame) -> Option<Frame> {
        match self {
            Self::Latest(place) => place.put(frame),
            Self::Fifo(sender, receiver) => put_in_order(sender, receiver, frame),
        }
    }

    /// Takes the frame whose turn it is.
    #[inline]
    fn take(&self) -> Option<Frame> {
        match self {
            Self::Latest(place) => place.take(),
            Self::Fifo(_sender, receiver) => receiver.try_recv().ok(),
        }
    }

    /// Whether a frame may wait that came before the last ring. Where there is one place, what
    /// is in it came after the last one was taken, and so has left its ring.
    #[inline]
    fn may_hold_more(&self) -> bool {
        match self {
            Self::Latest(_place) => false,
            Self::Fifo(_sender, receiver) => !receiver.is_empty(),
        }
    }
}

/// Only clones of frames can fill a link that has a place for each: then the oldest goes.
fn put_in_order(
    sender: &Sender<Frame>,
    receiver: &Receiver<Frame>,
    mut frame: Frame,
) -> Option<Frame> {
    let mut oldest = None;
    loop {
        match sender.try_send(frame) {
            Ok(()) => return oldest,
            Err(TrySendError::Full(newer) | TrySendError::Disconnected(newer)) => {
                oldest = receiver.try_recv().ok();
                frame = newer;
            }
        }
    }
}

/// What both ends of a link and its observers share.
pub(crate) struct Link {
    places: Places,
    /// There is something for the receiver.
    bell: Bell,
    /// The sender is gone: nothing will follow what waits.
    ended: AtomicBool,
    /// The receiver is gone.
    closed: AtomicBool,
    superseded: AtomicU64,
    left: AtomicU64,
}

impl Link {
    /// Frames let go because a newer one had arrived.
    pub(crate) fn superseded(&self) -> u64 {
        self.superseded.load(Ordering::Relaxed)
    }

    /// Frames that were on their way when the receiver ended.
    pub(crate) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    fn leave_all(&self) {
        while self.places.take().is_some() {
            self.left.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The sending end. Dropping it ends the link once the receiver has taken what is left.
pub(crate) struct Outlet(Arc<Link>);

/// The receiving end, for one thread.
pub(crate) struct Inlet(Arc<Link>);

/// The receiver is gone; the frame was let go.
#[derive(Debug)]
pub(crate) struct Disconnected;

/// Why there is no frame to take.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Empty {
    /// One may follow.
    Yet,
    /// The sender is gone, and all it sent was taken.
    ForGood,
}

/// Makes a link for a pool of `frames`.
pub(crate) fn link(policy: QueuePolicy, frames: usize) -> (Outlet, Inlet, Arc<Link>) {
    let link = Arc::new(Link {
        places: Places::new(policy, frames),
        bell: Bell::default(),
        ended: AtomicBool::new(false),
        closed: AtomicBool::new(false),
        superseded: AtomicU64::new(0),
        left: AtomicU64::new(0),
    });
    (Outlet(Arc::clone(&link)), Inlet(Arc::clone(&link)), link)
}

impl Outlet {
    /// Sends a frame on. Never waits.
    ///
    /// What it supersedes is let go here, at once, so that its buffer is back at the camera
    /// before the receiver wakes.
    #[inline]
    pub(crate) fn send(&self, frame: Frame) -> Result<(), Disconnected> {
        let link = &*self.0;
        if link.closed.load(Ordering::Relaxed) {
            return Err(Disconnected);
        }
        if link.places.put(frame).is_some() {
            link.superseded.fetch_add(1, Ordering::Relaxed);
        }
        link.bell.ring();
        Ok(())
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.bell.ring();
        // With the fence of the other end: one of the two sees what the other left.
        fence(Ordering::SeqCst);
        // What was sent while the receiver went away is nobody else's.
        if self.0.closed.load(Ordering::Acquire) {
            self.0.leave_all();
        }
    }
}

impl Inlet {
    /// Sleeps until there may be a frame to take or the link has ended.
    #[inline]
    pub(crate) fn wait(&self) {
        let link = &*self.0;
        // In this order: what was sent before the end is seen after it.
        let has_ended = link.ended.load(Ordering::Acquire);
        if !has_ended && !link.places.may_hold_more() {
            link.bell.wait();
        }
    }

    /// Takes the frame that the policy says. Call [`Inlet::wait`] before.
    #[inline]
    pub(crate) fn take(&self) -> Result<Frame, Empty> {
        // In this order: what was sent before the end is seen after it.
        let has_ended = self.0.ended.load(Ordering::Acquire);
        self.0.places.take().ok_or(if has_ended {
            Empty::ForGood
        } else {
            Empty::Yet
        })
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        self.0.leave_all();
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::frames::{numbered, pool};
    use super::*;
    use dmaflow_core::frame::FrameMeta;
    use std::thread;

    #[test]
    fn latest_lets_older_frames_go_and_counts_them() {
        let pool = pool(4);
        let (outlet, inlet, link) = link(QueuePolicy::Latest, pool.len());
        for sequence in 0..100 {
            outlet.send(numbered(&pool, sequence)).unwrap();
        }
        inlet.wait();
        assert_eq!(inlet.take().unwrap().meta().sequence, 99);
        assert_eq!(link.superseded(), 99);
        assert_eq!(pool.free(), 4);
    }

    #[test]
    fn a_frame_that_arrives_while_another_waits_supersedes_it() {
        let pool = pool(4);
        let (outlet, inlet, link) = link(QueuePolicy::Latest, pool.len());
        outlet.send(numbered(&pool, 1)).unwrap();
        inlet.wait();
        outlet.send(numbered(&pool, 2)).unwrap();
        assert_eq!(inlet.take().unwrap().meta().sequence, 2);
        assert_eq!(link.superseded(), 1);
    }

    #[test]
    fn fifo_keeps_every_frame_in_order_and_counts_what_is_left() {
        let pool = pool(4);
        let (outlet, inlet, link) = link(QueuePolicy::FIFO, pool.len());
        for sequence in 0..4 {
            outlet.send(numbered(&pool, sequence)).unwrap();
        }
        for sequence in 0..2 {
            inlet.wait();
            assert_eq!(inlet.take().unwrap().meta().sequence, sequence);
        }
        drop(inlet);
        assert_eq!(link.left(), 2);
        assert_eq!(link.superseded(), 0);
        assert_eq!(pool.free(), 4);
        assert!(outlet.send(numbered(&pool, 5)).is_err());
        assert_eq!(pool.free(), 4);
    }

    #[test]
    fn the_receiver_wakes_for_frames_and_for_the_end() {
        const COUNT: u64 = if cfg!(miri) { 50 } else { 1000 };
        let pool = pool(2);
        let (outlet, inlet, _link) = link(QueuePolicy::FIFO, pool.len());
        let receiver = thread::spawn(move || {
            let mut seen = Vec::new();
            loop {
                inlet.wait();
                match inlet.take() {
                    Ok(frame) => seen.push(frame.meta().sequence),
                    Err(Empty::ForGood) => return seen,
                    Err(Empty::Yet) => {}
                }
            }
        });
        for sequence in 0..COUNT {
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
        assert_eq!(receiver.join().unwrap(), (0..COUNT).collect::<Vec<_>>());
    }
}
