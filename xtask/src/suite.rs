//! `cargo xtask test`: everything, on this machine and on the board.

mod aside;
mod models;
mod tally;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::cargo;
use crate::job::quote;
use crate::kernel::{Choice, Kernel};
use crate::output::Tee;
use crate::packages::{Purpose, ensure_installed};
use crate::profile::Profile;
use crate::vm::{self, Boot, Ending};
use crate::workspace;
use tally::Tally;

/// The boards that stand for real ones.
const PROFILES: [&str; 3] = ["pc", "ti", "rockchip"];

/// The package whose tests need the board.
const BOARD_TESTS: &str = "dmaflow-testbed";

/// One boot's share; the whole suite on one board takes about ten minutes.
const TIME_LIMIT: Duration = Duration::from_secs(25 * 60);

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
    let mut groups = vec![
        group("checks", || Ok(checks(&root)))?,
        group("this machine", || host_tests(&root))?,
    ];
    let programs = board_programs(&root);
    if let (Ok(_), Some(first)) = (&programs, kernels.first()) {
        // Everybody waits for it; its turn tells what is wrong.
        drop(first.kernel(&root));
    }
    thread::scope(|scope| -> Result<()> {
        // A board waits for its clock most of the time.
        let aside = (!quick).then(|| scope.spawn(|| aside::run(&root, kernels)));
        match programs {
            Ok(programs) => {
                for choice in kernels {
                    test_kernel(&root, choice, profiles, &programs, &mut groups)?;
                }
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

fn test_kernel(
    root: &Path,
    choice: &Choice,
    profiles: &[&str],
    programs: &[PathBuf],
    groups: &mut Vec<Group>,
) -> Result<()> {
    let kernel = match choice.kernel(root) {
        Ok(kernel) => kernel,
        Err(error) => {
            groups.push(group(&format!("kernel {choice}"), || Err(error))?);
            return Ok(());
        }
    };
    for profile in profiles {
        let name = format!("{} on {profile}", kernel.release);
        groups.push(group(&name, || on_board(root, &kernel, profile, programs))?);
    }
    Ok(())
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
fn host_tests(root: &Path) -> Result<Tally> {
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
        tally.add(counted(&mut cargo::cargo(root, arguments), &name)?);
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
fn board_programs(root: &Path) -> Result<Vec<PathBuf>> {
    println!("\n── compiling for the board");
    vm::ensure_possible()?;
    cargo::build(root, &["--release", "--package", "dmaflow"])?;
    let programs = cargo::test_programs(root, BOARD_TESTS)?;
    ensure!(!programs.is_empty(), "{BOARD_TESTS} has no tests");
    Ok(programs)
}

/// One boot in which every program runs.
fn on_board(root: &Path, kernel: &Kernel, profile: &str, programs: &[PathBuf]) -> Result<Tally> {
    let profile = Profile::load(root, profile)?;
    let results = workspace::target(root)
        .join("test")
        .join(format!("{}-{}", kernel.release, profile.name));
    let _held = workspace::claim(&results)?;
    let log_path = results.join("output.log");
    let log = File::create(&log_path)?;
    let ending = Boot {
        root,
        kernel,
        profile: &profile,
        memory: None,
        counted: false,
        results: &results,
        environment: &[],
        time_limit: TIME_LIMIT,
        screenshot: None,
        command: &["sh".to_owned(), "-c".to_owned(), board_script(programs)],
    }
    .run(Box::new(Tee(std::io::stdout(), log)))?;
    let output = String::from_utf8_lossy(&fs::read(&log_path)?).into_owned();
    let mut tally = Tally::of(&output).skips_are_failures();
    match ending {
        Ending::Exited(0) => {}
        Ending::Exited(_) if !tally.failed.is_empty() => {}
        ending => tally.add(Tally::failure(format!(
            "{ending}; kernel's log: {}",
            results.join(vm::KERNEL_LOG).display()
        ))),
    }
    if tally.passed == 0 && tally.failed.is_empty() {
        bail!("no test ran");
    }
    Ok(tally)
}

/// Runs all programs, whatever becomes of one. Libtest ends with 101 when it has told of a
/// failure; a program that ends otherwise has told of nothing.
fn board_script(programs: &[PathBuf]) -> String {
    let mut script = "status=0\n\
         try() {\n\
         \"$1\" --test-threads=1 --show-output && return\n\
         status=$?\n\
         [ $status = 101 ] || printf '\\nDIED %s with status %s\\n' \"${1##*/}\" $status\n\
         }\n"
    .to_owned();
    for program in programs {
        script += &format!("try {}\n", quote(&program.to_string_lossy()));
    }
    script + "exit $status\n"
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
    println!(
        "\n{} passed, {} failed, {} skipped",
        total.passed,
        total.failed.len(),
        total.skipped.len()
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_program_that_dies_is_told_whatever_it_printed_before() {
        let name = format!("xtask it's dying-{}", std::process::id());
        let program = std::env::temp_dir().join(name);
        fs::write(&program, "#!/bin/sh\nprintf 'test one ... '; exit 3\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let script = board_script(std::slice::from_ref(&program));
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        fs::remove_file(&program).unwrap();
        assert_eq!(output.status.code(), Some(3));
        let tally = Tally::of(&String::from_utf8(output.stdout).unwrap());
        assert_eq!(tally.failed.len(), 1, "{tally:?}");
        assert!(tally.failed[0].ends_with("with status 3"), "{tally:?}");
    }
}
