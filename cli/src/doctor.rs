//! `dmaflow doctor`: what keeps pipelines from running, and what to do about it.

mod access;
mod bounce;
mod displays;
mod limits;
mod options;
mod pipeline;

use std::ffi::OsString;

use clap::Args;
use dmaflow_pipelines::description::{Description, SourceKind};
use serde_json::{Value, json};

use crate::described::OverrideArgs;
use crate::failure::Failure;
use crate::memory::Memory;
use crate::output;
use crate::table::{Row, aligned};

pub(crate) const EXAMPLES: &str = "\
Looks at permissions, kernel options and versions, contiguous memory, who controls the displays,
hidden copies (SWIOTLB) and limits. With a description, it looks at what that pipeline needs, and
prepares it as `dmaflow check` does. Run it as the user who runs the pipeline; root is told more.

Each finding is one of:
  ok       nothing to do
  unknown  this user is not told
  warning  some pipelines will not run, or not as well as they could
  problem  pipelines, or the one that was asked about, will not run

Exit status:
  0  no problem
  1  a problem
  2  the command line or the description is wrong

Examples:
  dmaflow doctor
  dmaflow doctor camera-to-display.toml
  sudo dmaflow doctor --json";

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// A description, or a pipeline in a line, whose needs are looked at
    #[arg(value_name = "FILE|PIPELINE")]
    words: Vec<OsString>,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    Unknown,
    Warning,
    Problem,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What was found out about one thing.
#[derive(Clone, Debug)]
struct Finding {
    /// What was looked at.
    about: &'static str,
    verdict: Verdict,
    found: String,
    /// What to do about it.
    remedy: Option<String>,
}

impl Finding {
    fn ok(about: &'static str, found: impl Into<String>) -> Self {
        Self {
            about,
            verdict: Verdict::Ok,
            found: found.into(),
            remedy: None,
        }
    }

    fn bad(
        about: &'static str,
        verdict: Verdict,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            verdict,
            remedy: Some(remedy.into()),
            ..Self::ok(about, found)
        }
    }

    fn json(&self) -> Value {
        json!({
            "about": self.about,
            "verdict": self.verdict.name(),
            "found": self.found,
            "remedy": self.remedy,
        })
    }
}

/// What has to be there.
#[derive(Clone, Copy, Debug)]
struct Needs {
    heaps: bool,
    camera: bool,
    display: bool,
    /// Whether one node of a kind is as good as another, as long as nobody names one.
    any_node: bool,
}

impl Needs {
    /// A pipeline that can be prepared has what it needs.
    const NOTHING: Self = Self {
        heaps: false,
        camera: false,
        display: false,
        any_node: true,
    };

    /// Anything might be needed, as long as nobody says what.
    fn of(description: Option<&Description>) -> Self {
        let Some(description) = description else {
            return Self {
                heaps: true,
                camera: true,
                display: true,
                any_node: true,
            };
        };
        let camera = description
            .sources()
            .any(|(_, kind, _)| matches!(kind, SourceKind::V4l2(_)));
        let display = description.has_display();
        Self {
            heaps: camera || display,
            camera,
            display,
            any_node: false,
        }
    }
}

/// How bad it is to lack something.
const fn lacking(needed: bool) -> Verdict {
    if needed {
        Verdict::Problem
    } else {
        Verdict::Warning
    }
}

pub(crate) fn doctor(args: &DoctorArgs) -> Result<(), Failure> {
    let loaded = args.overrides.load_any(&args.words);
    let description = output::failing(args.json, loaded)?;
    let memory = Memory::now();
    let pipeline = pipeline::look(description.as_ref(), &memory);
    let needs = if description.is_some() && healthy(&pipeline) {
        Needs::NOTHING
    } else {
        Needs::of(description.as_ref())
    };
    let mut findings = access::look(needs);
    findings.extend(options::look(needs));
    findings.extend(displays::look(needs));
    findings.push(bounce::look());
    findings.extend(limits::look(description.as_ref(), &memory));
    findings.extend(pipeline);
    if args.json {
        let list: Value = findings.iter().map(Finding::json).collect();
        output::json(&json!({ "findings": list, "healthy": healthy(&findings) }))?;
    } else {
        output::result(text(&findings).as_bytes())?;
    }
    if healthy(&findings) {
        Ok(())
    } else {
        Err(Failure::Found)
    }
}

fn healthy(findings: &[Finding]) -> bool {
    findings
        .iter()
        .all(|finding| finding.verdict != Verdict::Problem)
}

fn text(findings: &[Finding]) -> String {
    let rows: Vec<_> = findings
        .iter()
        .flat_map(|finding| {
            let row = |first: &str, second: &str, third: &str| {
                Row::Cells([first, second, third].map(str::to_owned).to_vec())
            };
            let found = row(finding.verdict.name(), finding.about, &finding.found);
            let remedy = finding.remedy.as_deref();
            let remedy = remedy.map(|remedy| row("", "", &format!("→ {remedy}")));
            std::iter::once(found).chain(remedy)
        })
        .collect();
    aligned(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_stands_below_what_was_found() {
        let findings = [
            Finding::ok("kernel", "Linux 7.3"),
            Finding::bad(
                "CMA",
                Verdict::Problem,
                "32 MiB, and 64 are needed",
                "cma=128M",
            ),
        ];
        let expected = "\
\x20 ok       kernel  Linux 7.3
  problem  CMA     32 MiB, and 64 are needed
                   → cma=128M
";
        assert_eq!(text(&findings), expected);
        assert!(!healthy(&findings) && healthy(&findings[..1]));
    }
}
