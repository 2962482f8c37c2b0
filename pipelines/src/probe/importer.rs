//! Who is asked: devices and built-in stages that import a pool's frames.

use dmaflow_core::frame::FramePool;
use dmaflow_core::stage::{Choice, DeviceKey, Mixer, Sink, Source, StageError, Transform};

/// Somebody who imports the frames of a pool, or says why not.
pub trait Importer {
    /// Who it is: card name and node.
    fn device(&self) -> String;

    /// Who it is from boot to boot; what an importer without a key answered is not remembered.
    fn key(&self) -> Option<DeviceKey> {
        None
    }

    /// Whether it is a device, so that only importable memory will do; otherwise the CPU is.
    fn imports(&self) -> bool {
        true
    }

    /// Imports every frame of a pool, short of using one, and tells what it chose by itself.
    ///
    /// # Errors
    /// [`StageError::Refused`] when it cannot use the pool's memory; it is then as before the
    /// call.
    fn import(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError>;

    /// Lets go of the pool; an importer without one is left alone.
    fn undo(&mut self);
}

/// A source that was configured, as an importer.
#[derive(Debug)]
pub struct SourceImporter<'s, S: ?Sized>(pub &'s mut S);

impl<S: Source + ?Sized> Importer for SourceImporter<'_, S> {
    fn device(&self) -> String {
        self.0.device()
    }

    fn key(&self) -> Option<DeviceKey> {
        self.0.key()
    }

    fn imports(&self) -> bool {
        self.0.imports()
    }

    fn import(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.0.attach(pool).map(|()| Vec::new())
    }

    fn undo(&mut self) {
        self.0.detach();
    }
}

/// A sink as an importer.
#[derive(Debug)]
pub struct SinkImporter<'s, S: ?Sized>(pub &'s mut S);

impl<S: Sink + ?Sized> Importer for SinkImporter<'_, S> {
    fn device(&self) -> String {
        self.0.device()
    }

    fn key(&self) -> Option<DeviceKey> {
        self.0.key()
    }

    fn imports(&self) -> bool {
        self.0.imports()
    }

    fn import(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.0.attach(pool)
    }

    fn undo(&mut self) {
        self.0.detach();
    }
}

/// An input of a mixer as an importer.
pub(crate) struct MixerImporter<'s> {
    pub(crate) mixer: &'s mut dyn Mixer,
    pub(crate) input: usize,
}

impl Importer for MixerImporter<'_> {
    fn device(&self) -> String {
        self.mixer.device()
    }

    fn key(&self) -> Option<DeviceKey> {
        self.mixer.key()
    }

    fn imports(&self) -> bool {
        self.mixer.imports()
    }

    fn import(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.mixer.attach(self.input, pool).map(|()| Vec::new())
    }

    fn undo(&mut self) {
        self.mixer.detach(self.input);
    }
}

/// What a transform takes, as an importer.
pub(crate) struct InputImporter<'s>(pub(crate) &'s mut dyn Transform);

impl Importer for InputImporter<'_> {
    fn device(&self) -> String {
        self.0.device()
    }

    fn key(&self) -> Option<DeviceKey> {
        self.0.key()
    }

    fn imports(&self) -> bool {
        self.0.imports()
    }

    fn import(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.0.attach_input(pool)
    }

    fn undo(&mut self) {
        self.0.detach_input();
    }
}

/// What a transform makes, as an importer.
pub(crate) struct OutputImporter<'s>(pub(crate) &'s mut dyn Transform);

impl Importer for OutputImporter<'_> {
    fn device(&self) -> String {
        self.0.device()
    }

    fn key(&self) -> Option<DeviceKey> {
        // A queue is not the other one: it may import what that one refuses.
        let key = self.0.key()?;
        Some(DeviceKey {
            name: format!("{} (output)", key.name),
            ..key
        })
    }

    fn imports(&self) -> bool {
        self.0.imports()
    }

    fn import(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.0.attach_output(pool)
    }

    fn undo(&mut self) {
        self.0.detach_output();
    }
}
