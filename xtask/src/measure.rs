//! `cargo xtask measure`: what one command cost, told by the kernel.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// The cost of a process and its children.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// When it was started, on the monotonic clock.
    pub(crate) started_us: u64,
    pub(crate) user_us: i64,
    pub(crate) system_us: i64,
    pub(crate) voluntary_switches: i64,
    pub(crate) involuntary_switches: i64,
    pub(crate) peak_kib: i64,
    /// What the time cost in which nothing but frames happened; only of runs that are long
    /// enough, where `/sys/fs/cgroup` is a version 2 tree.
    pub(crate) window: Option<Window>,
}

/// A part of a run, without its set-up and its end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) elapsed_us: i64,
    pub(crate) user_us: i64,
    pub(crate) system_us: i64,
}

/// When set-up is over, for every program that is compared.
const SET_UP: Duration = Duration::from_secs(4);
/// How often we look: seldom, since looking takes a processor from what is measured.
const LOOK: Duration = Duration::from_millis(200);

/// A control group of its own for a process, so that its processor time can be read while it
/// runs, to the microsecond.
struct Group(PathBuf);

impl Group {
    fn of(process: u32) -> Option<Self> {
        let path = PathBuf::from(format!("/sys/fs/cgroup/measure-{process}"));
        fs::create_dir(&path).ok()?;
        let group = Self(path);
        fs::write(group.0.join("cgroup.procs"), process.to_string()).ok()?;
        Some(group)
    }

    /// User and system time so far, in microseconds.
    fn times(&self) -> Option<(i64, i64)> {
        let text = fs::read_to_string(self.0.join("cpu.stat")).ok()?;
        let of = |key: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(key))?;
            value.trim().parse().ok()
        };
        Some((of("user_usec ")?, of("system_usec ")?))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// Runs `command`, writes its [`Cost`] to `file`, gives its status.
pub(crate) fn measure(file: &PathBuf, command: &[String]) -> Result<u8> {
    let (program, arguments) = command.split_first().context("no command")?;
    let started = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    let mut child = Command::new(program)
        .args(arguments)
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    // The peak that rusage tells is never below our own, of which a process
    // begins as a copy. The process's own is gone once it has ended.
    let mut peak_kib = 0;
    let group = Group::of(child.id());
    let began = Instant::now();
    let mut first = None;
    let mut window = None;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Some(peak) = peak(child.id()) {
            peak_kib = peak;
            // Only while it surely runs: its end is not a frame's cost.
            let times = group.as_ref().and_then(Group::times);
            if let Some((user, system)) = times.filter(|_| began.elapsed() >= SET_UP) {
                let (start, user_0, system_0) =
                    *first.get_or_insert((Instant::now(), user, system));
                window = Some(Window {
                    elapsed_us: i64::try_from(start.elapsed().as_micros())?,
                    user_us: user - user_0,
                    system_us: system - system_0,
                });
            }
        }
        thread::sleep(LOOK);
    };
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cost = Cost {
        started_us: u64::try_from(Duration::from(started).as_micros())?,
        user_us: microseconds(usage.user_time()),
        system_us: microseconds(usage.system_time()),
        voluntary_switches: usage.voluntary_context_switches(),
        involuntary_switches: usage.involuntary_context_switches(),
        peak_kib,
        window,
    };
    fs::write(file, serde_json::to_string(&cost)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(code(status))
}

/// The most memory that a process has held, in KiB.
fn peak(process: u32) -> Option<i64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn microseconds(time: TimeVal) -> i64 {
    time.tv_sec() * 1_000_000 + time.tv_usec()
}

/// As a shell would say it: 128 and the signal's number.
fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_measured() {
        let file = std::env::temp_dir().join(format!("xtask-measure-{}", std::process::id()));
        let command = ["sh", "-c", "sleep 0.2; exit 3"].map(str::to_owned);
        assert_eq!(measure(&file, &command).unwrap(), 3);
        let cost: Cost = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(cost.peak_kib > 0 && cost.started_us > 0);
        assert!(cost.voluntary_switches > 0);
    }
}
