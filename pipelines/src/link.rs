//! Links: frames on their way from one stage's thread to another's.
//!
//! Sending waits for nobody, but over a link with [`QueuePolicy::Block`]: there is a channel
//! whose oldest frame gives way, or, with [`QueuePolicy::Latest`], one place where a newer frame
//! takes that of an older one. The receiver sleeps in one futex wait a frame; the channel's own
//! blocking receive would yield the processor several times first.
//!
//! ```text
//!            ┌▶ Outlet ══ Link ══▶ Inlet ▶ Input       an Input goes on with what follows its
//!  Outputs ──┤                                         link; Inputs wait for several at once
//!            └▶ Outlet ══ Link ══▶ Inlet ▶ Input
//! ```

#[cfg(test)]
mod frames;
mod inputs;
mod marks;
#[cfg(all(test, loom))]
mod models;
mod outputs;
mod places;
mod policy;

pub(crate) use inputs::{Input, Inputs, Relay};
pub(crate) use marks::{Marks, Noted};
pub(crate) use outputs::{MOST_ORDERS, NotTaken, Order, Orders, Outputs};
pub use policy::{QueuePolicy, SHARED_DEPTH};

use std::sync::Arc;

use dmaflow_core::frame::Frame;

use crate::bell::Bell;
use crate::sync::{AtomicBool, AtomicU64, Ordering, fence};
use places::{Places, Put};

/// What both ends of a link and its observers share.
pub(crate) struct Link {
    places: Places,
    /// There is something for the receiver, which may listen for other links by it as well.
    bell: Arc<Bell>,
    /// The sender is gone: nothing will follow what waits.
    ended: AtomicBool,
    /// The receiver is gone.
    closed: AtomicBool,
    sent: AtomicU64,
    taken: AtomicU64,
    superseded: AtomicU64,
    left: AtomicU64,
    /// Which frames pass, where that is wanted.
    noted: Option<Noted>,
}

impl Link {
    /// Which frames passed, where that was wanted.
    pub(crate) const fn noted(&self) -> Option<&Noted> {
        self.noted.as_ref()
    }

    /// Frames that were sent, whatever became of them.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Frames that the receiver took.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Frames let go because a newer one had arrived.
    pub(crate) fn superseded(&self) -> u64 {
        self.superseded.load(Ordering::Relaxed)
    }

    /// Frames that were on their way when the receiver ended, or came later.
    pub(crate) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Frames that still wait after the sender has gone on with another link.
    pub(crate) fn waiting_at_its_end(&self) -> u64 {
        if !self.ended.load(Ordering::Acquire) {
            return 0;
        }
        let gone = self.taken() + self.superseded() + self.left();
        self.sent().saturating_sub(gone)
    }

    /// Whether the receiver is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn leave_all(&self) {
        while self.places.take().is_some() {
            self.left.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Counts one more, where one thread alone counts.
#[inline]
fn count(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
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

/// Makes a link for a pool of `frames`, whose receiver listens for `bell`.
#[cfg(test)]
pub(crate) fn link(
    policy: QueuePolicy,
    frames: usize,
    bell: &Arc<Bell>,
) -> (Outlet, Inlet, Arc<Link>) {
    noting_link(policy, frames, bell, None)
}

/// Makes a link for a pool of `frames`, whose receiver listens for `bell`, and has noted what
/// passes.
pub(crate) fn noting_link(
    policy: QueuePolicy,
    frames: usize,
    bell: &Arc<Bell>,
    noted: Option<Noted>,
) -> (Outlet, Inlet, Arc<Link>) {
    let link = Arc::new(Link {
        places: Places::new(policy, frames),
        bell: Arc::clone(bell),
        ended: AtomicBool::new(false),
        closed: AtomicBool::new(false),
        sent: AtomicU64::new(0),
        taken: AtomicU64::new(0),
        superseded: AtomicU64::new(0),
        left: AtomicU64::new(0),
        noted,
    });
    (Outlet(Arc::clone(&link)), Inlet(Arc::clone(&link)), link)
}

impl Outlet {
    /// Sends a frame on. Waits for room where the policy says so.
    ///
    /// What it supersedes is let go here, at once, so that its buffer is back at the camera
    /// before the receiver wakes.
    #[inline]
    pub(crate) fn send(&self, frame: Frame) -> Result<(), Disconnected> {
        let link = &*self.0;
        count(&link.sent);
        if let Some(Noted(noted)) = &link.noted {
            noted.sent.note(&frame);
        }
        if link.closed.load(Ordering::Relaxed) {
            link.left.fetch_add(1, Ordering::Relaxed);
            return Err(Disconnected);
        }
        match link.places.put(frame) {
            Put::Waits => {}
            Put::InPlaceOf(_older) => count(&link.superseded),
            Put::Full(frame) => return self.send_when_there_is_room(frame),
        }
        link.bell.ring();
        Ok(())
    }

    #[cold]
    fn send_when_there_is_room(&self, mut frame: Frame) -> Result<(), Disconnected> {
        let link = &*self.0;
        loop {
            link.places.wait_for_room();
            if link.closed.load(Ordering::Acquire) {
                link.left.fetch_add(1, Ordering::Relaxed);
                return Err(Disconnected);
            }
            match link.places.put(frame) {
                Put::Full(again) => frame = again,
                Put::Waits | Put::InPlaceOf(_) => break,
            }
        }
        link.bell.ring();
        Ok(())
    }
}

impl Outlet {
    /// Whether nobody takes frames any more.
    fn is_closed(&self) -> bool {
        self.0.is_closed()
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
    /// Whether there may be a frame to take, or the link has ended, whether or not its bell
    /// rings again.
    #[inline]
    fn is_ready(&self) -> bool {
        let link = &*self.0;
        // In this order: what was sent before the end is seen after it.
        let has_ended = link.ended.load(Ordering::Acquire);
        has_ended || link.places.may_hold_more()
    }

    /// Sleeps until there may be a frame to take or the link has ended.
    #[inline]
    pub(crate) fn wait(&self) {
        if !self.is_ready() {
            self.0.bell.wait();
        }
    }

    /// Takes the frame that the policy says. Call [`Inlet::wait`] before.
    #[inline]
    pub(crate) fn take(&self) -> Result<Frame, Empty> {
        let link = &*self.0;
        // In this order: what was sent before the end is seen after it.
        let has_ended = link.ended.load(Ordering::Acquire);
        match link.places.take() {
            Some(frame) => {
                count(&link.taken);
                if let Some(Noted(noted)) = &link.noted {
                    noted.taken.note(&frame);
                }
                Ok(frame)
            }
            None if has_ended => Err(Empty::ForGood),
            None => Err(Empty::Yet),
        }
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.places.tell_of_room();
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
        let (outlet, inlet, link) = link(QueuePolicy::Latest, pool.len(), &Arc::default());
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
        let (outlet, inlet, link) = link(QueuePolicy::Latest, pool.len(), &Arc::default());
        outlet.send(numbered(&pool, 1)).unwrap();
        inlet.wait();
        outlet.send(numbered(&pool, 2)).unwrap();
        assert_eq!(inlet.take().unwrap().meta().sequence, 2);
        assert_eq!(link.superseded(), 1);
    }

    #[test]
    fn fifo_keeps_every_frame_in_order_and_counts_what_is_left() {
        let pool = pool(4);
        let (outlet, inlet, link) = link(QueuePolicy::FIFO, pool.len(), &Arc::default());
        for sequence in 0..4 {
            outlet.send(numbered(&pool, sequence)).unwrap();
        }
        for sequence in 0..2 {
            inlet.wait();
            assert_eq!(inlet.take().unwrap().meta().sequence, sequence);
        }
        drop(inlet);
        assert_eq!((link.taken(), link.left(), link.superseded()), (2, 2, 0));
        assert_eq!(pool.free(), 4);
        assert!(outlet.send(numbered(&pool, 5)).is_err());
        assert_eq!((link.sent(), link.left()), (5, 3));
        assert_eq!(pool.free(), 4);
    }

    #[test]
    fn the_receiver_wakes_for_frames_and_for_the_end() {
        const COUNT: u64 = if cfg!(miri) { 50 } else { 1000 };
        let pool = pool(2);
        let (outlet, inlet, _link) = link(QueuePolicy::FIFO, pool.len(), &Arc::default());
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
