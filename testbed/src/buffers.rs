//! What the kernel says is still held.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// A dma-buf in the kernel's listing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    /// The listing's line.
    line: String,
    /// Devices attached to it.
    devices: u32,
}

/// The dma-bufs alive in the whole system, by inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmaBufs(BTreeMap<u64, Listed>);

impl DmaBufs {
    /// Lists them as `/sys/kernel/debug/dma_buf/bufinfo` does.
    ///
    /// # Panics
    /// When the listing cannot be read: needs debugfs and `CONFIG_DEBUG_FS`.
    #[must_use]
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
        self.wait_until_gone(0, |_left| false);
    }

    /// As [`DmaBufs::assert_none_since`], but for up to so many buffers that nobody can reach any
    /// more: no process by a descriptor or a mapping, no device by an attachment. The kernel has
    /// lost count of these, and none of us could give them back. Says how many there are.
    ///
    /// # Panics
    /// As [`DmaBufs::assert_none_since`].
    #[must_use]
    pub fn assert_none_reachable_since(&self, at_most: usize) -> usize {
        let lost = |(inode, listed): &(u64, Listed)| listed.devices == 0 && !in_use(*inode);
        self.wait_until_gone(at_most, lost)
    }

    /// Waits until all that came since is forgiven, and no more than so many are left. Says how
    /// many those are.
    fn wait_until_gone(&self, at_most: usize, forgiven: impl Fn(&(u64, Listed)) -> bool) -> usize {
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            let mut left: Vec<_> = Self::now().0.into_iter().collect();
            left.retain(|(inode, _listed)| !self.0.contains_key(inode));
            // What is on its way to be freed is out of reach, too.
            if left.len() <= at_most && left.iter().all(&forgiven) {
                return left.len();
            }
            assert!(Instant::now() < patience, "dma-bufs left behind: {left:#?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Whether a process has a dma-buf: by a descriptor or a mapping.
fn in_use(inode: u64) -> bool {
    let field = format!("ino:\t{inode}\n");
    let word = format!(" {inode} ");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
        .any(|process| {
            let files = fs::read_dir(process.path().join("fdinfo"));
            let mut files = files.into_iter().flatten().flatten();
            // A file may be closed while we look.
            let text = |path| fs::read_to_string(path).unwrap_or_default();
            files.any(|file| text(file.path()).contains(&field))
                || text(process.path().join("maps"))
                    .lines()
                    .any(|line| line.contains("dmabuf") && line.contains(&word))
        })
}

/// A line a buffer: size, flags, mode, count, exporter, inode, name; then its attachments.
fn parse(listing: &str) -> BTreeMap<u64, Listed> {
    let mut buffers = BTreeMap::new();
    let mut last = None;
    for line in listing.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let hexadecimal = |word: &&str| u64::from_str_radix(word, 16).is_ok();
        if words.len() >= 6
            && words[..3].iter().all(hexadecimal)
            && let Ok(inode) = words[5].parse()
        {
            let line = line.to_owned();
            buffers.insert(inode, Listed { line, devices: 0 });
            last = Some(inode);
        } else if let ["Total", devices, "devices", "attached"] = words[..]
            && let Some(listed) = last.and_then(|inode: u64| buffers.get_mut(&inode))
        {
            listed.devices = devices.parse().unwrap_or(u32::MAX);
        }
    }
    buffers
}

/// How many files this process has open.
///
/// # Panics
/// Without procfs.
#[must_use]
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
        let parsed = parse(listing);
        let devices: Vec<_> = parsed
            .iter()
            .map(|(&inode, it)| (inode, it.devices))
            .collect();
        assert_eq!(devices, [(17, 1), (18, 0)]);
    }
}
