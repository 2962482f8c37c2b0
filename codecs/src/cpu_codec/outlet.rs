//! Where frames come out of a codec that keeps some: from its own thread to the one that waits at
//! the outlet.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use dmaflow_core::frame::Frame;
use dmaflow_core::stage::{Bed, Outlet, StageError, Stopper};

/// Frames on their way out.
#[derive(Debug, Default)]
pub(super) struct Handover {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Frame>,
    /// No more come.
    ended: bool,
    stopped: bool,
}

impl Handover {
    /// One with room for so many frames.
    pub(super) fn new(frames: usize) -> Self {
        let state = State {
            frames: VecDeque::with_capacity(frames),
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn give(&self, frame: Frame) {
        self.locked().frames.push_back(frame);
        self.changed.notify_one();
    }

    pub(super) fn end(&self) {
        self.locked().ended = true;
        self.changed.notify_one();
    }

    /// Waits for the next frame; `None` when it is stopped, and when no more come.
    fn take(&self) -> Option<Frame> {
        let mut state = self.locked();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(frame) = state.frames.pop_front() {
                return Some(frame);
            }
            if state.ended {
                return None;
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The outlet itself.
pub(super) struct CpuOutlet(pub(super) Arc<Handover>);

impl Outlet for CpuOutlet {
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        Ok(self.0.take())
    }
}

/// Wakes who waits for a free frame, and who waits for the next one.
#[derive(Debug)]
pub(super) struct Halt {
    pub(super) bed: Arc<Bed>,
    pub(super) handover: Arc<Handover>,
}

impl Stopper for Halt {
    fn stop(&self) {
        self.bed.stop();
        self.handover.locked().stopped = true;
        self.handover.changed.notify_all();
    }
}
