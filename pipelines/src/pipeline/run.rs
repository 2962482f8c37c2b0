//! Running a pipeline: a thread a stage, and the caller's thread to watch them.
//!
//! ```text
//!            start ──▶ running ──▶ draining ──▶ ended
//!                         │   stop handle, limit, silence, end of stream
//!                         └── a stage fails: the others are stopped
//! ```

pub(super) mod events;
mod meters;
pub(super) mod stages;
mod threads;
mod watch;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Pipeline;
use crate::error::{RunError, RunFailure};
use crate::latency::Step;
use crate::link::{Link, link};
use crate::report::{Dropped, Progress, Report};
use events::Events;
use meters::Meters;
use threads::{Joined, StopAtEnd, join, spawn};
use watch::{Look, Watch};

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

/// Ends a run from another thread, in order: the source stops, the frames on their way are
/// shown, the display is left as it was found.
#[derive(Clone)]
pub struct StopHandle(Events);

impl StopHandle {
    pub(super) const fn new(events: Events) -> Self {
        Self(events)
    }

    /// Ends the run; without one, the next run ends at once.
    pub fn stop(&self) {
        self.0.stop();
    }
}

impl Pipeline {
    /// Runs until a limit is reached, the source ends, or a stop handle is used.
    ///
    /// # Errors
    /// [`RunError`] when a stage fails; all stages are stopped then as well.
    pub fn run(&mut self, limits: Limits) -> Result<Report, RunError> {
        self.run_until(limits, None)
    }

    /// The same, and until `look`, called about once a second, breaks.
    ///
    /// # Errors
    /// [`RunError`] when a stage fails; all stages are stopped then as well.
    pub fn run_watched(
        &mut self,
        limits: Limits,
        mut look: impl FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Report, RunError> {
        self.run_until(limits, Some(&mut look))
    }

    fn run_until(&mut self, limits: Limits, look: Option<Look<'_>>) -> Result<Report, RunError> {
        let meters = Meters::default();
        let cpu_before = self.pool.cpu_counts();
        let started = Instant::now();
        let mut links = Vec::new();
        let outcome = self.run_threads(limits, &meters, &mut links, look);
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
        links: &mut Vec<Arc<Link>>,
        look: Option<Look<'_>>,
    ) -> Result<(), RunFailure> {
        let events = &self.events;
        // What is left of a run before is of no interest, but for a wish to stop.
        let stop_first = events.take().stop;
        let frames = self.pool.len();
        let rate = self.agreement.plan.rate;
        let silence = rate.map_or(SILENT_AT_LEAST, |rate| {
            SILENT_AT_LEAST.max(rate.interval() * SILENT_FRAMES)
        });
        let source_name = self.source.name.clone();
        thread::scope(|scope| {
            let mut joined: Vec<Joined<'_>> = Vec::new();
            // From the end, so that whoever is sent a frame is there.
            let (mut outlet, inlet, shared) = link(self.queue, frames);
            links.push(shared);
            let sink = self.sink.stage.as_mut();
            let handle = spawn(scope, &self.sink.name, events, move || {
                sink.run(inlet, meters)
            })?;
            joined.push(handle);
            for filter in self.filters.iter_mut().rev() {
                let (before, inlet, shared) = link(filter.queue, frames);
                links.push(shared);
                let stage = filter.named.stage.as_mut();
                let handle = spawn(scope, &filter.named.name, events, move || {
                    stage.run(inlet, &outlet, meters)
                })?;
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
            // However this ends, also by a panic of `look`: the scope waits for the threads.
            let stopper = StopAtEnd(stopper);
            let source = self.source.stage.as_mut();
            let handle = spawn(scope, &source_name, events, move || {
                source.run(&outlet, limits.frames, meters)
            })?;
            joined.push(handle);
            if stop_first {
                stopper.0.stop();
            }

            let started = Instant::now();
            let watch = Watch {
                meters,
                links,
                started,
                // What is too far away to be told is no limit.
                deadline: limits
                    .duration
                    .and_then(|duration| started.checked_add(duration)),
                silence,
                threads: joined.len(),
            };
            let silent = watch.until_ended(events, stopper.0.as_ref(), look);
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

    fn report(&self, meters: &Meters, links: &[Arc<Link>], elapsed: Duration) -> Report {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let of = |name: &str, counters: Vec<_>| -> Vec<_> {
            let named = counters.into_iter();
            named.map(|counter| (name.to_owned(), counter)).collect()
        };
        let mut counters = of(&self.source.name, self.source.stage.counters());
        counters.extend(of(&self.sink.name, self.sink.stage.counters()));
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
            first_flip: meters.latencies.first_flip(),
            latencies: Step::ALL
                .map(|step| (step, meters.latencies.of(step)))
                .to_vec(),
            counters,
            heap: self.pool.heap().stats(),
        }
    }
}
