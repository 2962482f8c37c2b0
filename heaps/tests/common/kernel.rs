//! What kernel this is.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what it skips"
)]

/// Whether the kernel is of this version or later; says that a test is skipped where it is not.
pub(crate) fn has_linux(test: &str, version: (u32, u32), what_for: &str) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse().unwrap());
    let found: (u32, u32) = (numbers.next().unwrap(), numbers.next().unwrap());
    if found < version {
        let (major, minor) = version;
        println!("SKIP {test}: needs kernel {major}.{minor} for {what_for}");
    }
    found >= version
}
