//! Counting what test programs print.

/// What a group of tests came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    /// Each with what is known of it.
    pub(crate) failed: Vec<String>,
    /// Each with its reason.
    pub(crate) skipped: Vec<String>,
    /// What failed tests printed, each with its name before it.
    pub(crate) said: Vec<String>,
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
    /// A test that cannot do its work prints `SKIP name: reason`, and one that is of other boards
    /// `ELSEWHERE name: where`. Libtest then calls it passed, we do not. `DIED name with status n`
    /// is of a program without a result.
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
        let not_run = |line: &&str| line.starts_with("SKIP ") || line.starts_with("ELSEWHERE ");
        tally.passed -= output.lines().filter(not_run).count().min(tally.passed);
        while tally.failed.len() < failures {
            tally
                .failed
                .push("a test that libtest did not name".to_owned());
        }
        tally.said = said(output, &tally.failed);
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
        self.said.extend(other.said);
    }
}

/// What libtest shows of these tests, from `---- name stdout ----` to the next such heading.
fn said(output: &str, failed: &[String]) -> Vec<String> {
    let (mut all, mut open) = (Vec::new(), None::<Vec<&str>>);
    for line in output.lines() {
        let heading = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"));
        if heading.is_some() || ["successes:", "failures:"].contains(&line) {
            all.extend(open.take());
        }
        if let Some(name) = heading {
            open = failed.iter().any(|it| it == name).then(|| vec![line]);
        } else if let Some(lines) = &mut open {
            lines.push(line);
        }
    }
    all.extend(open);
    all.iter().map(|lines| shortened(lines)).collect()
}

/// Lines of a failed test that are shown again: its heading, and what came last.
const LINES: usize = 40;

fn shortened(lines: &[&str]) -> String {
    let Some((heading, lines)) = lines.split_first() else {
        return String::new();
    };
    let left_out = lines.len().saturating_sub(LINES);
    let note = match left_out {
        0 => String::new(),
        n => format!("({n} lines before)\n"),
    };
    format!("{heading}\n{note}{}", lines[left_out..].join("\n"))
        .trim_end()
        .to_owned()
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

---- camera stdout ----
ELSEWHERE camera: it is of pc

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
        assert_eq!(tally.passed, 3);
        assert_eq!(tally.failed, ["display"]);
        assert_eq!(
            tally.said,
            ["---- display stdout ----\n\
              thread 'display' panicked at 'no'\n    note: run with `RUST_BACKTRACE=1`"]
        );
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
    fn of_a_long_story_the_end_is_shown() {
        let story: String = (0..50).map(|line| format!("{line}\n")).collect();
        let output = format!("---- a stdout ----\n{story}\nfailures:\n    a\n");
        let said = said(&output, &["a".to_owned()]);
        assert!(said[0].starts_with("---- a stdout ----\n(11 lines before)\n11\n"));
        assert!(said[0].ends_with("\n49"));
    }

    #[test]
    fn a_program_that_dies_is_a_failure() {
        let tally = Tally::of("running 2 tests\ntest one ... ok\nDIED pool-1a with status 134\n");
        assert_eq!(tally.failed, ["pool-1a with status 134"]);
    }
}
