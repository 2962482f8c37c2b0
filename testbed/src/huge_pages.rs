//! Huge pages for a test.

use std::fs;
use std::thread;

const NUMBER: &str = "/proc/sys/vm/nr_hugepages";
const FREE: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";

/// Huge pages that are reserved while this lives; dropped, it checks that all were given back.
#[derive(Debug)]
pub struct HugePages(u64);

impl HugePages {
    /// Reserves so many.
    ///
    /// # Panics
    /// When the kernel does not find them.
    #[must_use]
    pub fn reserve(count: u64) -> Self {
        fs::write(NUMBER, count.to_string()).expect(NUMBER);
        let this = Self(count);
        assert_eq!(Self::free(), count, "memory is too fragmented for the test");
        this
    }

    /// How many nobody uses.
    ///
    /// # Panics
    /// On a kernel without them.
    #[must_use]
    pub fn free() -> u64 {
        let text = fs::read_to_string(FREE).expect(FREE);
        text.trim().parse().expect("a number")
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        let free = (!thread::panicking()).then(Self::free);
        let given_back = fs::write(NUMBER, "0");
        if let Some(free) = free {
            given_back.expect(NUMBER);
            assert_eq!(free, self.0, "huge pages were not given back");
        }
    }
}
