//! Stages that make frames of frames: converters, scalers, codecs.

use std::sync::Arc;

use super::{Choice, Controls, Counter, DeviceKey, SourcePlan, StageError, Stopper};
use crate::format::Format;
use crate::frame::{Frame, FramePool};
use crate::layout::Layout;

/// Where the frames of a [`Transform`] come out that keeps some.
pub trait Outlet: Send {
    /// Waits for the next frame; `None` after the stopper was used, and at the end.
    ///
    /// # Errors
    /// [`StageError::Gone`] when the device vanished, [`StageError::Changed`] when pictures of
    /// another size or format are to come, otherwise [`StageError::Failed`].
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError>;

    /// After [`Outlet::next_frame`] gave none: how frames are to lie from here on, where that has
    /// changed and more are to come. It waits for such frames then ([`Outlet::attach`]).
    ///
    /// # Errors
    /// [`StageError::Changed`] where it cannot go on so, otherwise as [`Outlet::next_frame`].
    fn changed(&mut self) -> Result<Option<Layout>, StageError> {
        Ok(None)
    }

    /// Goes on with the frames of a pool that lie as [`Outlet::changed`] said, and with no others.
    ///
    /// # Errors
    /// [`StageError::Refused`] when the device cannot use the pool's memory, otherwise as
    /// [`Outlet::next_frame`].
    fn attach(&mut self, _pool: &FramePool) -> Result<(), StageError> {
        Ok(())
    }
}

/// A stage that takes the frames of one pool and fills those of another.
///
/// ```text
///  configure ──▶ attach_input, attach_output ──▶ start ──▶ transform … ──▶ stop ──▶ detach
///                               ▲                                            │
///                               └───────────────── (again) ──────────────────┘
/// ```
pub trait Transform: Send {
    /// Who it is: card name and node.
    fn device(&self) -> String;

    /// Who it is from boot to boot; what a stage without a key answered is not remembered.
    fn key(&self) -> Option<DeviceKey> {
        None
    }

    /// Whether a device does the work, and so imports the frames of both sides; otherwise the
    /// CPU copies.
    fn imports(&self) -> bool {
        true
    }

    /// How the CPU carries pixels there from frames into others, in a few words; `None` where it
    /// does not. A stage that says how is refused unless its pipeline allows copies.
    ///
    /// Where a device does the work nothing is copied; a stage that makes its frames without
    /// those that it takes, as a chart of what was measured, says so by `None`.
    fn copies(&self) -> Option<String> {
        (!self.imports()).then(|| "the CPU makes its frames out of those that it takes".to_owned())
    }

    /// Whether the CPU reads the compressed frames that it takes, and carries their bytes where
    /// the device wants them; never pixels.
    fn reads_stream(&self) -> bool {
        false
    }

    /// What may be changed of it while it runs, where there is something.
    fn controls(&self) -> Option<Arc<dyn Controls>> {
        None
    }

    /// The formats it takes, best first.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot be asked.
    fn input_formats(&mut self) -> Result<Vec<Format>, StageError>;

    /// The formats it can make of frames in format `input`, best first.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot be asked.
    fn output_formats(&mut self, input: Format) -> Result<Vec<Format>, StageError>;

    /// Width and height in pixels of what it makes, where it was asked for a size; otherwise its
    /// frames are as large as those that it takes.
    fn output_size(&self) -> Option<(u32, u32)> {
        None
    }

    /// Sets it up to take frames as `input` lays them out and to make frames of format
    /// `output`, and tells where it will put those.
    ///
    /// # Errors
    /// [`StageError::Failed`] when the device cannot do it, or would want the input's rows or
    /// buffers laid out otherwise.
    fn configure(&mut self, input: &Layout, output: Format) -> Result<SourcePlan, StageError>;

    /// Imports every frame of a pool that it will be given, besides the pools that it has already.
    ///
    /// # Errors
    /// [`StageError::Refused`] when the device cannot use the pool's memory; the stage is then
    /// as before the call.
    fn attach_input(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError>;

    /// Imports every frame that it will fill.
    ///
    /// # Errors
    /// [`StageError::Refused`] when the device cannot use the pool's memory; the stage is then
    /// as before the call.
    fn attach_output(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError>;

    /// Lets go of the frames that it would be given.
    fn detach_input(&mut self);

    /// Lets go of the frames that it would fill.
    fn detach_output(&mut self);

    /// How many of the input's frames it keeps at a time.
    fn frames_held(&self) -> usize;

    /// Starts the device and returns what ends a wait for it.
    ///
    /// # Errors
    /// [`StageError`].
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError>;

    /// Makes a frame of a frame and hands it to `send`; waits for the device, and for a free
    /// frame of the output's pool. What is known of the input's picture is known of the output's.
    ///
    /// Nothing is sent where the device damaged the picture, which is counted, and after the
    /// stopper was used: then it returns at once, and the frame is let go.
    ///
    /// # Errors
    /// [`StageError::Gone`] when the device vanished, otherwise [`StageError::Failed`]; the
    /// frame is let go.
    fn transform(&mut self, frame: Frame, send: &mut dyn FnMut(Frame)) -> Result<(), StageError>;

    /// Where its frames come out, if they do so by themselves and not with those that went in: a
    /// codec keeps some, and changes their order. To be asked after each start; then
    /// [`Transform::transform`] hands a frame over and sends none, while another thread waits at
    /// the outlet.
    fn outlet(&mut self) -> Option<Box<dyn Outlet>> {
        None
    }

    /// No frame comes any more: what is still inside comes out, and then the outlet ends. Of a
    /// stage without an outlet there is nothing to do.
    ///
    /// # Errors
    /// [`StageError`]; the outlet may then not end by itself.
    fn finish(&mut self) -> Result<(), StageError> {
        Ok(())
    }

    /// Stops the device; a stage that does not run is left alone.
    ///
    /// # Errors
    /// [`StageError`].
    fn stop(&mut self) -> Result<(), StageError>;

    /// What it counted since the last start, in a fixed order.
    fn counters(&self) -> Vec<Counter>;
}
