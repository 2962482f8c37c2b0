//! What a stream costs beside fifteen others: cameras to null sinks in one process.

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

const TIME_LIMIT: Duration = Duration::from_secs(30 * 60);

/// How many streams are compared.
const STREAMS: [i64; 2] = [1, 16];

/// Frames a second, each of 320×180: the board's processor makes the pictures, too.
const RATE: i64 = 10;

/// Seconds of runs whose calls are counted: their difference is frames alone.
const SHORT: i64 = 5;
const LONG: i64 = 15;

/// Seconds of a run whose time is measured, of which the first four are set-up.
const MEASURED: i64 = 24;
const ROUNDS: u32 = 5;

/// At most so many times the cost of a stream alone.
const TARGET: f64 = 1.1;

/// Cameras of one driver in the place of the profile's one, and a description for each number of
/// streams.
fn prepare() -> String {
    let most = STREAMS[STREAMS.len() - 1];
    // What the driver takes is a list, a value a camera.
    let each = |value: &str| (0..most).map(|_| value).collect::<Vec<_>>().join(",");
    let mut script = format!(
        "set -e\n\
         modprobe -r vivid\n\
         modprobe vivid n_devs={most} node_types={} num_inputs={} input_types={} multiplanar={}\n\
         mount -t cgroup2 none /sys/fs/cgroup\n\
         nodes=$(grep -l vivid /sys/class/video4linux/*/name | cut -d/ -f5 | sort -V)\n\
         test $(echo \"$nodes\" | wc -l) = {most}\n",
        each("0x1"),
        each("1"),
        each("0x0"),
        each("1"),
    );
    for streams in STREAMS {
        script += &format!(
            "links= stages=\n\
             for node in $(echo \"$nodes\" | head -n {streams}); do\n\
             links=\"$links\\\"$node -> to-$node\\\", \"\n\
             stages=\"$stages\n[stage.$node]\nkind = \\\"v4l2-src\\\"\n\
             device = \\\"/dev/$node\\\"\nformat = \\\"YUYV\\\"\nwidth = 320\nheight = 180\n\
             rate = {RATE}\n[stage.to-$node]\nkind = \\\"null-sink\\\"\n\"\n\
             done\n\
             echo \"links = [$links]\n$stages\" >/tmp/{streams}.toml\n"
        );
    }
    script
}

fn run(streams: i64, seconds: i64) -> String {
    format!("dmaflow run /tmp/{streams}.toml --for {seconds}s --json --quiet")
}

fn script(xtask: &Path) -> String {
    let xtask = quote(&xtask.to_string_lossy());
    let mut script = prepare();
    for streams in STREAMS {
        for seconds in [SHORT, LONG] {
            script += &counted(&format!("{streams}-{seconds}"), &run(streams, seconds));
        }
    }
    for round in 1..=ROUNDS {
        for streams in STREAMS {
            let name = format!("{streams}.{round}");
            script += &format!(
                "echo {name}\n\
                 {xtask} measure --report /results/{name}.cost -- {} >/results/{name}.out\n",
                run(streams, MEASURED)
            );
        }
    }
    script
}

/// What a frame of a stream costs.
#[derive(Debug, Clone, Copy)]
struct Stream {
    user_us: f64,
    system_us: f64,
    calls: f64,
}

impl Stream {
    fn read(results: &Path, streams: i64) -> Result<Self> {
        let read = |file: String| {
            let path = results.join(file);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let captured = |name: &str| -> Result<i64> {
            let report = Report::parse(&read(format!("{name}.out"))?)?;
            report.ensure_zero_copy().with_context(|| name.to_owned())?;
            Ok(i64::try_from(report.frames.captured)?)
        };
        let (short, long) = (format!("{streams}-{SHORT}"), format!("{streams}-{LONG}"));
        let frames = (captured(&short)?, captured(&long)?);
        let calls = a_frame(results, &short, &long, frames)?;
        let mut costs = Vec::new();
        for round in 1..=ROUNDS {
            let name = format!("{streams}.{round}");
            let whole = MEASURED * RATE * streams;
            let got = captured(&name)?;
            ensure!(
                got * 100 >= whole * 95,
                "{name}: {got} frames of {whole}: the board is too slow for so many"
            );
            let cost: Cost = serde_json::from_str(&read(format!("{name}.cost"))?)?;
            let window = cost
                .window
                .context("the run was too short to be measured")?;
            let a_frame = |us: i64| ratio(us * 1_000_000, window.elapsed_us * RATE * streams);
            costs.push((a_frame(window.user_us), a_frame(window.system_us)));
        }
        costs.sort_by(|one, other| (one.0 + one.1).total_cmp(&(other.0 + other.1)));
        let (user_us, system_us) = *costs.get(costs.len() / 2).context("no rounds")?;
        Ok(Self {
            user_us,
            system_us,
            calls,
        })
    }
}

/// The table, and whether the target holds.
fn markdown(one: Stream, many: Stream) -> String {
    let mut text = "| streams | user µs/frame | sys µs/frame | system calls/frame |\n\
                    |--:|--:|--:|--:|\n"
        .to_owned();
    for (streams, stream) in STREAMS.into_iter().zip([one, many]) {
        text += &format!(
            "| {streams} | {:.1} | {:.1} | {:.2} |\n",
            stream.user_us, stream.system_us, stream.calls
        );
    }
    text.push('\n');
    let time = |stream: Stream| stream.user_us + stream.system_us;
    for (what, ratio) in [
        ("processor time", time(many) / time(one)),
        ("system calls", many.calls / one.calls),
    ] {
        let verdict = if ratio <= TARGET { "holds" } else { "MISSED" };
        text += &format!(
            "- {what} of a stream among {} {ratio:.2} times, target {TARGET}: {verdict}\n",
            STREAMS[1]
        );
    }
    text
}

/// Boots the board once and measures there.
pub(super) fn measure(root: &Path) -> Result<()> {
    vm::ensure_possible()?;
    build(root)?;
    let results = workspace::target(root).join("bench-streams");
    let _held = workspace::claim(&results)?;
    let xtask = std::env::current_exe().context("cannot tell this program's path")?;
    let output: Output = Box::new(std::io::stdout());
    let script = script(&xtask);
    let kernel = on_pc(root, &results, TIME_LIMIT, script, Clock::Counted, output)?;
    let [one, many] = STREAMS.map(|streams| Stream::read(&results, streams));
    let how = format!(
        "Linux {} in QEMU, profile pc, vivid to null sinks in one process, 320×180 at {RATE} \
         frames a second, one boot, on a clock that counts instructions, 4 ns each: medians of \
         {ROUNDS} rounds, without set-up and end.\n\n",
        kernel.release
    );
    kept(&results, &(how + &markdown(one?, many?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_among_many_is_judged_beside_one_alone() {
        let stream = |us, calls| Stream {
            user_us: us,
            system_us: us,
            calls,
        };
        let text = markdown(stream(50.0, 4.0), stream(54.0, 4.6));
        assert!(
            text.contains("processor time of a stream among 16 1.08 times"),
            "{text}"
        );
        assert_eq!(text.matches("MISSED").count(), 1, "{text}");
    }
}
