//! Counting what test programs print.

/// What a group of tests came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    /// Each with what is known of it.
    pub(crate) failed: Vec<String>,
    /// Each with its reason.
    pub(crate) skipped: Vec<String>,
}

impl Tally {
    /// One thing that passed.
    pub(crate) fn pass() -> Self {
        Self {
            passed: 1,
            ..Self::default()
        }
    }

    /// One thing that failed.
    pub(crate) fn failure(what: impl Into<String>) -> Self {
        Self {
            failed: vec![what.into()],
            ..Self::default()
        }
    }

    /// One thing that could not be done.
    pub(crate) fn skip(what: impl Into<String>) -> Self {
        Self {
            skipped: vec![what.into()],
            ..Self::default()
        }
    }

    /// Counts the output of any number of libtest programs.
    ///
    /// A test that cannot do its work prints `SKIP name: reason`. Libtest then
    /// calls it passed, we do not. `DIED name with status n` is of a program without a result.
    pub(crate) fn of(output: &str) -> Self {
        let (mut tally, mut failures, mut listing) = (Self::default(), 0, false);
        for line in output.lines() {
            if let Some(counts) = line.strip_prefix("test result: ") {
                tally.passed += count(counts, "passed");
                failures += count(counts, "failed");
            } else if let Some(skip) = line.strip_prefix("SKIP ") {
                tally.skipped.push(skip.to_owned());
            } else if let Some(died) = line.strip_prefix("DIED ") {
                tally.failed.push(died.to_owned());
                failures += 1;
            } else if let Some(name) = ignored(line) {
                tally.skipped.push(name);
            } else if listing && line.starts_with("    ") {
                tally.failed.push(line.trim().to_owned());
            }
            // The names follow the last of libtest's two such headings at once.
            listing = line == "failures:" || (listing && line.starts_with("    "));
        }
        let skips = output
            .lines()
            .filter(|line| line.starts_with("SKIP "))
            .count();
        tally.passed = tally.passed.saturating_sub(skips);
        while tally.failed.len() < failures {
            tally
                .failed
                .push("a test that libtest did not name".to_owned());
        }
        tally
    }

    /// On the board every test has what it needs, except a newer kernel.
    pub(crate) fn skips_are_failures(mut self) -> Self {
        let (allowed, refused) = self
            .skipped
            .into_iter()
            .partition(|skip| skip.contains(": needs kernel "));
        self.skipped = allowed;
        let refused: Vec<String> = refused;
        self.failed
            .extend(refused.into_iter().map(|skip| format!("skipped, {skip}")));
        self
    }

    /// Adds what `other` counted.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
    }
}

/// The number before `what` in `ok. 5 passed; 0 failed; …`.
fn count(counts: &str, what: &str) -> usize {
    let words: Vec<&str> = counts.split([' ', ';']).collect();
    words
        .windows(2)
        .find(|pair| pair[1] == what)
        .and_then(|pair| pair[0].parse().ok())
        .unwrap_or(0)
}

/// `name: ignored` for `test name ... ignored, why`.
fn ignored(line: &str) -> Option<String> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let why = outcome.strip_prefix("ignored")?;
    Some(format!("{name}: ignored{why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 4 tests
test camera ... ok
test display ... FAILED
test slow ... ignored, takes an hour
test yuv ... ok

successes:

---- yuv stdout ----
SKIP yuv: needs kernel 6.13 for YUV planes

failures:

---- display stdout ----
thread 'display' panicked at 'no'
    note: run with `RUST_BACKTRACE=1`

failures:
    display

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s

test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s
";

    #[test]
    fn libtest_is_understood() {
        let tally = Tally::of(OUTPUT);
        assert_eq!(tally.passed, 4);
        assert_eq!(tally.failed, ["display"]);
        assert_eq!(
            tally.skipped,
            [
                "slow: ignored, takes an hour",
                "yuv: needs kernel 6.13 for YUV planes"
            ]
        );
    }

    #[test]
    fn only_a_newer_kernel_excuses() {
        let tally = Tally::of(OUTPUT).skips_are_failures();
        assert_eq!(tally.skipped, ["yuv: needs kernel 6.13 for YUV planes"]);
        assert_eq!(
            tally.failed,
            ["display", "skipped, slow: ignored, takes an hour"]
        );
    }

    #[test]
    fn a_program_that_dies_is_a_failure() {
        let tally = Tally::of("running 2 tests\ntest one ... ok\nDIED pool-1a with status 134\n");
        assert_eq!(tally.failed, ["pool-1a with status 134"]);
    }
}
