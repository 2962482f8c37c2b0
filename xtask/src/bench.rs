//! `cargo xtask bench`: dmaflow beside its limit and its alternative.

mod calls;
mod codec;
mod contender;
mod first_flip;
mod heaps;
mod streams;
mod table;
mod tee;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::cargo;
use crate::kernel::{Choice, Kernel};
use crate::packages::{Purpose, ensure_installed};
use crate::profile::Profile;
use crate::vm::{self, Boot, Output};
use crate::workspace;
use contender::{Contender, LONG, Run, SHORT, SIZES};
use table::Row;

/// The board that all is measured on.
const PROFILE: &str = "pc";

/// Times are of use only beside others of the same boot, so there is one.
const TIME_LIMIT: Duration = Duration::from_secs(20 * 60);

/// A part of the benchmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Camera to display beside a bare loop and GStreamer, on the board
    Pipeline,
    /// From a program's start to the first picture, beside a bare loop, on the board
    FirstFlip,
    /// System calls of a tee beside those of its branches, on the board
    Tee,
    /// Sixteen streams in one process beside one, on the board
    Streams,
    /// A camera's frames encoded and decoded beside a bare loop and GStreamer, on the board
    Codec,
    /// Heaps beside the raw ioctl, on the board
    Heaps,
    /// Micro-benchmarks, on this machine
    Micro,
}

/// Runs the parts asked for, or all.
pub(crate) fn bench(only: &[Part]) -> Result<()> {
    let root = workspace::root()?;
    ensure_installed(&[Purpose::Workspace])?;
    let wanted = |part| only.is_empty() || only.contains(&part);
    if wanted(Part::Pipeline) {
        compare(&root)?;
    }
    if wanted(Part::FirstFlip) {
        first_flip::measure(&root)?;
    }
    if wanted(Part::Tee) {
        tee::measure(&root)?;
    }
    if wanted(Part::Streams) {
        streams::measure(&root)?;
    }
    if wanted(Part::Codec) {
        codec::measure(&root)?;
    }
    if wanted(Part::Heaps) {
        heaps::measure(&root)?;
    }
    if wanted(Part::Micro) {
        micro(&root)?;
    }
    Ok(())
}

fn micro(root: &Path) -> Result<()> {
    println!("\nmicro-benchmarks on this machine");
    let status = cargo::cargo(root, &["bench", "--workspace", "--bench", "*"])
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "cargo bench failed");
    Ok(())
}

/// What the board's clock goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    /// This machine's.
    Real,
    /// The instructions that the board has done: the same however busy this machine is.
    Counted,
}

/// Boots the board once, and runs a script there to its end. Returns the kernel that it ran on.
fn on_pc(
    root: &Path,
    results: &Path,
    time_limit: Duration,
    script: String,
    clock: Clock,
    output: Output,
) -> Result<Kernel> {
    let kernel = Choice::Built.kernel(root)?;
    let profile = Profile::load(root, PROFILE)?;
    let boot = Boot {
        root,
        kernel: &kernel,
        profile: &profile,
        memory: None,
        counted: clock == Clock::Counted,
        results,
        environment: &[],
        time_limit,
        screenshot: None,
        command: &["sh".to_owned(), "-c".to_owned(), script],
    };
    boot.run(output)?.succeeded(results)?;
    Ok(kernel)
}

/// Builds the program and the bare loop as users do.
fn build(root: &Path) -> Result<()> {
    ensure_installed(&[Purpose::Bench])?;
    let packages = ["dmaflow", "dmaflow-testbed"];
    let packages = packages.iter().flat_map(|name| ["--package", name]);
    let words: Vec<_> = std::iter::once("--release").chain(packages).collect();
    cargo::build(root, &words)
}

/// Shows what came out, and leaves it in the results.
fn kept(results: &Path, text: &str) -> Result<()> {
    let file = results.join("results.md");
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    println!("\n{text}\nkept in {}", file.display());
    Ok(())
}

fn compare(root: &Path) -> Result<()> {
    vm::ensure_possible()?;
    build(root)?;
    let results = workspace::target(root).join("bench");
    let _held = workspace::claim(&results)?;
    let xtask = std::env::current_exe().context("cannot tell this program's path")?;
    let output = Box::new(std::io::stdout());
    let kernel = on_pc(
        root,
        &results,
        TIME_LIMIT,
        contender::script(&xtask),
        Clock::Real,
        output,
    )?;

    let mut rows = Vec::new();
    for size in SIZES {
        for contender in Contender::ALL {
            let read = |frames| Run::read(&results, contender, size, frames);
            rows.push(Row::new(contender, size, &read(SHORT)?, &read(LONG)?));
        }
    }
    let text = table::markdown(&rows);
    let how = format!(
        "Linux {} in QEMU, profile pc, 30 frames a second, one boot. Processor time: \
         of a run of {LONG} frames without set-up and end, the round with the median; system calls \
         and context switches: a run of {LONG} frames less one of {SHORT}.\n\n",
        kernel.release
    );
    let value = json!({ "kernel": kernel.release, "profile": PROFILE, "rows": rows });
    fs::write(results.join("results.json"), format!("{value:#}\n"))?;
    kept(&results, &(how + &text))
}
