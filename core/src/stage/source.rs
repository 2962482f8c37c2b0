//! Where frames come from.

use std::sync::Arc;

use super::{Choice, Controls, Counter, DeviceKey, StageError};
use crate::caps::{Cap, Caps, MemoryNeeds, Set, Steps};
use crate::format::Format;
use crate::frame::{Frame, FramePool};
use crate::layout::Layout;
use crate::time::Rate;

/// What a source will deliver.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// Where the device puts the pixels.
    pub layout: Layout,
    /// How often a frame comes, where the source knows.
    pub rate: Option<Rate>,
    /// Buffers that the device needs queued to run.
    pub min_buffers: usize,
    /// What it chose by itself.
    pub choices: Vec<Choice>,
}

/// Ends a stage's wait for its device from another thread.
pub trait Stopper: Send + Sync {
    /// Makes [`Source::next_frame`] return `None`, and [`Transform::transform`] return without
    /// a frame, now and until the next start.
    ///
    /// [`Transform::transform`]: super::Transform::transform
    fn stop(&self);
}

/// A stage that makes frames.
pub trait Source: Send {
    /// Who it is: card name and node.
    fn device(&self) -> String;

    /// Who it is from boot to boot; what a stage without a key answered is not remembered.
    fn key(&self) -> Option<DeviceKey> {
        None
    }

    /// Whether a device imports the frames, so that only importable memory will do.
    fn imports(&self) -> bool {
        true
    }

    /// What may be changed of it while it runs, where there is something.
    fn controls(&self) -> Option<Arc<dyn Controls>> {
        None
    }

    /// The formats it can deliver as it was asked, best first.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot be asked.
    fn formats(&mut self) -> Result<Vec<Format>, StageError>;

    /// Width and height of its pictures as it was asked, where that is known before a format
    /// is set.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot be asked.
    fn size(&mut self) -> Result<Option<(u32, u32)>, StageError> {
        Ok(None)
    }

    /// What it can deliver as it was asked, as sets: in any of its formats, in its size, in
    /// whatever memory it is given, unless it says more.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot be asked.
    fn caps(&mut self) -> Result<Caps, StageError> {
        let (formats, size) = (self.formats()?, self.size()?);
        let (width, height) = size.map_or((Steps::ANY, Steps::ANY), |(width, height)| {
            (Steps::only(width), Steps::only(height))
        });
        Ok(Caps(vec![Cap {
            formats: Set::Of(formats),
            width,
            height,
            memory: MemoryNeeds::of(self.imports()),
            ..Cap::any()
        }]))
    }

    /// Sets the format.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot deliver it as asked.
    fn configure(&mut self, format: Format) -> Result<SourcePlan, StageError>;

    /// Imports and queues every frame of a pool, so that only starting is left.
    ///
    /// # Errors
    /// [`StageError::Refused`] when the device cannot use the pool's memory; the stage is then
    /// as before the call.
    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError>;

    /// Lets go of the pool.
    fn detach(&mut self);

    /// Starts the flow of frames and returns what ends it.
    ///
    /// # Errors
    /// [`StageError`].
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError>;

    /// Waits for the next frame; `None` after the stopper was used or at the end of the stream.
    ///
    /// # Errors
    /// [`StageError::Gone`] when the device vanished, [`StageError::Changed`] when it delivers
    /// another picture than it was configured to, otherwise [`StageError::Failed`].
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError>;

    /// Ends the flow; a stage that does not run is left alone.
    ///
    /// # Errors
    /// [`StageError`].
    fn stop(&mut self) -> Result<(), StageError>;

    /// What it counted since the last start, in a fixed order.
    fn counters(&self) -> Vec<Counter>;
}
