//! Kernel memory that runs out when a test wants it to.
//!
//! See the kernel's `Documentation/fault-injection/fault-injection.rst`. Needs
//! `CONFIG_FAILSLAB`, `CONFIG_FAIL_PAGE_ALLOC`, `CONFIG_FAULT_INJECTION_DEBUG_FS`.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;

use nix::sys::mman::{MlockAllFlags, mlockall};

/// The faults that can be had, with what they are to do.
const SETTINGS: [(&str, &[(&str, &str)]); 2] = [
    ("failslab", &[("cache-filter", "N")]),
    (
        "fail_page_alloc",
        &[("ignore-gfp-highmem", "N"), ("min-order", "0")],
    ),
];

/// Faults in the kernel's allocations on behalf of the calling thread.
#[derive(Debug)]
pub struct Faults {
    /// Makes one call fail, counted from when it is written.
    nth: File,
    /// Makes calls fail at random.
    random: File,
}

impl Faults {
    /// Prepares this thread's faults; none happens until it is asked for.
    ///
    /// # Panics
    /// On a kernel without fault injection, and for who may not lock memory.
    #[must_use]
    pub fn of_this_thread() -> Self {
        // What the program has not read yet of its own file, it could not read while memory runs
        // out: that would be its end, by SIGBUS.
        mlockall(MlockAllFlags::MCL_CURRENT).expect("the right to lock memory");
        for (fault, settings) in SETTINGS {
            let common = [
                ("ignore-gfp-wait", "N"),
                ("task-filter", "Y"),
                ("interval", "1"),
                ("times", "-1"),
                ("space", "0"),
                ("verbose", "0"),
                ("probability", "0"),
            ];
            for (name, value) in common.iter().chain(settings) {
                set(fault, name, value);
            }
        }
        // Copies from and to user space fail with the counted faults too.
        set("fail_usercopy", "verbose", "0");
        let open = |name: &str| {
            let path = format!("/proc/thread-self/{name}");
            let file = OpenOptions::new().read(true).write(true).open(path);
            file.expect("fault injection")
        };
        Self {
            nth: open("fail-nth"),
            random: open("make-it-fail"),
        }
    }

    /// Does `work` with its `nth` call that can fail failing, and says whether there was one.
    pub fn nth<T>(&self, nth: u32, work: impl FnOnce() -> T) -> (T, bool) {
        write(&self.nth, &nth.to_string());
        let outcome = work();
        let mut left = [0; 16];
        // That this read itself is the call which fails means that no other was.
        let read = self.nth.read_at(&mut left, 0);
        let happened = read.is_ok_and(|len| left[..len].starts_with(b"0"));
        write_until_it_works(&self.nth, "0");
        (outcome, happened)
    }

    /// Does `work` with so many of a hundred allocations failing.
    pub fn at_random<T>(&self, percent: u32, work: impl FnOnce() -> T) -> T {
        let probability = |percent: u32| {
            for (fault, _settings) in SETTINGS {
                set(fault, "probability", &percent.to_string());
            }
        };
        probability(percent);
        write(&self.random, "1");
        let outcome = work();
        write_until_it_works(&self.random, "0");
        probability(0);
        outcome
    }
}

fn set(fault: &str, name: &str, value: &str) {
    let path = format!("/sys/kernel/debug/{fault}/{name}");
    fs::write(&path, value).expect(&path);
}

fn write(file: &File, text: &str) {
    file.write_all_at(text.as_bytes(), 0).expect("a fault");
}

fn write_until_it_works(file: &File, text: &str) {
    while file.write_all_at(text.as_bytes(), 0).is_err() {}
}
