//! One stage's inputs: what it takes frames from.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dmaflow_core::frame::Frame;

use super::{Empty, Inlet};
use crate::bell::Bell;

/// Where the links that follow another one are left for its receiver, in their order. Clones are
/// the same place.
#[derive(Clone, Default)]
pub(crate) struct Relay(Arc<Mutex<Next>>);

#[derive(Default)]
struct Next {
    links: VecDeque<Inlet>,
    /// The receiver is gone.
    closed: bool,
}

impl Relay {
    /// Has the receiver go on with `inlet` once its link, and those that follow it already, have
    /// ended. `false` where it is gone.
    pub(crate) fn follow_with(&self, inlet: Inlet) -> bool {
        let mut next = self.next();
        if !next.closed {
            next.links.push_back(inlet);
            return true;
        }
        false
    }

    fn take(&self) -> Option<Inlet> {
        self.next().links.pop_front()
    }

    fn close(&self) {
        let left = {
            let mut next = self.next();
            next.closed = true;
            mem::take(&mut next.links)
        };
        // What is left is let go of without the lock.
        drop(left);
    }

    fn next(&self) -> MutexGuard<'_, Next> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One input: a link, and those that follow it.
pub(crate) struct Input {
    inlet: Inlet,
    relay: Relay,
}

impl Input {
    pub(crate) const fn new(inlet: Inlet, relay: Relay) -> Self {
        Self { inlet, relay }
    }

    /// Sleeps until there may be a frame to take or the input has ended.
    #[inline]
    pub(crate) fn wait(&self) {
        self.inlet.wait();
    }

    /// Takes the frame whose turn it is. Call [`Input::wait`] before.
    #[inline]
    pub(crate) fn take(&mut self) -> Result<Frame, Empty> {
        match self.inlet.take() {
            Err(Empty::ForGood) => self.go_on(),
            taken => taken,
        }
    }

    #[cold]
    fn go_on(&mut self) -> Result<Frame, Empty> {
        while let Some(next) = self.relay.take() {
            self.inlet = next;
            // Its bell may have rung already.
            match self.inlet.take() {
                Err(Empty::ForGood) => {}
                taken => return taken,
            }
        }
        Err(Empty::ForGood)
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.relay.close();
    }
}

/// Several inputs that ring one bell.
pub(crate) struct Inputs {
    /// Those that have not ended.
    open: Vec<Option<Input>>,
    bell: Arc<Bell>,
}

impl Inputs {
    pub(crate) fn new(inputs: Vec<Input>, bell: Arc<Bell>) -> Self {
        Self {
            open: inputs.into_iter().map(Some).collect(),
            bell,
        }
    }

    /// The first one alone.
    pub(crate) fn take_first(&mut self) -> Option<Input> {
        self.open.first_mut()?.take()
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Sleeps until there may be a frame to take or an input has ended. Every input has to be
    /// asked then.
    pub(crate) fn wait(&self) {
        let mut open = self.open.iter().flatten();
        if !open.any(|input| input.inlet.is_ready()) {
            self.bell.wait();
        }
    }

    /// Takes the frame of an input whose turn it is, if there is one.
    pub(crate) fn take(&mut self, input: usize) -> Option<Frame> {
        let place = self.open.get_mut(input)?;
        match place.as_mut()?.take() {
            Ok(frame) => Some(frame),
            Err(Empty::Yet) => None,
            Err(Empty::ForGood) => {
                *place = None;
                None
            }
        }
    }

    /// Whether all have ended.
    pub(crate) fn have_ended(&self) -> bool {
        self.open.iter().all(Option::is_none)
    }
}
