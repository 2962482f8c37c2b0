//! `dmaflow run`: a pipeline from its description to its report.

use std::ops::ControlFlow;

use dmaflow_core::heap::HeapRegistry;
use dmaflow_core::time::Timestamp;
use dmaflow_pipelines::probe::Answers;
use dmaflow_pipelines::{Limits, Pipeline};

use crate::args::RunArgs;
use crate::failure::{Failure, with_causes};
use crate::output;
use crate::registry;
use crate::report;
use crate::signals::Signals;
use crate::status::Status;

pub(crate) fn run(args: &RunArgs, began: Timestamp) -> Result<(), Failure> {
    let signals = Signals::take()?;
    let Prepared {
        mut pipeline,
        limits,
        registry,
    } = output::failing(args.json, prepare(args))?;
    let handle = pipeline.stop_handle();
    signals.stop(move || handle.stop());

    let stages = pipeline.stages().collect::<Vec<_>>().join(" ▶ ");
    let outcome = if args.quiet {
        pipeline.run(limits)
    } else {
        let status = Status::new();
        let outcome = pipeline.run_watched(limits, |progress| {
            status.show(&stages, progress);
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
        let mut value = report::json(&report, pipeline.agreement(), began);
        if let Some(failure) = &failure {
            value["error"] = failure.json()["error"].take();
        }
        written = output::json(&value);
    } else {
        written = output::result(report::text(&report).as_bytes());
    }
    drop(pipeline);
    tell_leaks(&registry);
    // Whether or not anybody reads the report, the run's failure comes first.
    failure.map_or(written, Err)
}

/// A pipeline that is ready to run.
struct Prepared {
    pipeline: Pipeline,
    limits: Limits,
    registry: HeapRegistry,
}

/// Tells what the pipeline took and did not give back: a defect of a stage.
fn tell_leaks(registry: &HeapRegistry) {
    let loans = registry.loans();
    if !loans.is_empty() {
        tracing::warn!("memory was not given back: {loans}");
    }
}

fn prepare(args: &RunArgs) -> Result<Prepared, Failure> {
    let description = args.description.load()?;
    let mut limits = description.limits;
    if args.time.is_some() || args.frames.is_some() {
        limits = Limits {
            duration: args.time,
            frames: args.frames,
        };
    }
    let registry = registry::of_description(&description);
    let builder = description.build()?.answers(Answers::of_user());
    let pipeline = builder.prepare(&registry)?;
    Ok(Prepared {
        pipeline,
        limits,
        registry,
    })
}
