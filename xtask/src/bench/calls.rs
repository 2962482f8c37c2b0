//! System calls, counted by strace.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// A piece of the guest's script that runs a command with its calls counted: `NAME.calls` and
/// `NAME.out` in the results.
pub(super) fn counted(name: &str, command: &str) -> String {
    format!(
        "echo {name}\n\
         strace -f -c -U calls,name -o /results/{name}.calls {command} >/results/{name}.out\n"
    )
}

/// All calls of a run that [`counted`] them.
pub(super) fn of(results: &Path, name: &str) -> Result<i64> {
    let path = results.join(format!("{name}.calls"));
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    total(&text).with_context(|| format!("strace left no total for {name}"))
}

/// Calls a frame, of a run of many frames less one of few, without set-up and end.
pub(super) fn a_frame(
    results: &Path,
    short: &str,
    long: &str,
    (few, many): (i64, i64),
) -> Result<f64> {
    let calls = of(results, long)? - of(results, short)?;
    Ok(super::table::ratio(calls, many - few))
}

/// The last line of `strace -c -U calls,name` is the sum.
pub(super) fn total(table: &str) -> Option<i64> {
    let total = table
        .lines()
        .rev()
        .find(|line| line.trim_end().ends_with("total"))?;
    total.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strace_s_total_is_found() {
        let table = "    calls syscall\n--------- ----------------\n       90 ioctl\n        2 read\n\
                     --------- ----------------\n       92 total\n";
        assert_eq!(total(table), Some(92));
        assert_eq!(total(""), None);
    }
}
