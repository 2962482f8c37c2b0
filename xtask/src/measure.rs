//! `cargo xtask measure`: what one command cost, told by the kernel.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

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
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        peak_kib = peak(child.id()).unwrap_or(peak_kib);
        thread::sleep(Duration::from_millis(20));
    };
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cost = Cost {
        started_us: u64::try_from(Duration::from(started).as_micros())?,
        user_us: microseconds(usage.user_time()),
        system_us: microseconds(usage.system_time()),
        voluntary_switches: usage.voluntary_context_switches(),
        involuntary_switches: usage.involuntary_context_switches(),
        peak_kib,
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
