//! Where a test runs.

use std::env;

/// The boards that stand for real ones.
const PROFILES: [&str; 3] = ["pc", "ti", "rockchip"];

/// The virtual board that this process runs on.
#[derive(Clone, Debug)]
pub struct Board {
    /// The profile's name: `pc`, `ti`, `rockchip`.
    pub profile: String,
    /// The kernel's version: major, minor.
    pub kernel: (u32, u32),
}

impl Board {
    /// The board, where this is one.
    ///
    /// # Panics
    /// When the kernel's version cannot be read.
    #[must_use]
    pub fn here() -> Option<Self> {
        env::var_os("DMAFLOW_VM")?;
        let release = nix::sys::utsname::uname().expect("a kernel");
        let release = release.release().to_string_lossy().into_owned();
        let mut numbers = release
            .split(['.', '-'])
            .map_while(|word| word.parse().ok());
        let kernel = (
            numbers.next().expect("a major version"),
            numbers.next().expect("a minor version"),
        );
        Some(Self {
            profile: env::var("DMAFLOW_PROFILE").unwrap_or_default(),
            kernel,
        })
    }

    /// The board, or a `SKIP` line for this test.
    #[must_use]
    pub fn for_test(test: &str) -> Option<Self> {
        let board = Self::here();
        if board.is_none() {
            skip(test, "not on the virtual board");
        }
        board
    }

    /// The board, where it is of one of these profiles; otherwise a line that says where this test
    /// runs, or a `SKIP` line.
    ///
    /// # Panics
    /// When there is no such profile: the test might run nowhere.
    #[must_use]
    pub fn for_test_on(profiles: &[&str], test: &str) -> Option<Self> {
        let known = profiles.iter().all(|profile| PROFILES.contains(profile));
        assert!(known, "not all of {profiles:?} are profiles");
        let board = Self::for_test(test)?;
        let here = board.is(profiles);
        if !here {
            elsewhere(test, profiles);
        }
        here.then_some(board)
    }

    /// Whether the profile is one of these.
    #[must_use]
    pub fn is(&self, profiles: &[&str]) -> bool {
        profiles.contains(&self.profile.as_str())
    }

    /// Whether the kernel is at least this; otherwise prints a `SKIP` line for this test.
    #[must_use]
    pub fn has_kernel(&self, test: &str, wanted: (u32, u32), for_what: &str) -> bool {
        let enough = self.kernel >= wanted;
        if !enough {
            skip(
                test,
                &format!("needs kernel {}.{} for {for_what}", wanted.0, wanted.1),
            );
        }
        enough
    }
}

#[expect(clippy::print_stdout, reason = "the test runner counts these lines")]
fn skip(test: &str, reason: &str) {
    println!("SKIP {test}: {reason}");
}

#[expect(clippy::print_stdout, reason = "the test runner counts these lines")]
fn elsewhere(test: &str, profiles: &[&str]) {
    println!("ELSEWHERE {test}: it is of {}", profiles.join(" and "));
}
