//! What each stage's thread does, frame after frame.

use std::sync::atomic::Ordering;
use std::time::Duration;

use dmaflow_core::stage::{Filter, Sink, Source, StageError};
use dmaflow_core::time::{Clock, Timestamp};

use super::meters::Meters;
use crate::latency::Recorder;
use crate::link::{Empty, Inlet, Outlet};

/// A source with the loop that runs it. Each type has its own, so that no frame costs an
/// indirect call.
pub(in crate::pipeline) trait RunSource: Source {
    /// Sends frames until the source ends, or `limit` of them have come.
    fn run(
        &mut self,
        outlet: &Outlet,
        limit: Option<u64>,
        meters: &Meters,
    ) -> Result<(), StageError>;
}

impl<S: Source> RunSource for S {
    fn run(
        &mut self,
        outlet: &Outlet,
        limit: Option<u64>,
        meters: &Meters,
    ) -> Result<(), StageError> {
        let mut captured = 0;
        while limit.is_none_or(|limit| captured < limit)
            && let Some(frame) = self.next_frame()?
        {
            captured += 1;
            // This thread alone counts them.
            meters.captured.store(captured, Ordering::Relaxed);
            if outlet.send(frame).is_err() {
                // The stage behind has ended and says why itself.
                Meters::add(&meters.unseen);
                break;
            }
        }
        Ok(())
    }
}

/// The same for a filter.
pub(in crate::pipeline) trait RunFilter: Filter {
    /// Passes frames on until no more come, or nobody takes them.
    fn run(&mut self, inlet: Inlet, outlet: &Outlet, meters: &Meters) -> Result<(), StageError>;
}

impl<F: Filter> RunFilter for F {
    fn run(&mut self, inlet: Inlet, outlet: &Outlet, meters: &Meters) -> Result<(), StageError> {
        let mut unseen = Unseen::new(meters);
        loop {
            inlet.wait();
            let frame = match inlet.take() {
                Ok(frame) => frame,
                Err(Empty::Yet) => continue,
                Err(Empty::ForGood) => return Ok(()),
            };
            unseen.frames += 1;
            match self.pass(frame)? {
                None => Meters::add(&meters.filtered),
                Some(frame) => {
                    if outlet.send(frame).is_err() {
                        return Ok(());
                    }
                }
            }
            unseen.frames -= 1;
        }
    }
}

/// The same for a sink.
pub(in crate::pipeline) trait RunSink: Sink {
    /// Shows frames until no more come.
    fn run(&mut self, inlet: Inlet, meters: &Meters) -> Result<(), StageError>;
}

impl<S: Sink> RunSink for S {
    fn run(&mut self, inlet: Inlet, meters: &Meters) -> Result<(), StageError> {
        let settles_within = self.settles_within().unwrap_or(Duration::MAX);
        let mut recorder = Recorder::new(&meters.latencies);
        let mut unseen = Unseen::new(meters);
        let mut shown = 0;
        // When the frame that was given last is in view for sure.
        let mut settled = Timestamp::default();
        loop {
            inlet.wait();
            let mut now = Clock::Monotonic.now();
            if now < settled {
                self.ready()?;
                now = Clock::Monotonic.now();
            }
            let frame = match inlet.take() {
                Ok(frame) => frame,
                Err(Empty::Yet) => continue,
                Err(Empty::ForGood) => break,
            };
            unseen.frames += 1;
            let meta = frame.meta();
            let committed = self.show(frame)?;
            settled = committed + settles_within;
            if unseen.frames > 1 {
                // The one before.
                unseen.frames -= 1;
                shown += 1;
                meters.shown.store(shown, Ordering::Relaxed);
            }
            if recorder.given(meta, now, committed) {
                recorder.count(self)?;
            }
        }
        self.ready()?;
        meters.shown.store(shown + unseen.frames, Ordering::Relaxed);
        unseen.frames = 0;
        recorder.count(self)
    }
}

/// Frames that a stage took and that have neither come into view nor been passed on; counted
/// when its thread ends, however it does.
struct Unseen<'m> {
    meters: &'m Meters,
    frames: u64,
}

impl<'m> Unseen<'m> {
    const fn new(meters: &'m Meters) -> Self {
        Self { meters, frames: 0 }
    }
}

impl Drop for Unseen<'_> {
    fn drop(&mut self) {
        self.meters.unseen.fetch_add(self.frames, Ordering::Relaxed);
    }
}
