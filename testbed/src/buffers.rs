//! What the kernel says is still held.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// The dma-bufs alive in the whole system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmaBufs(BTreeSet<u64>);

impl DmaBufs {
    /// Lists them as `/sys/kernel/debug/dma_buf/bufinfo` does.
    ///
    /// # Panics
    /// When the listing cannot be read: needs debugfs and `CONFIG_DEBUG_FS`.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test fails by panicking")]
    pub fn now() -> Self {
        let path = "/sys/kernel/debug/dma_buf/bufinfo";
        Self(parse(&fs::read_to_string(path).expect(path)))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Waits until no buffer is alive that was not there before.
    ///
    /// The kernel frees some a moment after the last close, from a work queue.
    ///
    /// # Panics
    /// When new ones are still alive after thirty seconds.
    pub fn assert_none_since(&self) {
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            let left: Vec<_> = Self::now().0.difference(&self.0).copied().collect();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < patience, "dma-bufs left behind: {left:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A line a buffer: size, flags, mode, count, exporter, inode, name; then its attachments.
fn parse(listing: &str) -> BTreeSet<u64> {
    listing
        .lines()
        .filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let hexadecimal = |word: &&str| u64::from_str_radix(word, 16).is_ok();
            let is_buffer = words.len() >= 6 && words[..3].iter().all(hexadecimal);
            is_buffer.then(|| words[5].parse().ok()).flatten()
        })
        .collect()
}

/// How many files this process has open.
///
/// # Panics
/// Without procfs.
#[must_use]
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
pub fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").expect("procfs").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_told_from_attachments() {
        let listing = "\nDma-buf Objects:\n\
            size    \tflags   \tmode    \tcount   \texp_name\tino     \tname\n\
            03686400\t00000002\t00080007\t00000004\tsystem\t00000017\tdmaflow camera\n\
            \tAttached Devices:\n\tvivid.0\nTotal 1 devices attached\n\n\
            04096000\t00000002\t00080007\t00000004\tudmabuf\t00000018\t<none>\n\
            \tAttached Devices:\nTotal 0 devices attached\n\n\nTotal 2 objects, 7782400 bytes\n";
        assert_eq!(parse(listing), BTreeSet::from([17, 18]));
    }
}
