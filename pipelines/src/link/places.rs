//! Where a link's frames wait.

use dmaflow_core::frame::{Frame, FramePlace};

use super::QueuePolicy;
use crate::bell::Bell;
use crate::sync::{Receiver, Sender, TrySendError, bounded};

/// Where frames wait. Both ends may take from it.
pub(super) enum Places {
    /// A channel cannot replace what waits in it; this is one exchange of pointers.
    Latest(FramePlace),
    Fifo(Sender<Frame>, Receiver<Frame>),
    /// With a bell that rings when one was taken.
    Block(Sender<Frame>, Receiver<Frame>, Bell),
}

/// What became of a frame that was put into a link.
pub(super) enum Put {
    /// It waits.
    Waits,
    /// It waits, and an older one gave way.
    InPlaceOf(Frame),
    /// There is no room, and nobody gives way.
    Full(Frame),
}

impl Places {
    pub(super) fn new(policy: QueuePolicy, frames: usize) -> Self {
        match policy {
            QueuePolicy::Latest => Self::Latest(FramePlace::default()),
            QueuePolicy::Fifo { depth } => {
                let depth = depth.map_or(frames.max(1), |depth| depth.get());
                let (sender, receiver) = bounded(depth);
                Self::Fifo(sender, receiver)
            }
            QueuePolicy::Block { depth } => {
                let (sender, receiver) = bounded(depth.get());
                Self::Block(sender, receiver, Bell::default())
            }
        }
    }

    /// Puts a frame in.
    #[inline]
    pub(super) fn put(&self, frame: Frame) -> Put {
        match self {
            Self::Latest(place) => place.put(frame).map_or(Put::Waits, Put::InPlaceOf),
            Self::Fifo(sender, receiver) => {
                put_in_order(sender, receiver, frame).map_or(Put::Waits, Put::InPlaceOf)
            }
            Self::Block(sender, ..) => match sender.try_send(frame) {
                Ok(()) => Put::Waits,
                Err(TrySendError::Full(frame) | TrySendError::Disconnected(frame)) => {
                    Put::Full(frame)
                }
            },
        }
    }

    /// Sleeps until there may be room; where somebody always gives way there is.
    pub(super) fn wait_for_room(&self) {
        if let Self::Block(_sender, _receiver, room) = self {
            room.wait();
        }
    }

    /// Wakes who waits for room.
    pub(super) fn tell_of_room(&self) {
        if let Self::Block(_sender, _receiver, room) = self {
            room.ring();
        }
    }

    /// Takes the frame whose turn it is.
    #[inline]
    pub(super) fn take(&self) -> Option<Frame> {
        match self {
            Self::Latest(place) => place.take(),
            Self::Fifo(_sender, receiver) => receiver.try_recv().ok(),
            Self::Block(_sender, receiver, room) => {
                receiver.try_recv().ok().inspect(|_frame| room.ring())
            }
        }
    }

    /// Whether a frame may wait that came before the last ring. Where there is one place, what
    /// is in it came after the last one was taken, and so has left its ring.
    #[inline]
    pub(super) fn may_hold_more(&self) -> bool {
        match self {
            Self::Latest(_place) => false,
            Self::Fifo(_sender, receiver) | Self::Block(_sender, receiver, _) => {
                !receiver.is_empty()
            }
        }
    }
}

/// What waits longest gives way where there is no room.
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
