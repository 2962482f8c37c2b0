//! What codecs cost back to back: a camera's frames encoded and decoded, beside a bare loop of the
//! same ioctls and GStreamer's elements.

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

/// The smallest that both the camera and the codec have: the board's processor encodes and
/// decodes, too.
const SIZE: (u32, u32) = (640, 480);
const RATE: i64 = 5;

const SHORT: i64 = 20;
const LONG: i64 = 80;
/// Of a run whose time is measured, of which the first four seconds are set-up.
const MEASURED: i64 = 120;
const ROUNDS: u32 = 5;

/// At most so many times the bare loop's user time.
const TARGET: f64 = 1.2;

/// When buffers are counted, in seconds from a run's start.
const IN_FLIGHT: u32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    /// The ioctls and nothing else: the limit.
    Bare,
    Dmaflow,
    Gstreamer,
}

impl Contender {
    const ALL: [Self; 3] = [Self::Bare, Self::Dmaflow, Self::Gstreamer];

    const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Dmaflow => "dmaflow",
            Self::Gstreamer => "gstreamer",
        }
    }

    /// Its command in the guest's shell, to be put behind another.
    fn command(self, frames: i64) -> String {
        let (width, height) = SIZE;
        match self {
            Self::Bare => format!(
                "bare-codec --camera $camera --encoder $encoder --decoder $decoder \
                 --size {width}x{height} --rate {RATE} --frames {frames}"
            ),
            Self::Dmaflow => format!(
                "dmaflow run 'v4l2-src device=vivid format=XRGB8888 width={width} height={height} \
                 rate={RATE} ! v4l2-encode device=vicodec queue=block ! v4l2-decode device=vicodec \
                 format=XRGB8888 queue=block ! null-sink queue=block' --frames {frames} --json \
                 --quiet"
            ),
            Self::Gstreamer => format!(
                "gst-launch-1.0 -q v4l2src device=$camera io-mode=dmabuf num-buffers={frames} ! \
                 video/x-raw,format=BGRx,width={width},height={height},framerate={RATE}/1 ! \
                 v4l2fwhtenc output-io-mode=dmabuf-import ! v4l2fwhtdec capture-io-mode=dmabuf ! \
                 fakesink sync=false"
            ),
        }
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
    for contender in Contender::ALL {
        let name = contender.name();
        for frames in [SHORT, LONG] {
            script += &counted(&format!("{name}-{frames}"), &contender.command(frames));
        }
        script += &format!(
            "echo {name}.buffers\n\
             {} >/dev/null & sleep {IN_FLIGHT}\n\
             grep Total /sys/kernel/debug/dma_buf/bufinfo >/results/{name}.buffers\n\
             wait $!\n",
            contender.command(LONG)
        );
    }
    for round in 1..=ROUNDS {
        for contender in Contender::ALL {
            let name = format!("{}.{round}", contender.name());
            script += &format!(
                "echo {name}\n\
                 {xtask} measure --report /results/{name}.cost -- {} >/results/{name}.out\n",
                contender.command(MEASURED)
            );
        }
    }
    script
}

/// What a frame costs.
#[derive(Debug, Clone, Copy)]
struct Frame {
    contender: Contender,
    user_us: f64,
    system_us: f64,
    calls: f64,
    peak_mib: f64,
    /// dma-bufs that there were while frames flowed.
    buffers: u32,
}

impl Frame {
    fn read(results: &Path, contender: Contender) -> Result<Self> {
        let name = contender.name();
        let read = |file: String| {
            let path = results.join(file);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let mut costs = Vec::new();
        for round in 1..=ROUNDS {
            if contender != Contender::Gstreamer {
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
            contender,
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
fn markdown(frames: [Frame; 3]) -> String {
    let mut text = "| contender | user µs/frame | sys µs/frame | system calls/frame | peak MiB \
                    | dma-bufs |\n|--|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for frame in frames {
        text += &format!(
            "| {} | {:.1} | {:.0} | {:.2} | {:.1} | {} |\n",
            frame.contender.name(),
            frame.user_us,
            frame.system_us,
            frame.calls,
            frame.peak_mib,
            frame.buffers
        );
    }
    let [bare, ours, _gstreamer] = frames;
    let ratio = ours.user_us / bare.user_us;
    let verdict = if ratio <= TARGET { "holds" } else { "MISSED" };
    text + &format!("\n- user time, dmaflow / bare loop {ratio:.2}, target {TARGET}: {verdict}\n")
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
    let [bare, ours, gstreamer] = Contender::ALL.map(|contender| Frame::read(&results, contender));
    let how = format!(
        "Linux {} in QEMU, profile pc, vivid to vicodec's encoder to its decoder, {}×{} at {RATE} \
         frames a second, one boot: times are medians of {ROUNDS} rounds, without set-up and end; \
         system calls of a run of {LONG} frames less one of {SHORT}; dma-bufs {IN_FLIGHT} s into a \
         run.\n\n",
        kernel.release, SIZE.0, SIZE.1
    );
    kept(&results, &(how + &markdown([bare?, ours?, gstreamer?])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_judged() {
        let frame = |contender, user_us| Frame {
            contender,
            user_us,
            system_us: 1000.0,
            calls: 10.0,
            peak_mib: 5.0,
            buffers: 12,
        };
        let text = |ours| {
            markdown([
                frame(Contender::Bare, 100.0),
                frame(Contender::Dmaflow, ours),
                frame(Contender::Gstreamer, 900.0),
            ])
        };
        assert!(text(119.0).contains("1.19, target 1.2: holds"));
        assert!(text(121.0).contains("MISSED"));
    }
}
