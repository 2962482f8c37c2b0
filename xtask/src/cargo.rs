//! Cargo, run on the checkout.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A cargo command in the checkout.
pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    of(root, cargo, arguments)
}

/// A command in the checkout that runs cargo in the end.
pub(crate) fn of(root: &Path, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root).args(arguments);
    // What cargo set for xtask itself would make others build anew.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    command
}

/// Builds; the compiler's words go to the terminal.
pub(crate) fn build(root: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = cargo(root, &["build"]);
    let status = command
        .args(arguments)
        .status()
        .context("cannot run cargo")?;
    ensure!(
        status.success(),
        "cargo build {} failed",
        arguments.join(" ")
    );
    Ok(())
}

/// Builds the test programs of `package` that need the board, and names them.
pub(crate) fn test_programs(root: &Path, package: &str) -> Result<Vec<PathBuf>> {
    let output = cargo(root, &["test", "--package", package, "--no-run"])
        .args(["--test", "*", "--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "the tests of {package} do not compile"
    );
    Ok(executables(&String::from_utf8_lossy(&output.stdout)))
}

/// The test programs in cargo's messages, by name: cargo tells them as each is ready, so that
/// their order would change from build to build.
fn executables(messages: &str) -> Vec<PathBuf> {
    let mut programs: Vec<_> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["profile"]["test"] == true)
        .filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .collect();
    programs.sort_unstable();
    programs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_programs_count_and_their_order_stays() {
        let messages = r#"{"reason":"compiler-artifact","profile":{"test":true},"executable":"/t/c"}
{"reason":"compiler-artifact","profile":{"test":true},"executable":"/t/a"}
{"reason":"compiler-artifact","profile":{"test":false},"executable":"/t/b"}
{"reason":"compiler-artifact","profile":{"test":true},"executable":null}
not json"#;
        assert_eq!(
            executables(messages),
            [PathBuf::from("/t/a"), PathBuf::from("/t/c")]
        );
    }
}
