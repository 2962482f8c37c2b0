//! The sink that shows nothing.

use std::time::Duration;

use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::stage::{Choice, Counter, DeviceKey, Sink, StageError};
use dmaflow_core::time::{Clock, Timestamp};

/// Takes any frame and lets it go at once.
#[derive(Debug, Default)]
pub struct NullSink {
    flipped: Vec<Timestamp>,
}

impl Sink for NullSink {
    fn device(&self) -> String {
        "null sink".to_owned()
    }

    fn key(&self) -> Option<DeviceKey> {
        Some(DeviceKey::built_in("null-sink", env!("CARGO_PKG_VERSION")))
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

    fn settles_within(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }

    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError> {
        drop(frame);
        let now = Clock::Monotonic.now();
        self.flipped.push(now);
        Ok(now)
    }

    fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        flipped.append(&mut self.flipped);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), StageError> {
        self.flipped.clear();
        Ok(())
    }

    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}
