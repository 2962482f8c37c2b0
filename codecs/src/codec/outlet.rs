//! Where what a codec makes comes out.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Outlet, StageError};
use dmaflow_v4l2::Direction;

use super::flow::{Counts, Flow};
use super::pictures::{Pictures, drain_again};
use crate::error::V4l2ConverterError;

/// Waits for what a codec makes.
pub(super) struct CodecOutlet {
    flow: Arc<Flow>,
    pictures: Pictures,
    state: State,
    /// Something was made of this kind.
    made: bool,
}

/// ```text
///  Before ──▶ Flowing ──▶ Marked ──▶ Ended
///    │           ▲           │
///    └──▶ Changed ◀──────────┘
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// The device may not know yet what its pictures are like.
    Before,
    Flowing,
    /// What was marked as the last one has come out: the last of all, or of this kind.
    Marked,
    /// Pictures are of another size from here on, in frames that are still to come.
    Changed,
    /// The frames are to lie so.
    Told(Layout),
    Ended,
}

impl CodecOutlet {
    pub(super) fn new(flow: Arc<Flow>) -> Self {
        Self {
            pictures: flow.pictures.get(),
            flow,
            state: State::Before,
            made: false,
        }
    }

    /// What comes after the state before, where that is not a frame.
    fn next_state(&self) -> Result<State, StageError> {
        let flow = &*self.flow;
        match self.state {
            State::Before if flow.header_read()? => self.kind_told(),
            State::Marked if flow.is_stopped() => Ok(State::Ended),
            State::Marked if flow.device.take_source_changed() => {
                self.check_made()?;
                self.kind_told()
            }
            _ => Ok(State::Ended),
        }
    }

    /// A device that tells of pictures again and again, and makes none, has been asked for a format
    /// that it does not make of this stream.
    #[cold]
    fn check_made(&self) -> Result<(), StageError> {
        if self.made {
            return Ok(());
        }
        let device = &self.flow.device;
        Err(StageError::failed(V4l2ConverterError::OtherFormat {
            device: device.to_string(),
            agreed: self.pictures.writes.format().name(),
            found: device.code(Direction::Capture)?,
        }))
    }

    /// Goes on in the same frames if what a device told of its pictures allows it.
    fn kind_told(&self) -> Result<State, StageError> {
        let flow = &*self.flow;
        let same = flow.events.is_none() || self.pictures.take_up(&flow.device)?;
        if !same {
            return Ok(State::Changed);
        }
        self.go_on()
    }

    fn go_on(&self) -> Result<State, StageError> {
        let flow = &*self.flow;
        // What comes out of an encoder was started with the flow.
        if flow.events.is_some() && !flow.fill(&self.pictures)? {
            return Ok(State::Ended);
        }
        if flow.finished.load(Ordering::Acquire) && self.state != State::Before {
            drain_again(&flow.device)?;
        }
        Ok(State::Flowing)
    }

    /// The next frame of this kind; `None` once the last was marked, and when the flow was ended.
    fn next_made(&mut self) -> Result<Option<Frame>, StageError> {
        let flow = &*self.flow;
        while self.state == State::Flowing {
            let made = match self.pictures.feed.take() {
                Ok(made) => made,
                Err(errno) => {
                    flow.ended(errno)?;
                    self.state = State::Ended;
                    break;
                }
            };
            if made.flags.last {
                self.state = State::Marked;
            }
            // Whatever comes now, letting go of it queues it again.
            let Some(mut picture) = self.pictures.feed.frame(made.slot) else {
                continue;
            };
            self.made |= made.damaged || made.bytes_used[0] != 0;
            if made.damaged {
                Counts::add(&flow.counts.damaged);
                continue;
            }
            if made.bytes_used[0] == 0 {
                // Nothing but the mark of the end, or an encoder that left a picture out.
                continue;
            }
            picture.set_meta(flow.known(&made));
            return Ok(Some(picture));
        }
        Ok(None)
    }
}

impl Outlet for CodecOutlet {
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        loop {
            if let Some(frame) = self.next_made()? {
                return Ok(Some(frame));
            }
            if !matches!(self.state, State::Before | State::Marked) {
                return Ok(None);
            }
            self.state = self.next_state()?;
            self.made = false;
        }
    }

    fn changed(&mut self) -> Result<Option<Layout>, StageError> {
        if self.state != State::Changed {
            return Ok(None);
        }
        let writes = self.pictures.changed(&self.flow.device)?;
        self.state = State::Told(writes.clone());
        Ok(Some(writes))
    }

    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError> {
        let State::Told(writes) = &self.state else {
            return Ok(());
        };
        let pictures = Pictures::attach(&self.flow.device, writes.clone(), pool)?;
        self.flow.pictures.set(pictures.clone());
        self.pictures = pictures;
        self.state = self.go_on()?;
        self.made = false;
        Ok(())
    }
}
