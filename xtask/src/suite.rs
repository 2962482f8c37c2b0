//! `cargo xtask test`: everything, on this machine and on the board.

mod aside;
mod boards;
mod models;
mod tally;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::cargo;
use crate::kernel::Choice;
use crate::packages::{Purpose, ensure_installed};
use crate::streams;
use crate::vm;
use crate::workspace;
use boards::Programs;
use tally::Tally;

/// The boards that stand for real ones; those with most tests first.
const PROFILES: [&str; 3] = ["pc", "rockchip", "ti"];

/// The package whose tests need the board.
const BOARD_TESTS: &str = "dmaflow-testbed";

/// Tests that belong together, and how long they took.
struct Group {
    name: String,
    tally: Tally,
    took: Duration,
}

/// Runs everything; `quick` stops at one board. Says whether all passed.
pub(crate) fn test(quick: bool, kernels: &[Choice]) -> Result<bool> {
    let root = workspace::root()?;
    ensure_installed(&[Purpose::Workspace])?;
    let (kernels, profiles) = match quick {
        true => (&kernels[..kernels.len().min(1)], &PROFILES[..1]),
        false => (kernels, &PROFILES[..]),
    };
    let streams = streams::made(&root)?;
    let mut groups = vec![
        group("checks", || Ok(checks(&root)))?,
        group("this machine", || host_tests(&root, &streams))?,
    ];
    let programs = board_programs(&root, &streams);
    if let (Ok(_), Some(first)) = (&programs, kernels.first()) {
        // Everybody waits for it; its turn tells what is wrong.
        drop(first.kernel(&root));
    }
    thread::scope(|scope| -> Result<()> {
        // A board waits for its clock most of the time.
        let aside = (!quick).then(|| scope.spawn(|| aside::run(&root, kernels)));
        match programs {
            Ok(programs) => {
                let jobs = profiles
                    .iter()
                    .flat_map(|profile| kernels.iter().map(move |choice| (choice, *profile)));
                boards::test_all(&root, &jobs.collect::<Vec<_>>(), &programs, &mut groups)?;
            }
            Err(error) => groups.push(group("the board", || Err(error))?),
        }
        if let Some(aside) = aside {
            let done = aside
                .join()
                .map_err(|_panic| anyhow!("what ran aside died"))?;
            groups.extend(done.into_iter().map(aside::Done::told));
        }
        Ok(())
    })?;
    summarize(&groups);
    Ok(groups.iter().all(|group| group.tally.failed.is_empty()))
}

/// Runs one group; an error is its failure and does not end the others.
fn group(name: &str, run: impl FnOnce() -> Result<Tally>) -> Result<Group> {
    println!("\n── {name}");
    std::io::stdout().flush()?;
    let started = Instant::now();
    let tally = run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Tally::failure(format!("{error:#}"))
    });
    Ok(Group {
        name: name.to_owned(),
        tally,
        took: started.elapsed(),
    })
}

/// What needs no test program: layout, lints, documentation.
fn checks(root: &Path) -> Tally {
    let all: [(&str, &[&str]); 3] = [
        ("cargo fmt", &["fmt", "--all", "--check"]),
        (
            "cargo clippy",
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        ),
        ("cargo doc", &["doc", "--workspace", "--no-deps"]),
    ];
    let mut tally = Tally::default();
    for (name, arguments) in all {
        println!("{name}");
        let status = cargo::cargo(root, arguments)
            .env("RUSTDOCFLAGS", "-D warnings")
            .status();
        tally.add(match status {
            Ok(status) if status.success() => Tally::pass(),
            Ok(_) => Tally::failure(format!("{name}: see above")),
            Err(error) => Tally::failure(format!("cannot run {name}: {error}")),
        });
    }
    tally
}

/// Unit tests and examples in the documentation.
fn host_tests(root: &Path, streams: &Path) -> Result<Tally> {
    let mut tally = Tally::default();
    let runs: [&[&str]; 2] = [
        &[
            "test",
            "--workspace",
            "--exclude",
            BOARD_TESTS,
            "--no-fail-fast",
            "--",
            "--show-output",
        ],
        &[
            "test",
            "--package",
            BOARD_TESTS,
            "--lib",
            "--bins",
            "--no-fail-fast",
            "--",
            "--show-output",
        ],
    ];
    for arguments in runs {
        let name = format!("cargo {}", arguments.join(" "));
        let mut cargo = cargo::cargo(root, arguments);
        cargo.env(streams::VARIABLE, streams);
        tally.add(counted(&mut cargo, &name)?);
    }
    Ok(tally)
}

/// Runs test programs and counts what they print; one that dies without a result is a failure.
fn counted(command: &mut Command, name: &str) -> Result<Tally> {
    let (success, output) = watched(command)?;
    let mut tally = Tally::of(&output);
    if !success && tally.failed.is_empty() {
        tally.add(Tally::failure(format!("{name}: see above")));
    }
    Ok(tally)
}

/// Runs `command`, showing and keeping its output.
fn watched(command: &mut Command) -> Result<(bool, String)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {command:?}"))?;
    let mut stdout = child.stdout.take().context("no output")?;
    let (mut kept, mut chunk) = (Vec::new(), [0; 8192]);
    loop {
        let read = stdout.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        std::io::stdout().write_all(&chunk[..read])?;
        kept.extend_from_slice(&chunk[..read]);
    }
    let success = child.wait()?.success();
    Ok((success, String::from_utf8_lossy(&kept).into_owned()))
}

/// The test programs for the board, and the program that they run.
fn board_programs(root: &Path, streams: &Path) -> Result<Programs> {
    println!("\n── compiling for the board");
    vm::ensure_possible()?;
    cargo::build(root, &["--release", "--package", "dmaflow"])?;
    let paths = cargo::test_programs(root, BOARD_TESTS)?;
    ensure!(!paths.is_empty(), "{BOARD_TESTS} has no tests");
    let streams = streams.to_string_lossy().into_owned();
    Ok(Programs {
        paths,
        environment: vec![(streams::VARIABLE.to_owned(), streams)],
    })
}

fn summarize(groups: &[Group]) {
    println!(
        "\n{:24}{:>8}{:>8}{:>9}{:>8}",
        "", "passed", "failed", "skipped", "time"
    );
    let mut total = Tally::default();
    for Group { name, tally, took } in groups {
        println!(
            "{name:24}{:>8}{:>8}{:>9}{:>6} s",
            tally.passed,
            tally.failed.len(),
            tally.skipped.len(),
            took.as_secs()
        );
        let named = |what: &String| format!("{name}: {what}");
        total.add(Tally {
            passed: tally.passed,
            failed: tally.failed.iter().map(named).collect(),
            skipped: tally.skipped.iter().map(named).collect(),
            said: tally.said.iter().map(named).collect(),
        });
    }
    for (heading, list) in [("skipped", &total.skipped), ("failed", &total.failed)] {
        if !list.is_empty() {
            println!("\n{heading}:");
        }
        for line in list {
            println!("  {line}");
        }
    }
    for said in &total.said {
        println!("\n{said}");
    }
    println!(
        "\n{} passed, {} failed, {} skipped",
        total.passed,
        total.failed.len(),
        total.skipped.len()
    );
}
