//! What each stage's thread does, frame after frame.

use std::sync::atomic::Ordering;

use dmaflow_core::stage::{Filter, Sink, Source, StageError};
use dmaflow_core::time::Clock;

use super::meters::Meters;
use crate::latency::Recorder;
use crate::link::{Inlet, Outlet};

pub(super) fn source(
    source: &mut dyn Source,
    outlet: &Outlet,
    limit: Option<u64>,
    meters: &Meters,
) -> Result<(), StageError> {
    let mut captured = 0;
    while limit.is_none_or(|limit| captured < limit)
        && let Some(frame) = source.next_frame()?
    {
        captured += 1;
        Meters::add(&meters.captured);
        tracing::trace!(
            sequence = frame.meta.sequence,
            slot = frame.slot(),
            "captured"
        );
        if outlet.send(frame).is_err() {
            // The stage behind has ended and says why itself.
            Meters::add(&meters.unseen);
            break;
        }
    }
    Ok(())
}

pub(super) fn filter(
    filter: &mut dyn Filter,
    mut inlet: Inlet,
    outlet: &Outlet,
    meters: &Meters,
) -> Result<(), StageError> {
    let mut unseen = Unseen::new(meters);
    loop {
        inlet.wait();
        let Some(frame) = inlet.take() else {
            if inlet.is_over() {
                return Ok(());
            }
            continue;
        };
        unseen.frames += 1;
        match filter.pass(frame)? {
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

pub(super) fn sink(
    sink: &mut dyn Sink,
    mut inlet: Inlet,
    meters: &Meters,
) -> Result<(), StageError> {
    let mut recorder = Recorder::new(&meters.latencies);
    let mut unseen = Unseen::new(meters);
    loop {
        inlet.wait();
        if let Some(meta) = sink.ready()? {
            meters.shown(&meta.stamps);
            recorder.note(meta.stamps);
            unseen.frames -= 1;
        }
        let Some(mut frame) = inlet.take() else {
            if inlet.is_over() {
                return Ok(());
            }
            continue;
        };
        frame.meta.stamps.handed_over = Some(Clock::Monotonic.now());
        unseen.frames += 1;
        sink.show(frame)?;
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
