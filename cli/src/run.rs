//! `dmaflow run`: a pipeline from its description to its report.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use dmaflow_core::heap::HeapRegistry;
use dmaflow_core::time::Timestamp;
use dmaflow_pipelines::control::server::Server;
use dmaflow_pipelines::description::Description;
use dmaflow_pipelines::probe::Answers;
use dmaflow_pipelines::{AuditReport, Control, Described, Limits, Report, Situation, Supervisor};

use crate::args::RunArgs;
use crate::audit;
use crate::ctl::sockets;
use crate::failure::{Failure, with_causes};
use crate::output;
use crate::registry;
use crate::report;
use crate::signals::Signals;
use crate::status::Status;

/// How a run is done and told of.
pub(crate) struct Manner {
    /// When this program began.
    pub(crate) began: Timestamp,
    pub(crate) signals: Signals,
    pub(crate) audit: bool,
    /// Whether the report is JSON.
    pub(crate) json: bool,
    /// Whether there is a socket for `dmaflow ctl`.
    pub(crate) control: bool,
}

/// Who tells how a run goes.
pub(crate) trait Watch {
    /// Called about once a second, with the names of the stages.
    fn show(&mut self, stages: &str, situation: &Situation<'_>);

    /// The run has ended.
    fn end(&mut self);
}

pub(crate) fn run(args: &RunArgs, began: Timestamp) -> Result<(), Failure> {
    let manner = Manner {
        began,
        signals: Signals::take()?,
        audit: args.audit,
        json: args.json,
        control: !args.no_control,
    };
    let (description, limits) = output::failing(args.json, load(args))?;
    let mut status = (!args.quiet).then(Status::new);
    let watch = status.as_mut().map(|status| status as &mut dyn Watch);
    drive(description, limits, &manner, watch)
}

/// Runs a pipeline up to its report.
pub(crate) fn drive(
    description: Description,
    limits: Limits,
    manner: &Manner,
    watch: Option<&mut dyn Watch>,
) -> Result<(), Failure> {
    let json = manner.json;
    let registry = registry::of_description(&description);
    let control = description.control.clone();
    let mut supervisor = output::failing(json, supervise(description, &registry))?;
    supervisor.set_audited(manner.audit);
    let control = socket(manner, control, supervisor.control_handle());
    let socket = output::failing(json, control)?;
    let halt = supervisor.halt();
    manner.signals.stop(move || halt.stop());

    let stages = supervisor.stages().join(" ▶ ");
    let outcome = match watch {
        None => supervisor.run(limits),
        Some(watch) => {
            let outcome = supervisor.run_watched(limits, |situation| {
                watch.show(&stages, situation);
                ControlFlow::Continue(())
            });
            watch.end();
            outcome
        }
    };
    let (report, failure) = match outcome {
        Ok(report) => {
            let failure = ended_before(&report, supervisor.stages());
            (report, failure)
        }
        Err(error) => (
            *error.report,
            Some(Failure::Pipeline(with_causes(&error.cause))),
        ),
    };

    let written;
    if json {
        let mut value = report::json(&report, supervisor.agreement(), manner.began);
        if let Some(failure) = &failure {
            value["error"] = failure.json()["error"].take();
        }
        if let Some(audited) = &report.audit {
            value["audit"] = audit::json(audited);
        }
        written = output::json(&value);
    } else {
        let mut text = report::text(&report);
        if let Some(audited) = &report.audit {
            text.push_str(&audit::text(audited));
        }
        written = output::result(text.as_bytes());
    }
    drop(socket);
    drop(supervisor);
    tell_leaks(&registry);
    judged(failure, report.audit.as_deref(), written)
}

/// That a stage of the description failed and the others went on without it; what was added is
/// its own affair.
fn ended_before(report: &Report, stages: &[String]) -> Option<Failure> {
    let mut described = report.stages.iter();
    described.find_map(|stage| {
        let failure = stage.failure.as_ref()?;
        let is_described = stages.contains(&stage.stage);
        is_described.then(|| Failure::Pipeline(format!("{failure}; the other stages went on")))
    })
}

/// What the run came to. Whether or not anybody reads the report, the run's failure comes first,
/// then what an audit found, as long as the report says it or nobody reads it.
fn judged(
    failure: Option<Failure>,
    audit: Option<&AuditReport>,
    written: Result<(), Failure>,
) -> Result<(), Failure> {
    match (failure, written) {
        (Some(failure), _) => Err(failure),
        (None, Ok(()) | Err(Failure::Reader)) if audit.is_some_and(|audit| !audit.is_kept()) => {
            Err(Failure::Found)
        }
        (None, written) => written,
    }
}

/// Makes the socket that controls the run: where it was asked for, or else where `dmaflow ctl`
/// looks by itself, if there is such a place.
fn socket(
    manner: &Manner,
    path: Option<PathBuf>,
    control: Control,
) -> Result<Option<Server>, Failure> {
    if !manner.control {
        return Ok(None);
    }
    let bind = |path: &Path| Server::bind(path, control);
    if let Some(path) = path {
        let server = bind(&path).map_err(|error| Failure::Pipeline(with_causes(&error)))?;
        return Ok(Some(server));
    }
    let server = sockets::own().map(|path| bind(&path));
    // Nobody asked for it: the run is worth more.
    let server = server.transpose().inspect_err(|error| {
        tracing::warn!("no control socket: {}", with_causes(error));
    });
    Ok(server.ok().flatten())
}

/// Tells what the pipeline took and did not give back: a defect of a stage.
fn tell_leaks(registry: &HeapRegistry) {
    let loans = registry.loans();
    if !loans.is_empty() {
        tracing::warn!("memory was not given back: {loans}");
    }
}

fn load(args: &RunArgs) -> Result<(Description, Limits), Failure> {
    let mut description = args.description.load()?;
    if let Some(path) = &args.control {
        description.control = Some(path.clone());
    } else if args.no_control {
        description.control = None;
    }
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

#[cfg(test)]
mod tests {
    use dmaflow_pipelines::audit::{Finding, Verdict};

    use super::*;

    #[test]
    fn a_broken_audit_fails_the_run_whether_or_not_anybody_reads_on() {
        let audit = |verdict| AuditReport {
            findings: vec![Finding {
                what: "mappings".to_owned(),
                promised: "0".to_owned(),
                found: "1".to_owned(),
                verdict,
            }],
            ..AuditReport::default()
        };
        let (broken, kept) = (audit(Verdict::Broken), audit(Verdict::Kept));
        let failed = || Some(Failure::Pipeline("the camera is gone".to_owned()));
        let found = |judged| matches!(judged, Err(Failure::Found));
        assert!(found(judged(None, Some(&broken), Ok(()))));
        assert!(found(judged(None, Some(&broken), Err(Failure::Reader))));
        let full = Err(Failure::Pipeline("no space".to_owned()));
        assert!(!found(judged(None, Some(&broken), full)));
        assert!(!found(judged(
            failed(),
            Some(&broken),
            Err(Failure::Reader)
        )));
        assert!(judged(None, Some(&kept), Ok(())).is_ok());
        let reader = judged(None, None, Err(Failure::Reader));
        assert!(matches!(reader, Err(Failure::Reader)));
    }
}
