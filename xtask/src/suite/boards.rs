//! The test programs on boards.

use std::fs::{self, File};
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use super::aside::{self, Done};
use super::tally::Tally;
use super::{Group, group};
use crate::job::quote;
use crate::kernel::Choice;
use crate::output::Tee;
use crate::profile::Profile;
use crate::vm::{self, Boot, Ending, Output};
use crate::workspace;

/// One boot's share; the whole suite on one board takes up to twenty-five minutes.
const TIME_LIMIT: Duration = Duration::from_secs(45 * 60);

/// What runs on a board, and what it is told.
pub(super) struct Programs {
    pub(super) paths: Vec<PathBuf>,
    pub(super) environment: Vec<(String, String)>,
}

/// A board that the programs run on.
type Job<'j> = (&'j Choice, &'j str);

/// Runs the programs on a board of each profile with each kernel, two boards at once: a board
/// waits for its clock most of the time. What the first of them says is shown, what the other says
/// is told at the end.
pub(super) fn test_all(
    root: &Path,
    jobs: &[Job<'_>],
    programs: &Programs,
    groups: &mut Vec<Group>,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let name = |(choice, profile): Job<'_>| match choice.kernel(root) {
        Ok(kernel) => format!("{} on {profile}", kernel.release),
        Err(_told_when_it_is_needed) => format!("{choice} on {profile}"),
    };
    let take = || jobs.get(next.fetch_add(1, Ordering::Relaxed)).copied();
    let beside = |job: Job<'_>| {
        let (choice, profile) = job;
        aside::done(&name(job), |output| {
            let kept = |log| Box::new(log) as Output;
            let (tally, said) = on_board(root, choice, profile, programs, kept)?;
            output.push_str(&said);
            Ok(tally)
        })
    };
    // Of a single board all is shown.
    let first = take();
    thread::scope(|scope| {
        let others = scope.spawn(|| -> Vec<Done> { iter::from_fn(take).map(beside).collect() });
        for job in first.into_iter().chain(iter::from_fn(take)) {
            let (choice, profile) = job;
            groups.push(group(&name(job), || {
                let shown = |log| Box::new(Tee(std::io::stdout(), log)) as Output;
                Ok(on_board(root, choice, profile, programs, shown)?.0)
            })?);
        }
        println!("\nwhat ran beside these boards is told when it has ended");
        let done = others
            .join()
            .map_err(|_panic| anyhow!("the boards beside it died"))?;
        groups.extend(done.into_iter().map(Done::told));
        Ok(())
    })
}

/// One boot in which every program runs, and what they said.
fn on_board(
    root: &Path,
    choice: &Choice,
    profile: &str,
    programs: &Programs,
    output: impl FnOnce(File) -> Output,
) -> Result<(Tally, String)> {
    let kernel = choice.kernel(root)?;
    let profile = Profile::load(root, profile)?;
    let results = workspace::target(root)
        .join("test")
        .join(format!("{}-{}", kernel.release, profile.name));
    let _held = workspace::claim(&results)?;
    let log_path = results.join("output.log");
    let log = File::create(&log_path)?;
    let ending = Boot {
        root,
        kernel: &kernel,
        profile: &profile,
        memory: None,
        counted: false,
        results: &results,
        environment: &programs.environment,
        time_limit: TIME_LIMIT,
        screenshot: None,
        command: &[
            "sh".to_owned(),
            "-c".to_owned(),
            board_script(&programs.paths),
        ],
    }
    .run(output(log))?;
    let said = String::from_utf8_lossy(&fs::read(&log_path)?).into_owned();
    let mut tally = Tally::of(&said).skips_are_failures();
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
    Ok((tally, said))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

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
