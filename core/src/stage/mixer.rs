//! Stages that show the frames of several links together.

use std::time::Duration;

use super::{Choice, Counter, DeviceKey, StageError, Untold};
use crate::caps::{Cap, Caps, MemoryNeeds, Set};
use crate::format::Format;
use crate::frame::{Frame, FramePool};
use crate::time::Timestamp;

/// A stage that uses up the frames of several links, each in a place of its own: a display
/// that shows two cameras on two planes.
///
/// It is a [`Sink`](super::Sink) with more than one input; what is said there holds for each
/// input here.
pub trait Mixer: Send {
    /// Who it is: connector and card.
    fn device(&self) -> String;

    /// Who it is from boot to boot; what a stage without a key answered is not remembered.
    fn key(&self) -> Option<DeviceKey> {
        None
    }

    /// Whether a device imports the frames, so that only importable memory will do.
    fn imports(&self) -> bool {
        true
    }

    /// How many links lead into it.
    fn inputs(&self) -> usize;

    /// The formats that an input takes, best first.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot be asked.
    fn formats(&mut self, input: usize) -> Result<Vec<Format>, StageError>;

    /// What an input takes, as [`Sink::caps`](super::Sink::caps).
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot be asked.
    fn caps(&mut self, input: usize) -> Result<Caps, StageError> {
        Ok(Caps(vec![Cap {
            formats: Set::Of(self.formats(input)?),
            memory: MemoryNeeds::of(self.imports()),
            ..Cap::any()
        }]))
    }

    /// Imports every frame of a pool for an input, besides the pools that it has already.
    ///
    /// # Errors
    /// [`StageError::Refused`] when the device cannot use the pool's memory; the stage is then
    /// as before the call.
    fn attach(&mut self, input: usize, pool: &FramePool) -> Result<(), StageError>;

    /// Finds a way to show all inputs together, short of showing anything; a stage that runs is
    /// stopped. Each input has a pool. Pools that are attached later are shown the same way.
    ///
    /// # Errors
    /// [`StageError::Failed`] when there is none; what was arranged before is then as it was.
    fn arrange(&mut self) -> Result<Vec<Choice>, StageError>;

    /// Lets go of an input's pools; a stage that runs is stopped, and is to be arranged anew.
    fn detach(&mut self, input: usize);

    /// How many frames of an input it keeps while it waits for the next one.
    fn frames_held(&self) -> usize;

    /// As [`Sink::settles_within`](super::Sink::settles_within).
    fn settles_within(&self) -> Option<Duration> {
        None
    }

    /// Waits until what it was given last is in view, and so until it can take more at once.
    ///
    /// # Errors
    /// [`StageError`].
    fn ready(&mut self) -> Result<(), StageError>;

    /// Takes frames, by input, to show them next, all at once; an input without one keeps what
    /// it shows. Returns when it gave them to the display, on
    /// [`Clock::Monotonic`](crate::time::Clock::Monotonic). What was given before is then in
    /// view. Without any frame it does nothing, and no flip is told of.
    ///
    /// `frames` is empty of frames afterwards.
    ///
    /// # Errors
    /// [`StageError`]; the frames are let go.
    fn show(&mut self, frames: &mut [Option<Frame>]) -> Result<Timestamp, StageError>;

    /// Adds when what it was given came into view: one moment for each [`Mixer::show`] that had
    /// frames, in order. To be asked once in [`FLIPS_KEPT`](super::FLIPS_KEPT) at least.
    ///
    /// # Errors
    /// [`StageError`].
    fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError>;

    /// As [`Sink::imported`](super::Sink::imported), of all inputs.
    ///
    /// # Errors
    /// As there.
    fn imported(&self) -> Result<Vec<u64>, Untold> {
        Err(Untold::NOT_ASKED)
    }

    /// As [`Sink::stop`](super::Sink::stop).
    ///
    /// # Errors
    /// [`StageError`].
    fn stop(&mut self) -> Result<(), StageError>;

    /// What it counted, in a fixed order.
    fn counters(&self) -> Vec<Counter>;
}
