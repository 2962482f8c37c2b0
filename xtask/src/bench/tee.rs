//! What a tee costs: the system calls of one camera to two sinks, beside each sink alone.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::calls::{a_frame, counted};
use super::contender::{LONG, SHORT};
use super::{Clock, build, kept, on_pc};
use crate::report::Report;
use crate::vm::{self, Output};
use crate::workspace;

const TIME_LIMIT: Duration = Duration::from_secs(15 * 60);

/// What a camera needs however many take its frames: DQBUF and QBUF.
const CAMERA: f64 = 2.0;

/// Calls that are made once a second or more seldom may fall on either side of a run's end.
const SELDOM: f64 = 0.1;

const SOURCE: &str =
    "v4l2-src name=camera device=vivid format=XRGB8888 width=640 height=480 rate=30";

/// A pipeline in a line, by what is behind its camera.
const GRAPHS: [(&str, &str); 3] = [
    ("display", "! kms-sink card=vkms queue=latest"),
    ("null", "! null-sink"),
    (
        "tee",
        "! kms-sink card=vkms queue=latest camera. ! null-sink",
    ),
];

fn script() -> String {
    let mut script = "set -e\n".to_owned();
    for (name, sinks) in GRAPHS {
        for frames in [SHORT, LONG] {
            let run = format!("dmaflow run '{SOURCE} {sinks}' --frames {frames} --json --quiet");
            script += &counted(&format!("{name}-{frames}"), &run);
        }
    }
    script
}

/// System calls a frame of a graph.
fn calls(results: &Path, name: &str) -> Result<f64> {
    for frames in [SHORT, LONG] {
        let path = results.join(format!("{name}-{frames}.out"));
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let report = Report::parse(&text)?;
        let captured = i64::try_from(report.frames.captured)?;
        ensure!(
            captured == frames,
            "{name} captured {captured} frames, not {frames}"
        );
        report.ensure_zero_copy().with_context(|| name.to_owned())?;
    }
    let frames = (SHORT, LONG);
    a_frame(
        results,
        &format!("{name}-{SHORT}"),
        &format!("{name}-{LONG}"),
        frames,
    )
}

/// The table, and whether the target holds.
fn markdown(display: f64, null: f64, tee: f64) -> String {
    let needed = display + null - CAMERA;
    let verdict = if tee <= needed + SELDOM {
        "holds"
    } else {
        "MISSED"
    };
    format!(
        "| graph | system calls/frame |\n|--|--:|\n\
         | camera to display | {display:.2} |\n\
         | camera to null sink | {null:.2} |\n\
         | camera to both | {tee:.2} |\n\n\
         - the branches need {needed:.2}, the camera's {CAMERA} once; to both it takes {tee:.2}: \
         {verdict}\n"
    )
}

/// Boots the board once and counts there.
pub(super) fn measure(root: &Path) -> Result<()> {
    vm::ensure_possible()?;
    build(root)?;
    let results = workspace::target(root).join("bench-tee");
    let _held = workspace::claim(&results)?;
    let output: Output = Box::new(std::io::stdout());
    let kernel = on_pc(root, &results, TIME_LIMIT, script(), Clock::Counted, output)?;
    let [display, null, tee] = GRAPHS.map(|(name, _)| calls(&results, name));
    let how = format!(
        "Linux {} in QEMU, profile pc, 640×480 at 30 frames a second, one boot: system calls of a \
         run of {LONG} frames less one of {SHORT}.\n\n",
        kernel.release
    );
    kept(&results, &(how + &markdown(display?, null?, tee?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_more_than_the_branches_need_is_seen() {
        assert!(markdown(5.0, 4.0, 7.05).contains("holds"));
        assert!(markdown(5.0, 4.0, 8.0).contains("MISSED"));
    }
}
