//! What the kernel tells of memory and of threads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use dmaflow_core::dma_buf::listings;

use super::BounceUse;

const DEBUGFS: &str = "/sys/kernel/debug";

/// How often, and how long apart, one looks for what is in use for longer than a transfer.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

impl BounceUse {
    /// The kernel's bounce buffers now, of all its pools together. Needs root, and debugfs.
    #[must_use]
    pub fn now() -> Self {
        Self::below(Path::new(DEBUGFS))
    }

    fn below(debugfs: &Path) -> Self {
        // The default pool lies above those of devices that have one of their own.
        let default = debugfs.join("swiotlb");
        let own = fs::read_dir(&default).into_iter().flatten().flatten();
        let mut all: Vec<_> = own.map(|entry| entry.path()).collect();
        all.push(default);
        let pools = all.iter().filter_map(|pool| {
            let number = |file| -> Option<u64> {
                let text = fs::read_to_string(pool.join(file)).ok()?;
                text.trim().parse().ok()
            };
            let now = number("io_tlb_used")?;
            let most = number("io_tlb_used_hiwater");
            Some((now, most))
        });
        let sum = pools.reduce(|(now, most), (more, at_most)| {
            (
                now + more,
                most.zip(at_most).map(|(most, more)| most + more),
            )
        });
        if let Some((now, most)) = sum {
            return Self::Slots { now, most };
        }
        if all.iter().any(|pool| pool.join("io_tlb_used").exists()) {
            return Self::Unreadable;
        }
        let mut entries = fs::read_dir(debugfs).into_iter().flatten();
        match entries.next() {
            Some(_mounted) => Self::Absent,
            None => Self::Unreadable,
        }
    }

    /// What is in use for longer than others' transfers take: the least of a few looks, and what
    /// was in use at most by the last of them; or that there is no number.
    pub(crate) fn least_of(self, later: Self) -> Self {
        match (self, later) {
            (Self::Slots { now, .. }, Self::Slots { now: later, most }) => Self::Slots {
                now: now.min(later),
                most,
            },
            (_, unknown) => unknown,
        }
    }
}

/// The kernel's bounce buffers that stay in use: the least of looks over about 100 ms, where
/// there are any.
pub(crate) fn least_bounce_use() -> BounceUse {
    let mut least = BounceUse::now();
    for _look in 1..LOOKS {
        if !matches!(least, BounceUse::Slots { now: 1.., .. }) {
            break;
        }
        thread::sleep(BETWEEN_LOOKS);
        least = least.least_of(BounceUse::now());
    }
    least
}

/// A text of the kernel's, in which names may be of any bytes.
fn text(path: &str) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

/// The devices attached to each dma-buf of the system, by inode; `None` where it cannot be read.
pub(crate) fn attached() -> Option<BTreeMap<u64, BTreeSet<String>>> {
    let buffers = listings::listed().ok()?.into_iter().map(|buffer| {
        let devices = buffer.devices.into_iter().flatten().collect();
        (buffer.inode, devices)
    });
    Some(buffers.collect())
}

/// Shared memory that is mapped. Dma-bufs and memfds are numbered apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mapped {
    pub(crate) is_dma_buf: bool,
    pub(crate) inode: u64,
}

/// How often this program has each dma-buf and memfd mapped now; `None` where it cannot be read.
pub(crate) fn mapped() -> Option<BTreeMap<Mapped, usize>> {
    let mut mapped = BTreeMap::new();
    for each in in_maps(&text("/proc/self/maps").ok()?) {
        *mapped.entry(each).or_default() += 1;
    }
    Some(mapped)
}

fn in_maps(text: &str) -> Vec<Mapped> {
    let lines = text.lines().filter_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(4);
        let (inode, path) = (columns.next()?, columns.next()?);
        let is_dma_buf = path.starts_with("/dmabuf:");
        let inode = inode.parse().ok()?;
        (is_dma_buf || path.starts_with("/memfd:")).then_some(Mapped { is_dma_buf, inode })
    });
    lines.collect()
}

/// The minor faults of the calling thread so far.
pub(crate) fn minor_faults() -> Option<u64> {
    faults_in(&fs::read_to_string("/proc/thread-self/stat").ok()?)
}

/// The tenth column; the second is a name in brackets, which may hold anything.
fn faults_in(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_ascii_whitespace().nth(7)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of the kernel's, made up; gone when it is dropped.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("dmaflow-audit-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        fn with(self, pool: &str, now: u64, most: Option<u64>) -> Self {
            let pool = self.0.join(pool);
            fs::create_dir_all(&pool).unwrap();
            fs::write(pool.join("io_tlb_used"), format!("{now}\n")).unwrap();
            if let Some(most) = most {
                fs::write(pool.join("io_tlb_used_hiwater"), format!("{most}\n")).unwrap();
            }
            self
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn bounce_buffers_of_all_pools_are_summed() {
        let nothing = Folder::new("nothing");
        assert_eq!(BounceUse::below(&nothing.0), BounceUse::Unreadable);
        let none = Folder::new("none").with("others", 1, None);
        assert_eq!(BounceUse::below(&none.0), BounceUse::Absent);
        let slots = |now, most| BounceUse::Slots { now, most };
        let one = Folder::new("one").with("swiotlb", 3, Some(7));
        assert_eq!(BounceUse::below(&one.0), slots(3, Some(7)));
        let two = one.with("swiotlb/restricted", 2, Some(4));
        assert_eq!(BounceUse::below(&two.0), slots(5, Some(11)));
        let untold = two.with("swiotlb/older", 0, None);
        assert_eq!(BounceUse::below(&untold.0), slots(5, None));
    }

    #[test]
    fn the_least_that_is_in_use_is_what_stays() {
        let slots = |now, most| BounceUse::Slots {
            now,
            most: Some(most),
        };
        assert_eq!(slots(1, 9).least_of(slots(3, 12)), slots(1, 12));
        assert_eq!(slots(3, 9).least_of(slots(1, 9)), slots(1, 9));
        let unknown = BounceUse::Unreadable;
        assert_eq!(slots(1, 9).least_of(unknown), unknown);
    }

    #[test]
    fn mappings_of_shared_memory_are_found() {
        let text = "\
7f00-7f01 rw-s 00000000 00:0c 77                         /dmabuf:camera 0
7f01-7f02 rw-s 00000000 00:01 1031                       /memfd:frames (deleted)
7f02-7f03 r-xp 00000000 fe:00 78                         /usr/lib/libc.so.6
7f03-7f04 rw-p 00000000 00:00 0
";
        let mapped = |is_dma_buf, inode| Mapped { is_dma_buf, inode };
        assert_eq!(in_maps(text), [mapped(true, 77), mapped(false, 1031)]);
    }

    #[test]
    fn a_name_of_any_bytes_hides_no_mapping() {
        let folder = Folder::new("bytes").with("any", 0, None);
        let maps = folder.0.join("maps");
        fs::write(&maps, b"7f00-7f01 rw-s 0 00:0c 77 /dmabuf:\xff\n").unwrap();
        let read = text(maps.to_str().unwrap()).unwrap();
        assert_eq!(in_maps(&read).len(), 1);
    }

    #[test]
    fn faults_are_behind_a_name_with_anything_in_it() {
        let stat = "7 (a ) b) S 1 2 3 0 -1 4194560 1234 0 0 0 3 4";
        assert_eq!(faults_in(stat), Some(1234));
        let before = minor_faults().unwrap();
        // More than the allocator ever keeps: pages that nobody has touched.
        let fresh = std::hint::black_box(vec![1_u8; 40 << 20]);
        assert!(minor_faults().unwrap() > before, "{}", fresh.len());
    }
}
