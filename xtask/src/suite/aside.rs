//! What is done beside the boards, as far as these leave the processors alone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use super::Group;
use super::models;
use super::tally::Tally;
use crate::kernel::Choice;

/// A group that ran aside, and what it printed.
pub(super) struct Done {
    group: Group,
    output: String,
}

impl Done {
    /// Prints what it printed.
    pub(super) fn told(self) -> Group {
        println!("\n── {}, beside others\n{}", self.group.name, self.output);
        self.group
    }
}

/// Compiles the kernels that come later, where the cache has not got them, and then runs the
/// models.
pub(super) fn run(root: &Path, kernels: &[Choice]) -> Vec<Done> {
    for choice in kernels.iter().skip(1) {
        // It is told when its turn comes.
        drop(choice.kernel(root));
    }
    vec![
        done("loom", |output| models::loom(root, output)),
        done("miri", |output| models::miri(root, output)),
    ]
}

/// Runs a group beside others.
pub(super) fn done(name: &str, run: impl FnOnce(&mut String) -> Result<Tally>) -> Done {
    let started = Instant::now();
    let mut output = String::new();
    let tally = run(&mut output).unwrap_or_else(|error| {
        output.push_str(&format!("error: {error:#}\n"));
        Tally::failure(format!("{error:#}"))
    });
    let group = Group {
        name: name.to_owned(),
        tally,
        took: started.elapsed(),
    };
    Done { group, output }
}

/// Runs test programs when nobody else wants the processors, and counts what they print; one that
/// dies without a result is a failure.
pub(super) fn counted(command: &Command, name: &str, output: &mut String) -> Result<Tally> {
    let ran = last_in_line(command)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&ran.stdout);
    output.push_str(&String::from_utf8_lossy(&ran.stderr));
    output.push_str(&said);
    let mut tally = Tally::of(&said);
    if !ran.status.success() && tally.failed.is_empty() {
        tally.add(Tally::failure(format!("{name}: see above")));
    }
    Ok(tally)
}

/// The same command at the lowest priority.
fn last_in_line(command: &Command) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(command.get_program());
    nice.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => nice.env(name, value),
            None => nice.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        nice.current_dir(directory);
    }
    nice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_aside_is_nice_and_is_itself_otherwise() {
        let mut command = Command::new("sh");
        let script =
            "echo \"$(nice) $PWD $ASIDE\"; echo 'test result: ok. 2 passed; 0 failed'; exit 3";
        command
            .args(["-c", script])
            .env("ASIDE", "yes")
            .current_dir("/");
        let mut output = String::new();
        let tally = counted(&command, "it", &mut output).unwrap();
        assert!(output.starts_with("19 / yes"), "{output}");
        assert_eq!((tally.passed, tally.failed.len()), (2, 1), "{tally:?}");
    }
}
