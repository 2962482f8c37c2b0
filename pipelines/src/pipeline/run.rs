//! Running a pipeline: a thread a stage, and the caller's thread to watch them.
//!
//! ```text
//!            start ──▶ running ──▶ draining ──▶ ended
//!                         │   stop handle, limit, silence, end of stream
//!                         └── a stage fails: the others are stopped
//! ```

pub(super) mod events;
mod meters;
mod outcome;
pub(super) mod stages;
mod threads;
mod watch;
mod wiring;

use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use dmaflow_core::dma_buf::CpuCounts;

use super::Pipeline;
use super::graph::{Node, Stage};
use crate::error::{RunError, RunFailure};
use crate::report::{Progress, Report};
use events::Events;
use meters::Meter;
use threads::{StopAtEnd, Threads};
use watch::{Look, Watch, Watched};
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
        let meters: Vec<_> = self.graph.nodes.iter().map(|_| Meter::default()).collect();
        let cpu_before = self.cpu_counts();
        let wiring = Wiring::new(&self.graph, |link| self.frames_over(link));
        let links = wiring.links.clone();
        let started = Instant::now();
        let outcome = self.run_threads(limits, &meters, wiring, look);
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

    /// How many frames there are that pass a link.
    fn frames_over(&self, link: usize) -> usize {
        let domain = self
            .domains
            .iter()
            .find(|domain| domain.links.contains(&link));
        let makers = domain.map_or(&[][..], |domain| &domain.producers);
        let pools = self.agreement.pools.iter().zip(&self.pools);
        pools
            .filter(|(agreed, _)| {
                makers
                    .iter()
                    .any(|maker| self.graph.name(*maker) == agreed.stage)
            })
            .map(|(_, pool)| pool.len())
            .sum()
    }

    fn cpu_counts(&self) -> CpuCounts {
        self.pools.iter().map(|pool| pool.cpu_counts()).sum()
    }

    fn run_threads(
        &mut self,
        limits: Limits,
        meters: &[Meter],
        mut wiring: Wiring,
        look: Option<Look<'_>>,
    ) -> Result<(), RunFailure> {
        let events = &self.events;
        // What is left of a run before is of no interest, but for a wish to stop.
        let stop_first = events.take().stop;
        let links = wiring.links.clone();
        let rates: Vec<_> = self
            .graph
            .nodes
            .iter()
            .map(|node| self.agreement.rate_of(&node.name))
            .collect();
        let main = self.main_sink();
        let mut nodes: Vec<Option<&mut Node>> = self.graph.nodes.iter_mut().map(Some).collect();
        let order = &self.order;
        thread::scope(|scope| {
            let mut threads = Threads::new(scope, events);
            let mut sources = Vec::new();
            // Of sources, used at an end in good order; of transforms, after a failure.
            let (mut stoppers, mut wakers) = (Vec::new(), Vec::new());
            // From the end, so that whoever is sent a frame is there.
            for &stage in order.iter().rev() {
                let (Some(node), Some(mut ends)) = (nodes[stage].take(), wiring.take(stage)) else {
                    continue;
                };
                let (name, meter) = (node.name.as_str(), &meters[stage]);
                let failed = |source| RunFailure::Stage {
                    stage: name.to_owned(),
                    source,
                };
                let input = match node.stage {
                    Stage::Router(_) | Stage::Mixer(_) => None,
                    _ => ends.input(),
                };
                match (&mut node.stage, input) {
                    (Stage::Source(source), _) => {
                        let stopper = StopAtEnd(source.start().map_err(failed)?);
                        sources.push(Watched::new(name, meter, rates[stage]));
                        let output = ends.output();
                        threads.spawn(name, move || source.run(output, limits.frames, meter))?;
                        stoppers.push(stopper);
                    }
                    (Stage::Filter(filter), Some(input)) => {
                        let output = ends.output();
                        threads.spawn(name, move || filter.run(input, output, meter))?;
                    }
                    (Stage::Transform(transform), Some(input)) => {
                        wakers.push(StopAtEnd(transform.start().map_err(failed)?));
                        let output = ends.output();
                        threads.spawn(name, move || transform.run(input, output, meter))?;
                    }
                    (Stage::Sink(sink), Some(input)) => {
                        threads.spawn(name, move || sink.run(input, meter))?;
                    }
                    (Stage::Router(router), _) => {
                        threads
                            .spawn(name, move || router.run(ends.inputs, ends.outputs, meter))?;
                    }
                    (Stage::Mixer(mixer), _) => {
                        threads.spawn(name, move || mixer.run(ends.inputs, meter))?;
                    }
                    (Stage::Filter(_) | Stage::Transform(_) | Stage::Sink(_), None) => {}
                }
            }
            if stop_first {
                stoppers.iter().for_each(|stopper| stopper.0.stop());
            }

            let started = Instant::now();
            let watch = Watch {
                meters,
                links: &links,
                sources: &sources,
                started,
                // What is too far away to be told is no limit.
                deadline: limits
                    .duration
                    .and_then(|duration| started.checked_add(duration)),
                threads: threads.count(),
                latencies: main.map(|stage| &meters[stage].latencies),
            };
            let silent = watch.until_ended(events, &stoppers, &wakers, look);
            threads.join()?;
            match silent {
                None => Ok(()),
                Some(source) => Err(RunFailure::Silent {
                    stage: source.name.to_owned(),
                    waited: source.silence,
                }),
            }
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
