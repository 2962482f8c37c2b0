//! What each stage's thread does, frame after frame.
//!
//! Each type of stage has its own loop, compiled for it, so that no frame costs an indirect
//! call.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dmaflow_core::frame::Frame;
use dmaflow_core::stage::{Filter, Mixer, Router, Sink, Source, StageError, Stopper, Transform};
use dmaflow_core::time::{Clock, Timestamp};

use super::super::audit::Witness;
use super::meters::Meter;
use super::outlet::{self, Renewal};
use super::renewal::{Adoption, Needed, Renewals};
use crate::latency::Recorder;
use crate::link::{Empty, Input, Inputs, Outputs};

/// A source with the loop that runs it.
pub(in crate::pipeline) trait RunSource: Source {
    /// Sends frames until the source ends, or `limit` of them have come.
    fn run(
        &mut self,
        outputs: Outputs,
        limit: Option<u64>,
        meter: &Meter,
    ) -> Result<(), StageError>;
}

impl<S: Source> RunSource for S {
    fn run(
        &mut self,
        mut outputs: Outputs,
        limit: Option<u64>,
        meter: &Meter,
    ) -> Result<(), StageError> {
        let mut made = 0;
        while limit.is_none_or(|limit| made < limit)
            && let Some(frame) = self.next_frame()?
        {
            made += 1;
            meter.made.store(made, Ordering::Relaxed);
            if outputs.send(frame).is_err() {
                // The stages behind have ended and say why themselves.
                break;
            }
            meter.sent.store(made, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The same for a filter.
pub(in crate::pipeline) trait RunFilter: Filter {
    /// Passes frames on until no more come, or nobody takes them.
    fn run(&mut self, input: Input, outputs: Outputs, meter: &Meter) -> Result<(), StageError>;
}

impl<F: Filter> RunFilter for F {
    fn run(
        &mut self,
        mut input: Input,
        mut outputs: Outputs,
        meter: &Meter,
    ) -> Result<(), StageError> {
        let mut unseen = Unseen::new(meter);
        while let Some(frame) = next(&mut input) {
            Meter::add(&meter.taken);
            unseen.frames = 1;
            let passed = self.pass(frame)?;
            unseen.frames = 0;
            let Some(frame) = passed else {
                Meter::add(&meter.filtered);
                continue;
            };
            Meter::add(&meter.passed);
            if outputs.send(frame).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Waits for the next frame; `None` when no more come.
#[inline]
pub(super) fn next(input: &mut Input) -> Option<Frame> {
    loop {
        input.wait();
        match input.take() {
            Ok(frame) => return Some(frame),
            Err(Empty::Yet) => {}
            Err(Empty::ForGood) => return None,
        }
    }
}

/// The same for a router.
pub(in crate::pipeline) trait RunRouter: Router {
    /// Passes frames on until no more come, or nobody takes them.
    fn run(
        &mut self,
        inputs: Inputs,
        outputs: Vec<Outputs>,
        meter: &Meter,
    ) -> Result<(), StageError>;
}

impl<R: Router> RunRouter for R {
    fn run(
        &mut self,
        mut inputs: Inputs,
        mut outputs: Vec<Outputs>,
        meter: &Meter,
    ) -> Result<(), StageError> {
        let mut unseen = Unseen::new(meter);
        let mut gone = 0;
        while !inputs.have_ended() && gone < outputs.len() {
            inputs.wait();
            for input in 0..inputs.len() {
                let Some(frame) = inputs.take(input) else {
                    continue;
                };
                Meter::add(&meter.taken);
                unseen.frames = 1;
                let mut passed = false;
                gone = 0;
                self.route(input, frame, &mut |output, frame| {
                    passed = true;
                    let sent = outputs.get_mut(output).map(|output| output.send(frame));
                    gone += usize::from(!matches!(sent, Some(Ok(()))));
                })?;
                unseen.frames = 0;
                Meter::add(if passed {
                    &meter.passed
                } else {
                    &meter.filtered
                });
            }
        }
        Ok(())
    }
}

/// The same for a transform.
pub(in crate::pipeline) trait RunTransform: Transform {
    /// Makes frames of frames until no more come, or nobody takes them. `stopper` is what its
    /// start gave; `witness` looks at what a second thread does, if there is one.
    fn run(
        &mut self,
        input: Input,
        outputs: Outputs,
        meter: &Meter,
        beside: (Arc<dyn Stopper>, Option<Witness>),
        renewal: Renewal,
    ) -> Result<(), StageError>;
}

impl<T: Transform> RunTransform for T {
    fn run(
        &mut self,
        mut input: Input,
        mut outputs: Outputs,
        meter: &Meter,
        beside: (Arc<dyn Stopper>, Option<Witness>),
        renewal: Renewal,
    ) -> Result<(), StageError> {
        if let Some(outlet) = self.outlet() {
            return outlet::run(self, outlet, (input, outputs), meter, beside, renewal);
        }
        let mut adoption = Adoption::new(renewal.renewals);
        let mut unseen = Unseen::new(meter);
        let mut wanted = true;
        while wanted && let Some(frame) = next(&mut input) {
            Meter::add(&meter.taken);
            unseen.frames = 1;
            adoption.same(&frame, || self.device())?;
            self.transform(frame, &mut |frame| {
                Meter::add(&meter.made);
                wanted &= outputs.send(frame).is_ok();
                Meter::add(&meter.sent);
            })?;
            unseen.frames = 0;
            Meter::add(&meter.passed);
        }
        Ok(())
    }
}

/// The same for a sink.
pub(in crate::pipeline) trait RunSink: Sink {
    /// Shows frames until no more come.
    fn run(&mut self, input: Input, meter: &Meter, renewals: Renewals) -> Result<(), StageError>;
}

impl<S: Sink> RunSink for S {
    fn run(
        &mut self,
        mut input: Input,
        meter: &Meter,
        renewals: Renewals,
    ) -> Result<(), StageError> {
        let mut adoption = Adoption::new(renewals);
        let mut settles_within = self.settles_within().unwrap_or(Duration::MAX);
        let mut recorder = Recorder::new(&meter.latencies);
        let mut unseen = Unseen::new(meter);
        // One that was added may go on for another of its name.
        let mut shown = Meter::get(&meter.shown);
        // When the frame that was given last is in view for sure.
        let mut settled = Timestamp::default();
        loop {
            input.wait();
            let mut now = Clock::Monotonic.now();
            if now < settled {
                self.ready()?;
                now = Clock::Monotonic.now();
            }
            let frame = match input.take() {
                Ok(frame) => frame,
                Err(Empty::Yet) => continue,
                Err(Empty::ForGood) => break,
            };
            Meter::add(&meter.taken);
            unseen.frames += 1;
            if let Some(Needed { pool, instead }) = adoption.needed(&frame) {
                self.ready()?;
                recorder.count(|flipped| self.flips(flipped))?;
                if instead {
                    self.detach();
                }
                self.attach(&pool)?;
                settles_within = self.settles_within().unwrap_or(Duration::MAX);
            }
            let meta = frame.meta();
            let committed = self.show(frame)?;
            settled = committed + settles_within;
            if unseen.frames > 1 {
                // The one before.
                unseen.frames -= 1;
                shown += 1;
                meter.shown.store(shown, Ordering::Relaxed);
            }
            recorder.given(meta, now);
            if recorder.committed(committed) {
                recorder.count(|flipped| self.flips(flipped))?;
            }
        }
        self.ready()?;
        meter.shown.store(shown + unseen.frames, Ordering::Relaxed);
        unseen.frames = 0;
        recorder.count(|flipped| self.flips(flipped))
    }
}

/// The same for a mixer.
pub(in crate::pipeline) trait RunMixer: Mixer {
    /// Shows frames until no more come.
    fn run(&mut self, inputs: Inputs, meter: &Meter, renewals: Renewals) -> Result<(), StageError>;
}

impl<M: Mixer> RunMixer for M {
    fn run(
        &mut self,
        mut inputs: Inputs,
        meter: &Meter,
        renewals: Renewals,
    ) -> Result<(), StageError> {
        let adoption = || Adoption::new(renewals.clone());
        let mut adoptions: Vec<_> = (0..inputs.len()).map(|_input| adoption()).collect();
        let mut settles_within = self.settles_within().unwrap_or(Duration::MAX);
        let mut recorder = Recorder::new(&meter.latencies);
        let mut unseen = Unseen::new(meter);
        let mut frames: Vec<Option<Frame>> = (0..inputs.len()).map(|_input| None).collect();
        let mut settled = Timestamp::default();
        // Frames of the commit before, which are in view when the next one is taken.
        let mut coming = 0;
        while !inputs.have_ended() {
            inputs.wait();
            let mut now = Clock::Monotonic.now();
            if now < settled {
                self.ready()?;
                now = Clock::Monotonic.now();
            }
            let mut given = 0;
            for (input, (place, adoption)) in frames.iter_mut().zip(&mut adoptions).enumerate() {
                *place = inputs.take(input);
                if let Some(frame) = place {
                    Meter::add(&meter.taken);
                    if let Some(Needed { pool, instead }) = adoption.needed(frame) {
                        self.ready()?;
                        recorder.count(|flipped| self.flips(flipped))?;
                        if instead {
                            self.detach(input);
                        }
                        self.attach(input, &pool)?;
                        self.arrange()?;
                        settles_within = self.settles_within().unwrap_or(Duration::MAX);
                    }
                    recorder.given(frame.meta(), now);
                    given += 1;
                }
            }
            if given == 0 {
                continue;
            }
            unseen.frames += given;
            let committed = self.show(&mut frames)?;
            settled = committed + settles_within;
            unseen.frames -= coming;
            meter.shown.fetch_add(coming, Ordering::Relaxed);
            coming = given;
            if recorder.committed(committed) {
                recorder.count(|flipped| self.flips(flipped))?;
            }
        }
        self.ready()?;
        meter.shown.fetch_add(unseen.frames, Ordering::Relaxed);
        unseen.frames = 0;
        recorder.count(|flipped| self.flips(flipped))
    }
}

/// Frames that a stage took and that have neither come into view nor been passed on; counted
/// when its thread ends, however it does.
pub(super) struct Unseen<'m> {
    meter: &'m Meter,
    pub(super) frames: u64,
}

impl<'m> Unseen<'m> {
    pub(super) const fn new(meter: &'m Meter) -> Self {
        Self { meter, frames: 0 }
    }
}

impl Drop for Unseen<'_> {
    fn drop(&mut self) {
        self.meter.unseen.fetch_add(self.frames, Ordering::Relaxed);
    }
}
