//! The programs that are compared, and the runs that tell their cost.

use std::fmt;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::calls;
use crate::job::quote;
use crate::measure::Cost;
use crate::report::Report;

/// Runs of both lengths are made, so that their difference is the cost of
/// frames alone, without set-up and end.
pub(super) const SHORT: i64 = 60;
pub(super) const LONG: i64 = 660;

/// Frames a second.
pub(super) const RATE: i64 = 30;

/// Width and height of the pictures.
pub(super) const SIZES: [(u32, u32); 2] = [(640, 480), (1280, 720)];

/// What brings a camera's frames to a display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contender {
    /// The ioctls and nothing else: the limit.
    Bare,
    Dmaflow,
    Gstreamer,
}

impl Contender {
    pub(super) const ALL: [Self; 3] = [Self::Bare, Self::Dmaflow, Self::Gstreamer];

    /// Its command in the guest's shell.
    pub(super) fn command(self, (width, height): (u32, u32), frames: i64) -> String {
        match self {
            Self::Bare => format!(
                "bare-loop --camera vivid --card vkms --size {width}x{height} --frames {frames}"
            ),
            Self::Dmaflow => format!(
                "dmaflow run examples/camera-to-display.toml --frames {frames} --json --quiet \
                 --set camera.device=vivid --set camera.format=XRGB8888 \
                 --set camera.width={width} --set camera.height={height} --set screen.card=vkms"
            ),
            Self::Gstreamer => format!(
                "gst-launch-1.0 -q v4l2src device=$camera io-mode=dmabuf-import \
                 num-buffers={frames} ! \
                 video/x-raw,format=BGRx,width={width},height={height},framerate=30/1 ! \
                 kmssink driver-name=vkms skip-vsync=true sync=false"
            ),
        }
    }

    /// Whether it reports its frames itself.
    fn reports(self) -> bool {
        self != Self::Gstreamer
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bare => "bare loop",
            Self::Dmaflow => "dmaflow",
            Self::Gstreamer => "gstreamer",
        })
    }
}

/// How often the contenders are measured that stand close together.
const ROUNDS: u32 = 5;

/// How often a run is measured; the round with the median of user time counts. The kernel
/// credits a thread with user time in steps of a tick, 4 ms, so that single rounds scatter.
fn rounds(contender: Contender, frames: i64) -> RangeInclusive<u32> {
    match contender {
        _ if frames == SHORT => 1..=1,
        Contender::Bare | Contender::Dmaflow => 1..=ROUNDS,
        Contender::Gstreamer => 1..=3,
    }
}

/// The whole comparison as one script: each contender at each size and length,
/// to be measured, and once, apart from that, to have its system calls counted.
pub(super) fn script(xtask: &Path) -> String {
    let mut script = "node=$(grep -l vivid /sys/class/video4linux/*/name | head -n 1)\n\
                      node=${node%/name}\n\
                      camera=/dev/${node##*/}\n\
                      mount -t cgroup2 none /sys/fs/cgroup || exit 1\n\
                      v4l2-ctl -d $camera -c timestamp_source=1 || exit 1 # so that stamps lie in the past\n\
                      gst-inspect-1.0 kmssink >/dev/null # its registry is written once\n\
                      try() { \"$@\" 2>/results/$name.err || { cat /results/$name.err >&2; exit 1; }; }\n"
        .to_owned();
    for (size, frames, contender) in runs() {
        let name = name(contender, size, frames);
        let command = contender.command(size, frames);
        script += &format!(
            "name={name}.calls; echo $name\n\
             try strace -f -c -U calls,name -o /results/$name {command} >/dev/null\n"
        );
    }
    for round in 1..=ROUNDS {
        for (size, frames, contender) in runs() {
            if !rounds(contender, frames).contains(&round) {
                continue;
            }
            let name = name(contender, size, frames);
            let command = contender.command(size, frames);
            script += &format!(
                "name={name}.{round}; echo $name\n\
                 try {} measure --report /results/$name.cost -- {command} \
                 >/results/$name.out\n",
                quote(&xtask.to_string_lossy())
            );
        }
    }
    script
}

fn runs() -> impl Iterator<Item = ((u32, u32), i64, Contender)> {
    SIZES.into_iter().flat_map(|size| {
        [SHORT, LONG].into_iter().flat_map(move |frames| {
            Contender::ALL
                .into_iter()
                .map(move |contender| (size, frames, contender))
        })
    })
}

fn name(contender: Contender, (width, height): (u32, u32), frames: i64) -> String {
    format!("{width}x{height}-{contender}-{frames}").replace(' ', "-")
}

/// What the runs of one contender, size and length left in the results folder.
pub(super) struct Run {
    pub(super) cost: Cost,
    pub(super) system_calls: i64,
    pub(super) report: Option<Report>,
}

impl Run {
    pub(super) fn read(
        results: &Path,
        contender: Contender,
        size: (u32, u32),
        frames: i64,
    ) -> Result<Self> {
        let name = name(contender, size, frames);
        let read = |ending: &str| {
            let path = results.join(format!("{name}.{ending}"));
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let system_calls = calls::of(results, &name)?;
        let mut rounds = rounds(contender, frames)
            .map(|round| -> Result<(u32, Cost)> {
                Ok((
                    round,
                    serde_json::from_str(&read(&format!("{round}.cost"))?)?,
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        rounds.sort_by_key(|(_, cost)| cost.window.map(|window| window.user_us));
        let &(round, cost) = rounds.get(rounds.len() / 2).context("no rounds")?;
        let report = match contender.reports() {
            true => Some(Report::parse(&read(&format!("{round}.out"))?)?),
            false => None,
        };
        if let Some(report) = &report {
            let captured = i64::try_from(report.frames.captured)?;
            ensure!(captured == frames, "{name} captured {captured} frames");
            report.ensure_shown().with_context(|| name.clone())?;
            report.ensure_zero_copy().with_context(|| name.clone())?;
        }
        Ok(Self {
            cost,
            system_calls,
            report,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_its_own_files() {
        let script = script(Path::new("/x"));
        let mut names: Vec<&str> = script
            .lines()
            .filter(|line| line.starts_with("name="))
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        let measured = |(_, frames, contender)| rounds(contender, frames).count();
        assert_eq!(all, runs().count() + runs().map(measured).sum::<usize>());
        assert!(script.contains("name=640x480-bare-loop-60.1;"));
    }
}
