//! What codecs cost: a camera's frames encoded, and encoded and decoded back to back, beside a bare
//! loop of the same ioctls and GStreamer's elements.
//!
//! GStreamer is there for encoding alone: of vicodec's pictures its decoder takes none in 32-bit
//! RGB, and with others it brings a kernel 7.3 to a stand.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::calls::{a_frame, counted};
use super::table::ratio;
use super::{Clock, build, kept, on_pc};
use crate::job::quote;
use crate::measure::Cost;
use crate::report::Report;
use crate::vm::{self, Output};
use crate::workspace;

const TIME_LIMIT: Duration = Duration::from_secs(25 * 60);

/// What vicodec begins with: GStreamer takes the length of a unit's buffer before it sets a size.
const SIZE: (u32, u32) = (1280, 720);
/// What the board's processor can encode and decode.
const RATE: i64 = 2;

const SHORT: i64 = 8;
const LONG: i64 = 28;
/// Of a run whose time is measured, of which the first four seconds are set-up.
const MEASURED: i64 = 40;
const ROUNDS: u32 = 5;

/// At most so many times the bare loop's user time.
const TARGET: f64 = 1.2;

/// When buffers are counted, in seconds from a run's start.
const IN_FLIGHT: u32 = 8;

/// What is done with a camera's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chain {
    Encode,
    BackToBack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    /// The ioctls and nothing else: the limit.
    Bare,
    Dmaflow,
    Gstreamer,
}

/// All that is compared, each with its limit first.
const RUNS: [(Chain, Contender); 5] = [
    (Chain::Encode, Contender::Bare),
    (Chain::Encode, Contender::Dmaflow),
    (Chain::Encode, Contender::Gstreamer),
    (Chain::BackToBack, Contender::Bare),
    (Chain::BackToBack, Contender::Dmaflow),
];

fn name(run: (Chain, Contender)) -> &'static str {
    match run {
        (Chain::Encode, Contender::Bare) => "encode-bare",
        (Chain::Encode, Contender::Dmaflow) => "encode-dmaflow",
        (Chain::BackToBack, Contender::Bare) => "back-to-back-bare",
        (Chain::BackToBack, Contender::Dmaflow) => "back-to-back-dmaflow",
        (_, Contender::Gstreamer) => "encode-gstreamer",
    }
}

/// Its command in the guest's shell.
fn command((chain, contender): (Chain, Contender), frames: i64) -> String {
    let (width, height) = SIZE;
    match contender {
        Contender::Bare => {
            let decoder = match chain {
                Chain::Encode => "",
                Chain::BackToBack => "--decoder $decoder",
            };
            format!(
                "bare-codec --camera $camera --encoder $encoder {decoder} \
                 --size {width}x{height} --rate {RATE} --frames {frames}"
            )
        }
        Contender::Dmaflow => {
            let decode = match chain {
                Chain::Encode => "",
                Chain::BackToBack => "! v4l2-decode device=vicodec format=XRGB8888 queue=block",
            };
            format!(
                "dmaflow run 'v4l2-src device=vivid format=XRGB8888 width={width} height={height} \
                 rate={RATE} ! v4l2-encode device=vicodec queue=block {decode} \
                 ! null-sink queue=block' --frames {frames} --json --quiet"
            )
        }
        Contender::Gstreamer => format!(
            "gst-launch-1.0 -q v4l2src device=$camera io-mode=dmabuf num-buffers={frames} ! \
             video/x-raw,format=BGRx,width={width},height={height},framerate={RATE}/1 ! \
             v4l2fwhtenc output-io-mode=dmabuf-import ! fakesink sync=false"
        ),
    }
}

fn script(xtask: &Path) -> String {
    let xtask = quote(&xtask.to_string_lossy());
    let mut script = "set -e\n\
         modprobe vicodec\n\
         mount -t cgroup2 none /sys/fs/cgroup\n\
         node() { echo /dev/$(grep -l $1 /sys/class/video4linux/*/name | head -n 1 | cut -d/ -f5); }\n\
         camera=$(node vivid) encoder=$(node stateful-encoder) decoder=$(node stateful-decoder)\n\
         gst-inspect-1.0 v4l2fwhtenc >/dev/null # its registry is written once\n"
        .to_owned();
    for run in RUNS {
        let name = name(run);
        for frames in [SHORT, LONG] {
            script += &counted(&format!("{name}-{frames}"), &command(run, frames));
        }
        script += &format!(
            "echo {name}.buffers\n\
             {} >/dev/null & sleep {IN_FLIGHT}\n\
             grep Total /sys/kernel/debug/dma_buf/bufinfo >/results/{name}.buffers\n\
             wait $!\n",
            command(run, LONG)
        );
    }
    for round in 1..=ROUNDS {
        for run in RUNS {
            let name = format!("{}.{round}", name(run));
            script += &format!(
                "echo {name}\n\
                 {xtask} measure --report /results/{name}.cost -- {} >/results/{name}.out\n",
                command(run, MEASURED)
            );
        }
    }
    script
}

/// What a frame costs.
#[derive(Debug, Clone, Copy)]
struct Frame {
    run: (Chain, Contender),
    user_us: f64,
    system_us: f64,
    calls: f64,
    peak_mib: f64,
    /// dma-bufs that there were while frames flowed.
    buffers: u32,
}

impl Frame {
    fn read(results: &Path, run: (Chain, Contender)) -> Result<Self> {
        let name = name(run);
        let read = |file: String| {
            let path = results.join(file);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let mut costs = Vec::new();
        for round in 1..=ROUNDS {
            if run.1 != Contender::Gstreamer {
                let report = Report::parse(&read(format!("{name}.{round}.out"))?)?;
                let shown = i64::try_from(report.frames.shown)?;
                ensure!(
                    shown == MEASURED,
                    "{name} decoded {shown} frames of {MEASURED}"
                );
                report.ensure_zero_copy().with_context(|| name.to_owned())?;
            }
            let cost: Cost = serde_json::from_str(&read(format!("{name}.{round}.cost"))?)?;
            let window = cost
                .window
                .context("the run was too short to be measured")?;
            let a_frame = |us: i64| ratio(us * 1_000_000, window.elapsed_us * RATE);
            costs.push((
                a_frame(window.user_us),
                a_frame(window.system_us),
                ratio(cost.peak_kib, 1024),
            ));
        }
        costs.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (user_us, system_us, peak_mib) = *costs.get(costs.len() / 2).context("no rounds")?;
        let (short, long) = (format!("{name}-{SHORT}"), format!("{name}-{LONG}"));
        let buffers = read(format!("{name}.buffers"))?;
        let mut words = buffers.split_whitespace();
        Ok(Self {
            run,
            user_us,
            system_us,
            calls: a_frame(results, &short, &long, (SHORT, LONG))?,
            peak_mib,
            buffers: words
                .find_map(|word| word.parse().ok())
                .context("the kernel told of no buffers")?,
        })
    }
}

/// The table, and whether the target holds.
fn markdown(frames: &[Frame]) -> String {
    let mut text = "| run | user µs/frame | sys µs/frame | system calls/frame | peak MiB \
                    | dma-bufs |\n|--|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for frame in frames {
        text += &format!(
            "| {} | {:.1} | {:.0} | {:.2} | {:.1} | {} |\n",
            name(frame.run),
            frame.user_us,
            frame.system_us,
            frame.calls,
            frame.peak_mib,
            frame.buffers
        );
    }
    text.push('\n');
    for limit in frames.iter().filter(|frame| frame.run.1 == Contender::Bare) {
        let ours = (limit.run.0, Contender::Dmaflow);
        for ours in frames.iter().filter(|frame| frame.run == ours) {
            let ratio = ours.user_us / limit.user_us;
            let verdict = if ratio <= TARGET { "holds" } else { "MISSED" };
            text += &format!(
                "- user time, {} / {} {ratio:.2}, target {TARGET}: {verdict}\n",
                name(ours.run),
                name(limit.run)
            );
        }
    }
    text
}

/// Boots the board once and measures there.
pub(super) fn measure(root: &Path) -> Result<()> {
    vm::ensure_possible()?;
    build(root)?;
    let results = workspace::target(root).join("bench-codec");
    let _held = workspace::claim(&results)?;
    let xtask = std::env::current_exe().context("cannot tell this program's path")?;
    let output: Output = Box::new(std::io::stdout());
    let script = script(&xtask);
    let kernel = on_pc(root, &results, TIME_LIMIT, script, Clock::Real, output)?;
    let frames: Vec<_> = RUNS
        .into_iter()
        .map(|run| Frame::read(&results, run))
        .collect::<Result<_>>()?;
    let how = format!(
        "Linux {} in QEMU, profile pc, vivid to vicodec, {}×{} XRGB8888 at {RATE} \
         frames a second, one boot: times and memory are of the round with the median user time of {ROUNDS}, without set-up and end; \
         system calls of a run of {LONG} frames less one of {SHORT}; dma-bufs {IN_FLIGHT} s into a \
         run.\n\n",
        kernel.release, SIZE.0, SIZE.1
    );
    kept(&results, &(how + &markdown(&frames)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_judged() {
        let frame = |run, user_us| Frame {
            run,
            user_us,
            system_us: 1000.0,
            calls: 10.0,
            peak_mib: 5.0,
            buffers: 12,
        };
        let text = |ours| {
            let times = [100.0, ours, 900.0, 200.0, 210.0];
            let frames = RUNS.into_iter().zip(times);
            let frames: Vec<_> = frames.map(|(run, time)| frame(run, time)).collect();
            markdown(&frames)
        };
        assert!(text(119.0).contains("1.19, target 1.2: holds"));
        assert_eq!(text(121.0).matches("MISSED").count(), 1);
    }
}
