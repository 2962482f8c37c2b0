//! `dmaflow run`: a pipeline from its description to its report.

use std::ops::ControlFlow;

use dmaflow_core::heap::HeapRegistry;
use dmaflow_core::time::Timestamp;
use dmaflow_pipelines::description::Description;
use dmaflow_pipelines::probe::Answers;
use dmaflow_pipelines::{Described, Limits, Supervisor};

use crate::args::RunArgs;
use crate::failure::{Failure, with_causes};
use crate::output;
use crate::registry;
use crate::report;
use crate::signals::Signals;
use crate::status::Status;

pub(crate) fn run(args: &RunArgs, began: Timestamp) -> Result<(), Failure> {
    let signals = Signals::take()?;
    let (description, limits) = output::failing(args.json, load(args))?;
    let registry = registry::of_description(&description);
    let mut supervisor = output::failing(args.json, supervise(description, &registry))?;
    let halt = supervisor.halt();
    signals.stop(move || halt.stop());

    let stages = supervisor.stages().join(" ▶ ");
    let outcome = if args.quiet {
        supervisor.run(limits)
    } else {
        let status = Status::new();
        let outcome = supervisor.run_watched(limits, |situation| {
            status.show(&stages, situation);
            ControlFlow::Continue(())
        });
        status.end();
        outcome
    };
    let (report, failure) = match outcome {
        Ok(report) => (report, None),
        Err(error) => (
            *error.report,
            Some(Failure::Pipeline(with_causes(&error.cause))),
        ),
    };

    let written;
    if args.json {
        let mut value = report::json(&report, supervisor.agreement(), began);
        if let Some(failure) = &failure {
            value["error"] = failure.json()["error"].take();
        }
        written = output::json(&value);
    } else {
        written = output::result(report::text(&report).as_bytes());
    }
    drop(supervisor);
    tell_leaks(&registry);
    // Whether or not anybody reads the report, the run's failure comes first.
    failure.map_or(written, Err)
}

/// Tells what the pipeline took and did not give back: a defect of a stage.
fn tell_leaks(registry: &HeapRegistry) {
    let loans = registry.loans();
    if !loans.is_empty() {
        tracing::warn!("memory was not given back: {loans}");
    }
}

fn load(args: &RunArgs) -> Result<(Description, Limits), Failure> {
    let description = args.description.load()?;
    let mut limits = description.limits;
    if args.time.is_some() || args.frames.is_some() {
        limits = Limits {
            duration: args.time,
            frames: args.frames,
        };
    }
    Ok((description, limits))
}

/// The pipeline, ready to run, with its stages' restart policies.
fn supervise(description: Description, registry: &HeapRegistry) -> Result<Supervisor<'_>, Failure> {
    let stages = description.stages.iter();
    let policies: Vec<_> = stages
        .map(|stage| (stage.name.clone(), stage.restart))
        .collect();
    let described = Described::new(description, registry, Answers::of_user);
    Ok(Supervisor::new(described, policies)?)
}
