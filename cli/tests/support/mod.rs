//! Runs the program.

use std::process::{Command, Output};

use serde_json::Value;

/// The program with its arguments, in the checkout. Tests may run where signals are ignored, as
/// in the background; the program does not.
pub(crate) fn dmaflow(arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal", env!("CARGO_BIN_EXE_dmaflow")]);
    command.args(arguments);
    command.env_remove("DMAFLOW_LOG");
    command.env("DMAFLOW_CACHE", "");
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command
}

/// Its exit status, and what it wrote to standard output and standard error.
pub(crate) fn output(arguments: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = dmaflow(arguments).output().expect("dmaflow runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        status.code().expect("no signal"),
        text(stdout),
        text(stderr),
    )
}

/// What it wrote as JSON.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}
