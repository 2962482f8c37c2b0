//! What kernel this is.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what it skips"
)]

/// Whether the kernel is of this version or later; says so where it is not.
pub(crate) fn has_linux(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse().unwrap());
    let found: (u32, u32) = (numbers.next().unwrap(), numbers.next().unwrap());
    let has = found >= (major, minor);
    if !has {
        println!(
            "SKIP: needs Linux {major}.{minor}, this is {}.{}",
            found.0, found.1
        );
    }
    has
}
