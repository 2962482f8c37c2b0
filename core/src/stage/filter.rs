//! Stages that pass frames on as they are.

use std::sync::Arc;

use super::{StageError, Switch};
use crate::frame::Frame;

/// A stage between a source and a sink, which passes frames on.
pub trait Filter: Send {
    /// Passes a frame on, or lets it go.
    ///
    /// # Errors
    /// [`StageError`]; the frame is let go.
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError>;
}

/// A stage with any number of inputs and outputs, which passes frames on: a selector, a
/// switch, a stage that sends odd frames one way and even ones another.
///
/// What it passes on is what it was given: frames of another pool are a [`Transform`]'s.
///
/// [`Transform`]: super::Transform
pub trait Router: Send {
    /// How many links may lead into it.
    fn inputs(&self) -> usize;

    /// How many outputs it has; to each of them any number of links may be joined.
    fn outputs(&self) -> usize;

    /// What chooses between its inputs, where it passes the frames of one of them on.
    fn switch(&self) -> Option<Arc<dyn Switch>> {
        None
    }

    /// Passes a frame that came over `input` on, by calling `send` with an output and a frame,
    /// or lets it go. To send a clone is to give one more user the same picture.
    ///
    /// # Errors
    /// [`StageError`]; the frame is let go.
    fn route(
        &mut self,
        input: usize,
        frame: Frame,
        send: &mut dyn FnMut(usize, Frame),
    ) -> Result<(), StageError>;
}
