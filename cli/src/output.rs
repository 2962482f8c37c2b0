//! Where words go: results to standard output, everything else to standard error.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde_json::Value;

use crate::failure::Failure;

/// Writes a command's result in one go. A reader that has gone away is no error of ours.
pub(crate) fn result(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::Reader,
        _ => Failure::Pipeline(format!("cannot write the result: {error}")),
    })
}

/// Writes a command's result as JSON.
pub(crate) fn json(value: &Value) -> Result<(), Failure> {
    result(format!("{value:#}\n").as_bytes())
}

/// Where a command's failure is part of its result, puts it there too.
pub(crate) fn failing<T>(json: bool, outcome: Result<T, Failure>) -> Result<T, Failure> {
    if json && let Err(failure) = &outcome {
        // Whether or not anybody reads it, the failure is what counts.
        if self::json(&failure.json()).is_err() {
            tracing::debug!("nobody reads the result");
        }
    }
    outcome
}

/// Says something to whoever sits there, if anybody does.
pub(crate) fn tell(text: &str) {
    if !text.is_empty()
        && let Err(error) = writeln!(io::stderr().lock(), "{text}")
    {
        tracing::debug!(%error, "nobody reads standard error");
    }
}

/// Whether people see standard error.
pub(crate) fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether standard error may be coloured, see <https://no-color.org>.
pub(crate) fn colours() -> bool {
    is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
