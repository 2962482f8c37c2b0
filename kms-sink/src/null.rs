//! The sink that shows nothing.

use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::stage::{Choice, Counter, Sink, StageError};
use dmaflow_core::time::Clock;

/// Takes any frame and lets it go at once.
#[derive(Debug, Default)]
pub struct NullSink {
    last: Option<FrameMeta>,
}

impl Sink for NullSink {
    fn device(&self) -> String {
        "null sink".to_owned()
    }

    fn imports(&self) -> bool {
        false
    }

    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        Ok(None)
    }

    fn attach(&mut self, _pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        Ok(Vec::new())
    }

    fn detach(&mut self) {}

    fn frames_held(&self) -> usize {
        0
    }

    fn ready(&mut self) -> Result<Option<FrameMeta>, StageError> {
        Ok(self.last.take())
    }

    fn show(&mut self, frame: Frame) -> Result<(), StageError> {
        self.last = Some(seen(&frame));
        Ok(())
    }

    fn stop(&mut self) -> Result<(), StageError> {
        self.last = None;
        Ok(())
    }

    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

/// What is known of a frame that is used up as soon as it comes.
pub(crate) fn seen(frame: &Frame) -> FrameMeta {
    let now = Some(Clock::Monotonic.now());
    let mut meta = frame.meta;
    meta.stamps.committed = now;
    meta.stamps.flipped = now;
    meta
}
