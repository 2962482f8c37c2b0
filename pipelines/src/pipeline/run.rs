//! Running a pipeline: a thread a stage, and the caller's thread to watch them.
//!
//! ```text
//!            start ──▶ running ──▶ draining ──▶ ended
//!                         │   stop handle, limit, silence, end of stream
//!                         └── a stage fails: the others are stopped
//! ```

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender};
use dmaflow_core::frame::Stamps;
use dmaflow_core::stage::{Filter, Sink, Source, StageError, Stopper};
use dmaflow_core::time::{Clock, Timestamp};

use super::Pipeline;
use crate::error::{RunError, RunFailure};
use crate::latency::{Latencies, Recorder, Step};
use crate::link::{Inlet, LinkCounters, Outlet, link};
use crate::report::{Dropped, Progress, Report};

/// How often the watching thread looks at a run.
const LOOK: Duration = Duration::from_secs(1);
/// How long a source may deliver nothing, in frames of its rate; and at least.
const SILENT_FRAMES: u32 = 30;
const SILENT_AT_LEAST: Duration = Duration::from_secs(3);

/// When a run ends by itself; without limits it goes on until it is stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// After this time.
    pub duration: Option<Duration>,
    /// After so many captured frames.
    pub frames: Option<u64>,
}

/// What the watching thread is told.
pub(super) enum Event {
    /// Somebody wants the run to end.
    Stop,
    /// A stage's thread has ended.
    Ended,
}

/// Ends a run from another thread, in order: the source stops, the frames on their way are
/// shown, the display is left as it was found.
#[derive(Clone)]
pub struct StopHandle(Sender<Event>);

impl StopHandle {
    pub(super) const fn new(events: Sender<Event>) -> Self {
        Self(events)
    }

    /// Ends the run; without one, the next run ends at once.
    pub fn stop(&self) {
        if self.0.send(Event::Stop).is_err() {
            tracing::debug!("the pipeline is gone already");
        }
    }
}

/// What the stages' threads count for the watching one.
#[derive(Default)]
struct Meters {
    captured: AtomicU64,
    shown: AtomicU64,
    filtered: AtomicU64,
    /// Frames that a stage took and that got no further.
    unseen: AtomicU64,
    first_flip: AtomicU64,
    latencies: Latencies,
}

impl Meters {
    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn shown(&self, stamps: &Stamps) {
        if self.shown.fetch_add(1, Ordering::Relaxed) == 0
            && let Some(flipped) = stamps.flipped
        {
            self.first_flip.store(flipped.as_nanos(), Ordering::Relaxed);
        }
    }
}

/// Tells the watching thread that this one has ended, however it did.
struct Farewell(Sender<Event>);

impl Drop for Farewell {
    fn drop(&mut self) {
        // The watching thread keeps the other end until all threads are joined.
        if self.0.send(Event::Ended).is_err() {
            tracing::error!("nobody watches the run");
        }
    }
}

type Joined<'scope> = (String, ScopedJoinHandle<'scope, Result<(), StageError>>);

impl Pipeline {
    /// Runs until a limit is reached, the source ends, a stop handle is used, or `look`, called
    /// about once a second, breaks.
    ///
    /// # Errors
    /// [`RunError`] when a stage fails; all stages are stopped then as well.
    pub fn run(
        &mut self,
        limits: Limits,
        mut look: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Report, RunError> {
        let meters = Meters::default();
        let cpu_before = self.pool.cpu_counts();
        let started = Instant::now();
        let mut links = Vec::new();
        let outcome = self.run_threads(limits, &meters, &mut links, started, &mut look);
        let stopped = self.stop_stages();
        let mut report = self.report(&meters, &links, started.elapsed());
        report.cpu.drawn -= cpu_before.drawn;
        report.cpu.inspected -= cpu_before.inspected;
        report.cpu.copied -= cpu_before.copied;
        match outcome.and(stopped) {
            Ok(()) => Ok(report),
            Err(cause) => Err(RunError {
                report: Box::new(report),
                cause,
            }),
        }
    }

    fn run_threads(
        &mut self,
        limits: Limits,
        meters: &Meters,
        counters: &mut Vec<Arc<LinkCounters>>,
        started: Instant,
        look: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<(), RunFailure> {
        let events = self.events.1.clone();
        // What is left of a run before is of no interest, but for a wish to stop.
        let stop_first = events
            .try_iter()
            .filter(|event| matches!(event, Event::Stop))
            .count()
            > 0;
        let told = &self.events.0;
        let frames = self.pool.len();
        let rate = self.agreement.plan.rate;
        let silence = rate.map_or(SILENT_AT_LEAST, |rate| {
            SILENT_AT_LEAST.max(rate.interval() * SILENT_FRAMES)
        });
        let source_name = self.source.name.clone();
        thread::scope(|scope| {
            let mut joined: Vec<Joined<'_>> = Vec::new();
            // From the end, so that every thread's handle is known to the one before it.
            let (mut outlet, inlet, link_counters) = link(self.queue, frames);
            counters.push(link_counters);
            let sink = self.sink.stage.as_mut();
            let handle = spawn(scope, &self.sink.name, told, move || {
                run_sink(sink, inlet, meters)
            })?;
            outlet.wakes(handle.1.thread().clone());
            joined.push(handle);
            for filter in self.filters.iter_mut().rev() {
                let (mut before, inlet, link_counters) = link(filter.queue, frames);
                counters.push(link_counters);
                let stage = filter.named.stage.as_mut();
                let handle = spawn(scope, &filter.named.name, told, move || {
                    run_filter(stage, inlet, &outlet, meters)
                })?;
                before.wakes(handle.1.thread().clone());
                outlet = before;
                joined.push(handle);
            }
            let stopper = self
                .source
                .stage
                .start()
                .map_err(|source| RunFailure::Stage {
                    stage: source_name.clone(),
                    source,
                })?;
            let source = self.source.stage.as_mut();
            let handle = spawn(scope, &source_name, told, move || {
                run_source(source, &outlet, limits.frames, meters)
            })
            .inspect_err(|_not_started| stopper.stop())?;
            joined.push(handle);
            if stop_first {
                stopper.stop();
            }

            let watch = Watch {
                meters,
                links: counters,
                started,
                deadline: limits.duration.map(|duration| started + duration),
                silence,
                threads: joined.len(),
            };
            let silent = watch.until_ended(&events, stopper.as_ref(), look);
            join(joined)?;
            if silent {
                return Err(RunFailure::Silent {
                    stage: source_name,
                    waited: silence,
                });
            }
            Ok(())
        })
    }

    fn stop_stages(&mut self) -> Result<(), RunFailure> {
        let failed = |stage: &str| {
            let stage = stage.to_owned();
            move |source| RunFailure::Stage { stage, source }
        };
        let source = self.source.stage.stop().map_err(failed(&self.source.name));
        let sink = self.sink.stage.stop().map_err(failed(&self.sink.name));
        source.and(sink)
    }

    fn report(&self, meters: &Meters, links: &[Arc<LinkCounters>], elapsed: Duration) -> Report {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let of = |name: &str, counters: Vec<_>| -> Vec<_> {
            let named = counters.into_iter();
            named.map(|counter| (name.to_owned(), counter)).collect()
        };
        let mut counters = of(&self.source.name, self.source.stage.counters());
        counters.extend(of(&self.sink.name, self.sink.stage.counters()));
        let first_flip = load(&meters.first_flip);
        let left: u64 = links.iter().map(|link| link.left()).sum();
        Report {
            elapsed,
            captured: load(&meters.captured),
            shown: load(&meters.shown),
            dropped: Dropped {
                superseded: links.iter().map(|link| link.superseded()).sum(),
                filtered: load(&meters.filtered),
                at_stop: left + load(&meters.unseen),
            },
            cpu: self.pool.cpu_counts(),
            first_flip: (first_flip != 0).then(|| Timestamp::from_nanos(first_flip)),
            latencies: Step::ALL
                .map(|step| (step, meters.latencies.of(step)))
                .to_vec(),
            counters,
            heap: self.pool.heap().stats(),
        }
    }
}

fn spawn<'scope, 'env>(
    scope: &'scope thread::Scope<'scope, 'env>,
    name: &str,
    told: &Sender<Event>,
    work: impl FnOnce() -> Result<(), StageError> + Send + 'scope,
) -> Result<Joined<'scope>, RunFailure> {
    let farewell = Farewell(told.clone());
    let handle = thread::Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, move || {
            let _told_however_it_ends = farewell;
            work()
        })
        .map_err(|source| RunFailure::Spawn {
            stage: name.to_owned(),
            source,
        })?;
    Ok((name.to_owned(), handle))
}

fn run_source(
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
        if outlet.send(frame).is_err() {
            // The stage behind has ended and says why itself.
            Meters::add(&meters.unseen);
            break;
        }
    }
    Ok(())
}

fn run_filter(
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

fn run_sink(sink: &mut dyn Sink, mut inlet: Inlet, meters: &Meters) -> Result<(), StageError> {
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

/// Joins every thread; the failure nearest to the sink counts, others are logged.
fn join(joined: Vec<Joined<'_>>) -> Result<(), RunFailure> {
    let mut outcome = Ok(());
    for (stage, handle) in joined {
        let failure = match handle.join() {
            Ok(Ok(())) => continue,
            Ok(Err(source)) => RunFailure::Stage { stage, source },
            Err(panic) => RunFailure::Panicked {
                stage,
                message: panic_message(panic.as_ref()),
            },
        };
        if outcome.is_ok() {
            outcome = Err(failure);
        } else {
            tracing::warn!(%failure, "another stage failed too");
        }
    }
    outcome
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

/// The watching thread's view of a run.
struct Watch<'r> {
    meters: &'r Meters,
    links: &'r [Arc<LinkCounters>],
    started: Instant,
    deadline: Option<Instant>,
    silence: Duration,
    threads: usize,
}

impl Watch<'_> {
    /// Looks on until every thread has ended; `true` if the source had to be stopped because
    /// it delivered nothing.
    fn until_ended(
        &self,
        events: &crossbeam_channel::Receiver<Event>,
        stopper: &dyn Stopper,
        look: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> bool {
        let mut running = self.threads;
        let mut silent = false;
        let mut last = Progress::default();
        let mut last_frame = self.started;
        let mut next_look = self.started + LOOK;
        let mut deadline = self.deadline;
        while running > 0 {
            let wake = deadline.map_or(next_look, |end| end.min(next_look));
            match events.recv_deadline(wake) {
                Ok(Event::Stop) => stopper.stop(),
                Ok(Event::Ended) => {
                    running -= 1;
                    // Whichever stage ended: no more frames are wanted.
                    stopper.stop();
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let now = Instant::now();
                    if deadline.take_if(|deadline| now >= *deadline).is_some() {
                        stopper.stop();
                    }
                    if now < next_look {
                        continue;
                    }
                    next_look = now + LOOK;
                    let progress = self.progress(now, &last);
                    if progress.captured > last.captured {
                        last_frame = now;
                    } else if now - last_frame > self.silence && !silent {
                        silent = true;
                        stopper.stop();
                    }
                    if look(&progress).is_break() {
                        stopper.stop();
                    }
                    last = progress;
                }
            }
        }
        silent
    }

    fn progress(&self, now: Instant, last: &Progress) -> Progress {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let elapsed = now - self.started;
        let shown = load(&self.meters.shown);
        let superseded: u64 = self.links.iter().map(|link| link.superseded()).sum();
        #[expect(clippy::cast_precision_loss, reason = "frames of one second are few")]
        let shown_since = (shown - last.shown) as f64;
        Progress {
            elapsed,
            captured: load(&self.meters.captured),
            shown,
            dropped: superseded + load(&self.meters.filtered),
            frames_per_second: shown_since / (elapsed - last.elapsed).as_secs_f64(),
            latency: self.meters.latencies.until_flip(),
        }
    }
}
