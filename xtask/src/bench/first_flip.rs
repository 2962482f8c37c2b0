//! From the start of a program to the first picture in view, beside the bare loop.
//!
//! Set-up is code that runs once, which an emulator has to translate before it runs it, and how
//! long that takes depends on what else this machine does. So the board's clock counts
//! instructions, and everything that is started lies in memory.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::contender::{Contender, SIZES};
use super::{Clock, build, kept, on_pc};
use crate::job::quote;
use crate::measure::Cost;
use crate::report::{Report, milliseconds};
use crate::vm::{self, Output};
use crate::workspace;

const TIME_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Frames of a run: the first one counts.
const FRAMES: i64 = 15;

/// Each contender once a round, one after the other; the median counts.
const ROUNDS: u32 = 7;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Bare,
    /// What devices answered before is known.
    Cached,
    /// Every device is asked.
    Cold,
}

impl Start {
    const ALL: [Self; 3] = [Self::Bare, Self::Cached, Self::Cold];

    /// At most so many times the bare loop's time.
    fn target(self) -> Option<f64> {
        match self {
            Self::Bare => None,
            Self::Cached => Some(1.3),
            Self::Cold => Some(2.0),
        }
    }

    /// Its directory of answers, made ready, and its command in the guest's shell.
    fn commands(self, size: (u32, u32)) -> (&'static str, String) {
        let answers = match self {
            Self::Bare => ":",
            Self::Cached => "export DMAFLOW_CACHE=/tmp/known; mkdir -p $DMAFLOW_CACHE",
            Self::Cold => {
                "export DMAFLOW_CACHE=/tmp/cold; rm -rf $DMAFLOW_CACHE; mkdir $DMAFLOW_CACHE"
            }
        };
        let contender = match self {
            Self::Bare => Contender::Bare,
            Self::Cached | Self::Cold => Contender::Dmaflow,
        };
        (answers, contender.command(size, FRAMES))
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bare => "bare loop",
            Self::Cached => "dmaflow, answers known",
            Self::Cold => "dmaflow, nothing known",
        })
    }
}

/// Has programs, the libraries they load and the description lie in memory: while the board waits
/// for its disk, nothing counts, and its clock goes to whatever is to happen next.
const IN_MEMORY: &str = "\
mkdir /tmp/bin /tmp/lib
cp -r examples /tmp/examples || exit 1
for program in bare-loop dmaflow; do
    from=$(command -v $program) && cp \"$from\" /tmp/bin/ || exit 1
    for library in $(ldd \"$from\" | grep -o '/[^ ]*'); do cp -Lu $library /tmp/lib/; done
done
export PATH=/tmp/bin:$PATH LD_LIBRARY_PATH=/tmp/lib
cd /tmp || exit 1
";

fn script(xtask: &Path) -> String {
    let xtask = quote(&xtask.to_string_lossy());
    let mut script = format!(
        "{IN_MEMORY}cp {xtask} /tmp/bin/xtask || exit 1\n\
         out() {{ cp /tmp/$1.cost /tmp/$1.out /results/; }}\n"
    );
    // Once before it counts, so that answers are known.
    for round in 0..=ROUNDS {
        for size in SIZES {
            for start in Start::ALL {
                let (answers, command) = start.commands(size);
                let name = name(start, size, round);
                script += &format!(
                    "{answers}\n\
                     sleep 1 # until the kernel has cleared up after the one before\n\
                     xtask measure --report /tmp/{name}.cost -- {command} \
                     >/tmp/{name}.out || exit 1\n\
                     out {name}\n"
                );
            }
        }
    }
    script
}

fn name(start: Start, (width, height): (u32, u32), round: u32) -> String {
    let start = format!("{start:?}").to_lowercase();
    format!("{width}x{height}-{start}-{round}")
}

/// Microseconds from a program's start to its first flip, of each round, in order.
fn read(results: &Path, start: Start, size: (u32, u32)) -> Result<Vec<u64>> {
    let mut times = Vec::new();
    for round in 1..=ROUNDS {
        let name = name(start, size, round);
        let read = |ending: &str| {
            let path = results.join(format!("{name}.{ending}"));
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let cost: Cost = serde_json::from_str(&read("cost")?)?;
        let report = Report::parse(&read("out")?)?;
        report.ensure_shown().with_context(|| name.clone())?;
        report.ensure_zero_copy().with_context(|| name.clone())?;
        let flip = report.first_flip_monotonic_us.context("no first flip")?;
        let time = flip.checked_sub(cost.started_us);
        times.push(time.with_context(|| format!("{name} showed a frame before it began"))?);
    }
    times.sort_unstable();
    Ok(times)
}

/// The table, and whether the targets hold.
fn markdown(rows: &[(Start, (u32, u32), Vec<u64>)]) -> Result<String> {
    let mut text = "| size | contender | first flip ms | least | most | times the bare loop's |\n\
                    |--|--|--:|--:|--:|--:|\n"
        .to_owned();
    let mut verdicts = String::new();
    for (start, size, times) in rows {
        let median = |times: &[u64]| times.get(times.len() / 2).copied();
        let is_bare = |(start, known, _): &&(Start, _, _)| *start == Start::Bare && known == size;
        let bare = rows
            .iter()
            .find(is_bare)
            .and_then(|(_, _, times)| median(times));
        let (time, bare) = (
            median(times).context("no rounds")?,
            bare.context("no rounds")?,
        );
        let ratio = super::table::ratio(i64::try_from(time)?, i64::try_from(bare)?);
        let (width, height) = size;
        text += &format!(
            "| {width}×{height} | {start} | {} | {} | {} | {ratio:.2} |\n",
            milliseconds(Some(time)),
            milliseconds(times.first().copied()),
            milliseconds(times.last().copied()),
        );
        if let Some(target) = start.target() {
            let verdict = if ratio <= target { "holds" } else { "MISSED" };
            verdicts += &format!(
                "- {width}×{height}: {start} {ratio:.2} times, target {target}: {verdict}\n"
            );
        }
    }
    Ok(format!("{text}\n{verdicts}"))
}

/// Boots the board once and measures there.
pub(super) fn measure(root: &Path) -> Result<()> {
    vm::ensure_possible()?;
    build(root)?;
    let results = workspace::target(root).join("bench-first-flip");
    let _held = workspace::claim(&results)?;
    let xtask = std::env::current_exe().context("cannot tell this program's path")?;
    let output: Output = Box::new(std::io::stdout());
    let script = script(&xtask);
    let kernel = on_pc(root, &results, TIME_LIMIT, script, Clock::Counted, output)?;
    let mut rows = Vec::new();
    for size in SIZES {
        for start in Start::ALL {
            rows.push((start, size, read(&results, start, size)?));
        }
    }
    ensure!(!rows.is_empty(), "nothing was measured");
    let how = format!(
        "Linux {} in QEMU, profile pc, one boot: from the start of a program, which lies in \
         memory, to the first flip, on a clock that counts instructions, 4 ns each; medians of \
         {ROUNDS} rounds.\n\n",
        kernel.release
    );
    kept(&results, &(how + &markdown(&rows)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_judged_beside_the_bare_loop_of_the_same_size() {
        let row = |start, time| (start, SIZES[0], vec![time]);
        let rows = [
            row(Start::Bare, 100_000),
            row(Start::Cached, 131_000),
            row(Start::Cold, 199_000),
            (Start::Bare, SIZES[1], vec![1]),
        ];
        let text = markdown(&rows).unwrap();
        assert!(
            text.contains("known 1.31 times, target 1.3: MISSED"),
            "{text}"
        );
        assert!(text.contains("known 1.99 times, target 2: holds"), "{text}");
    }

    #[test]
    fn a_run_begins_with_its_answers_as_they_are_to_be() {
        let script = script(Path::new("/x"));
        let (before, _) = script.split_once("1280x720-cold-1").unwrap();
        let (_, since) = before.rsplit_once("out ").unwrap();
        assert!(since.contains("rm -rf $DMAFLOW_CACHE"), "{since}");
        assert!(since.contains("DMAFLOW_CACHE=/tmp/cold"), "{since}");
    }
}
