//! Running a pipeline on over failures of its stages and changes of its signals.
//!
//! ```text
//!   make ──▶ run ──▶ ended by a limit, a stop, the sources ──▶ one report of all parts
//!    ▲        │
//!    │        ├── a signal changed: close, make anew at once
//!    └─ wait ─┴── a stage failed that is to be restarted: close, wait, make anew
//! ```
//!
//! Between two parts everything is closed: no device holds a frame, the old pools are given
//! back, displays are as they were found. What happens in which case is in `docs/failures.md`.

mod again;
mod backoff;
mod described;
mod halt;

pub use described::Described;
pub use halt::Halt;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::control::{Control, Whose};
use crate::description::RestartPolicy;
use crate::error::{PipelineError, RunError, RunFailure};
use crate::pipeline::{Agreement, Limits, Pipeline};
use crate::report::{Progress, Report};
use again::Next;
use backoff::Backoff;

/// Makes a pipeline, again and again. A closure will do.
pub trait Maker {
    /// Opens the devices and agrees with them.
    ///
    /// # Errors
    /// [`PipelineError`].
    fn make(&mut self) -> Result<Pipeline, PipelineError>;

    /// Whether the device of a stage is there, and all others without which nothing can be made;
    /// `None` where that cannot be told. It is asked while the pipeline waits because that device
    /// went away, and their return ends the wait.
    fn is_back(&mut self, stage: &str) -> Option<bool> {
        let _stage = stage;
        None
    }
}

impl<F: FnMut() -> Result<Pipeline, PipelineError>> Maker for F {
    fn make(&mut self) -> Result<Pipeline, PipelineError> {
        self()
    }
}

/// How a supervised pipeline is at the moment.
#[derive(Clone, Copy, Debug)]
pub enum Situation<'r> {
    /// It runs; frames of the parts before are counted in.
    Running(Progress<'r>),
    /// It waits to be made anew.
    Waiting {
        /// The stage that could not go on.
        stage: &'r str,
        /// What it said.
        reason: &'r str,
        /// How long until the next try.
        left: Duration,
    },
}

/// Who looks at a supervised pipeline, and may end the run.
type Look<'l> = &'l mut dyn FnMut(&Situation<'_>) -> ControlFlow<()>;

/// Runs a pipeline by its stages' restart policies.
pub struct Supervisor<'m> {
    maker: Box<dyn Maker + 'm>,
    policies: HashMap<String, RestartPolicy>,
    halt: Halt,
    /// `None` after a run that failed.
    pipeline: Option<Pipeline>,
    agreement: Arc<Agreement>,
    stages: Vec<String>,
    /// Whether each part of a run is proven.
    audited: bool,
}

impl<'m> Supervisor<'m> {
    /// Makes a pipeline for the first time. Stages without a policy are not restarted.
    ///
    /// # Errors
    /// [`PipelineError`], of this first time: what cannot be made once is not tried again.
    pub fn new(
        maker: impl Maker + 'm,
        policies: impl IntoIterator<Item = (String, RestartPolicy)>,
    ) -> Result<Self, PipelineError> {
        let mut maker = Box::new(maker);
        let halt = Halt::new().map_err(PipelineError::Supervisor)?;
        let pipeline = maker.make()?;
        Ok(Self {
            maker,
            policies: policies.into_iter().collect(),
            halt,
            agreement: pipeline.shared_agreement(),
            stages: pipeline.stages().map(str::to_owned).collect(),
            pipeline: Some(pipeline),
            audited: false,
        })
    }

    /// What was agreed on last.
    #[must_use]
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// Has the runs from now on prove that nothing was copied, in any of their parts, as
    /// [`Pipeline::set_audited`].
    pub const fn set_audited(&mut self, audited: bool) {
        self.audited = audited;
    }

    /// The names of the stages, in the order a frame travels.
    #[must_use]
    pub fn stages(&self) -> &[String] {
        &self.stages
    }

    /// What looks at the pipeline that runs, and changes it, from another thread.
    #[must_use]
    pub fn control_handle(&self) -> Control {
        Control::new(Whose::Supervisor(self.halt.clone()))
    }

    /// What ends a run from another thread.
    #[must_use]
    pub fn halt(&self) -> Halt {
        self.halt.clone()
    }

    /// Runs until a limit is reached, which holds over all parts, the sources end, or it is
    /// stopped.
    ///
    /// # Errors
    /// [`RunError`] when a stage fails that is not restarted, or no more.
    pub fn run(&mut self, limits: Limits) -> Result<Report, RunError> {
        self.run_until(limits, None)
    }

    /// The same, and until `look`, called about once a second and whenever a wait begins,
    /// breaks.
    ///
    /// # Errors
    /// [`RunError`] when a stage fails that is not restarted, or no more.
    pub fn run_watched(
        &mut self,
        limits: Limits,
        mut look: impl FnMut(&Situation<'_>) -> ControlFlow<()>,
    ) -> Result<Report, RunError> {
        self.run_until(limits, Some(&mut look))
    }

    fn run_until(
        &mut self,
        limits: Limits,
        mut look: Option<Look<'_>>,
    ) -> Result<Report, RunError> {
        let mut run = Run {
            started: Instant::now(),
            limits,
            whole: Report::default(),
            backoffs: HashMap::new(),
        };
        let outcome = self.run_parts(&mut run, &mut look);
        self.halt.passes_to(None);
        self.halt.forget();
        let mut report = run.whole;
        if !report.interruptions.last.is_empty() {
            report.elapsed = run.started.elapsed();
        }
        match outcome {
            Ok(()) => Ok(report),
            Err(cause) => Err(RunError {
                report: Box::new(report),
                cause: *cause,
            }),
        }
    }

    fn run_parts(
        &mut self,
        run: &mut Run,
        look: &mut Option<Look<'_>>,
    ) -> Result<(), Box<RunFailure>> {
        loop {
            let Some(cause) = self.run_part(run, look)? else {
                return Ok(());
            };
            match self.go_on(run, cause, look)? {
                Next::Again => {}
                Next::End => return Ok(()),
            }
        }
    }

    /// Runs the pipeline that there is, and tells what it failed with.
    fn run_part(
        &mut self,
        run: &mut Run,
        look: &mut Option<Look<'_>>,
    ) -> Result<Option<Box<RunFailure>>, Box<RunFailure>> {
        let pipeline = match &mut self.pipeline {
            Some(pipeline) => pipeline,
            none => {
                let made = self.maker.make().map_err(|source| {
                    let stage = self.stages.first().cloned().unwrap_or_default();
                    Box::new(RunFailure::Unmade {
                        stage,
                        source: Box::new(source),
                    })
                })?;
                none.insert(made)
            }
        };
        pipeline.set_audited(self.audited);
        self.agreement = pipeline.shared_agreement();
        self.halt.passes_to(Some(pipeline.stop_handle()));
        let limits = run.left();
        let outcome = match look {
            None => pipeline.run(limits),
            Some(look) => {
                let (whole, before) = (&run.whole, run.started.elapsed());
                pipeline.run_watched(limits, |part| {
                    look(&Situation::Running(Progress {
                        elapsed: before + part.elapsed,
                        captured: whole.captured + part.captured,
                        shown: whole.shown + part.shown,
                        dropped: whole.dropped.total() + part.dropped,
                        ..*part
                    }))
                })
            }
        };
        let (part, cause) = match outcome {
            Ok(part) => (part, None),
            Err(error) => (*error.report, Some(Box::new(error.cause))),
        };
        for backoff in run.backoffs.values_mut() {
            backoff.ran(part.elapsed);
        }
        run.whole.join(part);
        if cause.is_some() {
            // Whoever is asked next finds everything closed.
            self.halt.passes_to(None);
            self.pipeline = None;
        }
        Ok(cause)
    }
}

/// A run, over all its parts.
struct Run {
    started: Instant,
    limits: Limits,
    /// The parts that ended.
    whole: Report,
    /// By stage.
    backoffs: HashMap<String, Backoff>,
}

impl Run {
    /// What is too far away to be told is no limit.
    fn deadline(&self) -> Option<Instant> {
        let duration = self.limits.duration?;
        self.started.checked_add(duration)
    }

    /// What the parts that ended left of the limits.
    fn left(&self) -> Limits {
        let stages = self.whole.stages.iter();
        let sources = stages.filter(|stage| stage.taken == 0);
        let made = sources.map(|source| source.made).max().unwrap_or_default();
        Limits {
            duration: self
                .limits
                .duration
                .map(|all| all.saturating_sub(self.started.elapsed())),
            frames: self.limits.frames.map(|all| all.saturating_sub(made)),
        }
    }
}
