//! Where frames end.

use std::sync::Arc;
use std::time::Duration;

use super::{Choice, Controls, Counter, DeviceKey, StageError, Untold};
use crate::caps::{Cap, Caps, MemoryNeeds, Set};
use crate::format::Format;
use crate::frame::{Frame, FramePool};
use crate::time::Timestamp;

/// Flips that a sink can remember until it is asked for them: half of what the kernel keeps
/// of a display's events (`drm_file_alloc` in `drivers/gpu/drm/drm_file.c`).
pub const FLIPS_KEPT: usize = 64;

/// A stage that uses frames up.
pub trait Sink: Send {
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

    /// Whether its failure ends what leads to it alone, where frames go elsewhere as well; the
    /// run fails otherwise.
    fn fails_alone(&self) -> bool {
        false
    }

    /// What may be changed of it while it runs, where there is something.
    fn controls(&self) -> Option<Arc<dyn Controls>> {
        None
    }

    /// The formats it takes, best first; `None` when it takes any.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot be asked.
    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError>;

    /// What it takes, as sets: any of its formats, in whatever size and memory, unless it says
    /// more.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot be asked.
    fn caps(&mut self) -> Result<Caps, StageError> {
        Ok(Caps(vec![Cap {
            formats: self.formats()?.map_or(Set::Any, Set::Of),
            memory: MemoryNeeds::of(self.imports()),
            ..Cap::any()
        }]))
    }

    /// Imports every frame of a pool, besides the pools that it has already, and finds a way to
    /// show them, short of showing one. Frames of several pools come where several sources lead
    /// here by turns; they are alike but for where their pixels lie. To change to another size or
    /// format, detach first. A pool that it has already is no other pool.
    ///
    /// # Errors
    /// [`StageError::Refused`] when the device cannot use the pool's memory; the stage is then
    /// as before the call.
    fn attach(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError>;

    /// Lets go of all pools.
    fn detach(&mut self);

    /// How many frames it keeps while it waits for the next one.
    fn frames_held(&self) -> usize;

    /// How long a frame takes at most to come into view, where that is known beforehand: so
    /// long after [`Sink::show`] there is nothing to wait for, and [`Sink::ready`] need not be
    /// asked.
    fn settles_within(&self) -> Option<Duration> {
        None
    }

    /// Waits until the frame that it was given last is in view, and so until it can take the
    /// next one at once.
    ///
    /// # Errors
    /// [`StageError`].
    fn ready(&mut self) -> Result<(), StageError>;

    /// Takes a frame to show it next, and returns when it gave it to the display, on
    /// [`Clock::Monotonic`](crate::time::Clock::Monotonic). The frame before is then in view.
    ///
    /// # Errors
    /// [`StageError`]; the frame is let go.
    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError>;

    /// Adds when frames came into view, on [`Clock::Monotonic`](crate::time::Clock::Monotonic):
    /// of each frame once, in the order in which they were given, and of none that is still to
    /// come into view. To be asked once in [`FLIPS_KEPT`] frames at least.
    ///
    /// # Errors
    /// [`StageError`].
    fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError>;

    /// The inodes ([`BufferId::inode`]) of the buffers that its device has imported, by the
    /// kernel's word and not by what we gave it. For audits: a stage that shows frames may be
    /// slowed by it.
    ///
    /// # Errors
    /// [`Untold`] where the kernel does not tell, or the stage does not ask.
    ///
    /// [`BufferId::inode`]: crate::dma_buf::BufferId::inode
    fn imported(&self) -> Result<Vec<u64>, Untold> {
        Err(Untold::NOT_ASKED)
    }

    /// Lets go of every frame and leaves the device as it was found. May be started again by
    /// the next [`Sink::show`]; a stage that does not run is left alone.
    ///
    /// # Errors
    /// [`StageError`].
    fn stop(&mut self) -> Result<(), StageError>;

    /// What it counted, in a fixed order.
    fn counters(&self) -> Vec<Counter>;
}
