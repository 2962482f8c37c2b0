//! Running a pipeline: a thread a stage, and the caller's thread to watch them.
//!
//! ```text
//!            start ──▶ running ──▶ draining ──▶ ended
//!                         │   stop handle, limit, silence, end of stream
//!                         └── a stage fails: the others are stopped
//! ```

pub(crate) mod events;
mod live;
mod meters;
mod outcome;
mod outlet;
pub(super) mod renewal;
mod roster;
pub(super) mod stages;
mod threads;
mod watch;
mod wiring;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use dmaflow_core::frame::FramePool;

use super::Pipeline;
use super::audit::{Audit, Witnesses};
use super::graph::{Node, Stage};
use crate::control::Command;
use crate::error::{RunError, RunFailure};
use crate::link::Noted;
use crate::report::{Progress, Report};
use events::Events;
use live::Live;
use outlet::Renewal;
use roster::Roster;
use threads::{StopAtEnd, Threads, Work};
use watch::{Look, Watch, Watched, Works};
use wiring::Wiring;

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

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle").finish_non_exhaustive()
    }
}

impl StopHandle {
    pub(super) const fn new(events: Events) -> Self {
        Self(events)
    }

    /// Leaves word for who watches the run; gives it back where there is none.
    pub(crate) fn command(&self, command: Command) -> Result<(), Command> {
        self.0.command(command)
    }

    /// Ends the run; without one, the next run ends at once.
    pub fn stop(&self) {
        self.0.stop();
    }
}

impl Pipeline {
    /// Runs until a limit is reached, the sources end, or a stop handle is used.
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
        let cpu_before = self.renewals.cpu_counts();
        let audit = self.audited.then(|| Audit::begin(self));
        let noted = |link| audit.as_ref().map(|_audit| self.noted_over(link));
        let wiring = Wiring::new(&self.graph, |link| self.frames_over(link), noted);
        let mut roster = Roster::new(self, &wiring);
        let started = Instant::now();
        let witnesses = audit.as_ref().map(Audit::witnesses);
        let outcome = self.run_threads(limits, &mut roster, wiring, (look, witnesses));
        let elapsed = started.elapsed();
        let stopped = self.stop_stages();
        let mut report = self.report(&roster, elapsed);
        report.cpu = self.renewals.cpu_counts().since(cpu_before);
        report.audit = audit.map(|audit| Box::new(audit.end(self, &roster.audited_links())));
        // The next run begins with what this one ended with.
        for pool in &mut self.pools {
            if let Some(latest) = self.renewals.latest(pool) {
                *pool = latest;
            }
        }
        match outcome.and(stopped) {
            Ok(()) => Ok(report),
            Err(cause) => Err(RunError {
                report: Box::new(report),
                cause,
            }),
        }
    }

    /// How many frames there are that pass a link.
    fn frames_over(&self, link: usize) -> usize {
        self.pools_over(link).map(FramePool::len).sum()
    }

    /// Where it is noted which frames pass a link.
    fn noted_over(&self, link: usize) -> Noted {
        let pools: Vec<_> = self.pools_over(link).collect();
        Noted::nothing(pools.into_iter())
    }

    /// The pools whose frames pass a link.
    fn pools_over(&self, link: usize) -> impl Iterator<Item = &FramePool> {
        let domain = self
            .domains
            .iter()
            .find(|domain| domain.links.contains(&link));
        let makers = domain.map_or(&[][..], |domain| &domain.producers);
        let pools = self.agreement.pools.iter().zip(&self.pools);
        pools
            .filter(move |(agreed, _)| {
                makers
                    .iter()
                    .any(|maker| self.graph.name(*maker) == agreed.stage)
            })
            .map(|(_, pool)| pool)
    }

    fn run_threads(
        &mut self,
        limits: Limits,
        roster: &mut Roster,
        wiring: Wiring,
        (look, witnesses): (Option<Look<'_>>, Option<Witnesses>),
    ) -> Result<(), RunFailure> {
        let events = &self.events;
        // What is left of a run before is of no interest, but for a wish to stop.
        let stop_first = events.take().stop;
        let _watching = events.watch();
        let pools: Vec<_> = self.agreement.pools.iter().zip(&self.pools).collect();
        let renewals = self.renewals.clone();
        let main = self.main_sink();
        let main = main.map(|stage| Arc::clone(&roster.stages[stage].meter));
        let mut nodes: Vec<Option<&mut Node>> = self.graph.nodes.iter_mut().map(Some).collect();
        let order = &self.order;
        thread::scope(|scope| {
            let mut wiring = wiring;
            let mut live = Live::new(roster, Threads::new(scope, events, witnesses));
            let mut watched = Vec::new();
            // From the end, so that whoever is sent a frame is there.
            let begun = order.iter().rev().try_for_each(|&stage| {
                let (Some(node), Some(mut ends)) = (nodes[stage].take(), wiring.take(stage)) else {
                    return Ok(());
                };
                let name = node.name.as_str();
                let entry = &live.roster.stages[stage];
                let (meter, aside) = (Arc::clone(&entry.meter), entry.aside.clone());
                let renewals = renewals.clone();
                let failed = |source| RunFailure::Stage {
                    stage: name.to_owned(),
                    source,
                };
                let input = match node.stage {
                    Stage::Router(_) | Stage::Mixer(_) => None,
                    _ => ends.input(),
                };
                let after = aside.clone();
                let watch = |works, stopper| {
                    let mut pools = pools.iter();
                    let own = pools.find(|(agreed, _pool)| agreed.stage == name);
                    let meter = Arc::clone(&meter);
                    Watched::new(
                        (stage, name),
                        works,
                        (meter, own.copied()),
                        renewals.clone(),
                        stopper,
                    )
                };
                let work: Work<'_> = match (&mut node.stage, input) {
                    (Stage::Source(source), _) => {
                        let stopper = StopAtEnd(source.start().map_err(failed)?);
                        watched.push(watch(Works::ByItself, stopper));
                        let output = ends.output();
                        Box::new(move || source.run(output, limits.frames, &meter))
                    }
                    (Stage::Filter(filter), Some(input)) => {
                        let output = ends.output();
                        Box::new(move || filter.run(input, output, &meter))
                    }
                    (Stage::Transform(transform), Some(input)) => {
                        let stopper = transform.start().map_err(failed)?;
                        let beside = (Arc::clone(&stopper), live.threads.witness(name, &aside));
                        watched.push(watch(Works::OnFrames, StopAtEnd(stopper)));
                        let own = pools.iter().find(|(agreed, _pool)| agreed.stage == name);
                        let renewal = Renewal {
                            pool: own.map(|(_agreed, pool)| (*pool).clone()),
                            renewals,
                        };
                        let output = ends.output();
                        Box::new(move || {
                            let run = transform.run(input, output, &meter, beside, renewal);
                            run.and(after.stop(|| transform.stop()))
                        })
                    }
                    (Stage::Sink(sink), Some(input)) => Box::new(move || {
                        let run = sink.run(input, &meter, renewals);
                        run.and(after.stop(|| sink.stop()))
                    }),
                    (Stage::Router(router), _) => {
                        Box::new(move || router.run(ends.inputs, ends.outputs, &meter))
                    }
                    (Stage::Mixer(mixer), _) => Box::new(move || {
                        let run = mixer.run(ends.inputs, &meter, renewals);
                        run.and(after.stop(|| mixer.stop()))
                    }),
                    (Stage::Filter(_) | Stage::Transform(_) | Stage::Sink(_), None) => {
                        return Ok(());
                    }
                };
                live.threads.spawn((stage, name), &aside, work)
            });
            // Where a stage did not start, whoever waits at the other ends of its links is told.
            drop(wiring);
            if let Err(failure) = begun {
                // Stops what was started.
                drop(watched);
                if let Err(other) = live.threads.join() {
                    tracing::warn!(failure = %other, "another stage failed too");
                }
                return Err(failure);
            }
            let started = live.started;
            let watch = Watch {
                watched: &watched,
                started,
                // What is too far away to be told is no limit.
                deadline: limits
                    .duration
                    .and_then(|duration| started.checked_add(duration)),
                main,
            };
            if stop_first {
                watch.stop_sources();
            }
            let silent = watch.until_ended(events, look, &mut live);
            live.threads.join()?;
            silent.map_or(Ok(()), |silent| Err(silent.failure()))
        })
    }

    fn stop_stages(&mut self) -> Result<(), RunFailure> {
        let mut outcome = Ok(());
        // Sources first: nothing is to come any more.
        for &stage in &self.order {
            let node = &mut self.graph.nodes[stage];
            let stopped = node.stage.stop().map_err(|source| RunFailure::Stage {
                stage: node.name.clone(),
                source,
            });
            outcome = outcome.and(stopped);
        }
        outcome
    }
}
