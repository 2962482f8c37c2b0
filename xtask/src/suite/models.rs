//! Tests under tools that find what running them cannot: a model checker and an interpreter.
//!
//! loom tries the orders in which threads can meet, in tests named for it. miri runs what needs
//! no kernel, and watches every access to memory.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use super::aside::counted;
use super::tally::Tally;
use crate::cargo;
use crate::workspace;

/// What has lock-free parts.
const MODELLED: [&str; 2] = ["dmaflow-core", "dmaflow-pipelines"];

/// How often a thread is interrupted at most in one order. Bugs need few interruptions, and each
/// one more multiplies the orders.
const PREEMPTIONS: &str = "3";

/// What has unsafe code, shares memory or keeps books, and which tests of it need no kernel: all,
/// or those of these modules.
const INTERPRETED: [(&str, &[&str]); 4] = [
    ("dmaflow-core", &[]),
    (
        "dmaflow-heaps",
        &[
            "carveout::marks",
            "carveout::space",
            "pool::class",
            "remote::protocol",
        ],
    ),
    ("dmaflow-pipelines", &["bell::", "description::", "link::"]),
    ("dmaflow-capi", &[]),
];

/// Random cases a test: interpreting is slow, and they run natively in their hundreds.
const CASES: &str = "2";

/// Tries the orders in which threads can meet, and adds what that printed.
pub(super) fn loom(root: &Path, output: &mut String) -> Result<Tally> {
    let mut command = cargo::cargo(root, &["test", "--profile", "model", "--lib"]);
    command.args(MODELLED.iter().flat_map(|name| ["--package", name]));
    // A folder of its own: everything is compiled differently.
    command
        .arg("--target-dir")
        .arg(workspace::target(root).join("loom"));
    command.args(["--no-fail-fast", "loom"]);
    command.env("RUSTFLAGS", "--cfg loom");
    command.env("LOOM_MAX_PREEMPTIONS", PREEMPTIONS);
    let tally = counted(&command, "the models", output)?;
    ensure!(tally.passed > 0 || !tally.failed.is_empty(), "no model ran");
    Ok(tally)
}

/// Interprets the unit tests that need no kernel, where there is an interpreter.
pub(super) fn miri(root: &Path, output: &mut String) -> Result<Tally> {
    if let Err(reason) = ready(root) {
        output.push_str(&format!("SKIP miri: {reason}\n"));
        return Ok(Tally::skip(format!("miri: {reason}")));
    }
    let mut all = Tally::default();
    for (package, modules) in INTERPRETED {
        let mut command = nightly(root, &["miri", "test", "--lib", "--package", package]);
        command
            .arg("--target-dir")
            .arg(workspace::target(root).join("miri"))
            .arg("--")
            .args(modules);
        // The tests ask for the time and open files; libc's futex takes a number for a pointer.
        let flags = "-Zmiri-disable-isolation -Zmiri-permissive-provenance";
        command.env("MIRIFLAGS", flags).env("PROPTEST_CASES", CASES);
        let tally = counted(&command, "miri", output)?;
        ensure!(
            tally.passed > 0 || !tally.failed.is_empty(),
            "{package}: no test ran"
        );
        all.add(tally);
    }
    Ok(all)
}

/// Cargo of the nightly toolchain.
fn nightly(root: &Path, arguments: &[&str]) -> Command {
    let mut command = cargo::of(root, "rustup", &["run", "nightly", "cargo"]);
    // What the toolchain that runs xtask set for its children.
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    command.args(arguments);
    command
}

/// Has miri, installing it where there is a nightly toolchain; otherwise the reason why not.
fn ready(root: &Path) -> Result<(), String> {
    let toolchains = Command::new("rustup").args(["toolchain", "list"]).output();
    let toolchains = toolchains.map_err(|error| format!("there is no rustup: {error}"))?;
    if !has_nightly(&String::from_utf8_lossy(&toolchains.stdout)) {
        return Err("no nightly toolchain; `rustup toolchain install nightly`".to_owned());
    }
    let components = [
        "component",
        "add",
        "miri",
        "rust-src",
        "--toolchain",
        "nightly",
    ];
    let steps = [
        cargo::of(root, "rustup", &components),
        nightly(root, &["miri", "setup"]),
    ];
    for mut step in steps {
        let output = step.stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("{step:?}: {error}"))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let last = words.lines().rfind(|line| !line.trim().is_empty());
            return Err(format!("{step:?} failed: {}", last.unwrap_or("no words")));
        }
    }
    Ok(())
}

/// Whether rustup lists the toolchain that `+nightly` means.
fn has_nightly(toolchains: &str) -> bool {
    let mut names = toolchains.lines();
    names.any(|name| {
        let rest = name.strip_prefix("nightly");
        // A date follows where it is that of one day.
        rest.is_some_and(|rest| !rest.starts_with("-2"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nightly_of_a_day_is_not_the_nightly() {
        assert!(has_nightly(
            "stable-x86_64-unknown-linux-gnu (default)\nnightly-x86_64-unknown-linux-gnu\n"
        ));
        assert!(has_nightly("nightly-aarch64-unknown-linux-gnu (active)\n"));
        assert!(!has_nightly(
            "nightly-2026-01-01-x86_64-unknown-linux-gnu\n"
        ));
        assert!(!has_nightly(
            "stable-x86_64-unknown-linux-gnu (active, default)\n"
        ));
    }
}
