//! What the kernel tells of memory and of threads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::BounceUse;

const DEBUGFS: &str = "/sys/kernel/debug";

/// The kernel's bounce buffers now.
pub(crate) fn bounce_use() -> BounceUse {
    let number = |file: &str| {
        let text = fs::read_to_string(format!("{DEBUGFS}/swiotlb/{file}")).ok()?;
        text.trim().parse().ok()
    };
    if let Some(now) = number("io_tlb_used") {
        let most = number("io_tlb_used_hiwater");
        return BounceUse::Slots { now, most };
    }
    let mut entries = fs::read_dir(DEBUGFS).into_iter().flatten();
    match entries.next() {
        Some(_mounted) => BounceUse::Absent,
        None => BounceUse::Unreadable,
    }
}

/// The devices attached to each dma-buf of the system, by inode; `None` where it cannot be read.
pub(crate) fn attached() -> Option<BTreeMap<u64, BTreeSet<String>>> {
    let text = fs::read_to_string(format!("{DEBUGFS}/dma_buf/bufinfo")).ok()?;
    Some(parse_attached(&text))
}

/// `dma_buf_debug_show` in `drivers/dma-buf/dma-buf.c`: a line a buffer with its inode in the
/// sixth column, then its fences, then the devices after a heading.
fn parse_attached(text: &str) -> BTreeMap<u64, BTreeSet<String>> {
    let mut all: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    let mut current = None;
    let mut among_devices = false;
    for line in text.lines() {
        let columns: Vec<_> = line.split('\t').map(str::trim).collect();
        if let [size, _, _, _, _, inode, ..] = columns[..]
            && size.parse::<u64>().is_ok()
            && let Ok(inode) = inode.parse()
        {
            all.entry(inode).or_default();
            (current, among_devices) = (Some(inode), false);
        } else if line.trim() == "Attached Devices:" {
            among_devices = true;
        } else if line.starts_with("Total ") || line.trim().is_empty() {
            among_devices = false;
        } else if among_devices && let Some(inode) = current {
            let devices = all.entry(inode).or_default();
            devices.insert(line.trim().to_owned());
        }
    }
    all
}

/// How often this program has each dma-buf and memfd mapped now, by inode.
pub(crate) fn mapped() -> BTreeMap<u64, usize> {
    let text = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut mapped = BTreeMap::new();
    for inode in in_maps(&text) {
        *mapped.entry(inode).or_default() += 1;
    }
    mapped
}

fn in_maps(text: &str) -> Vec<u64> {
    let lines = text.lines().filter_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(4);
        let (inode, path) = (columns.next()?, columns.next()?);
        let is_memory = path.starts_with("/dmabuf:") || path.starts_with("/memfd:");
        is_memory.then(|| inode.parse().ok())?
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

    #[test]
    fn the_listing_of_dma_bufs_is_read() {
        let text = "
Dma-buf Objects:
size    \tflags   \tmode    \tcount   \texp_name\tino     \tname
01228800\t00000002\t00080007\t00000005\tsystem\t00000007\tcamera 0
\tAttached Devices:
\tvkms
\tfe300000.isp
Total 2 devices attached

01228800\t00000002\t00080007\t00000005\tsystem\t00000012\t<none>
\twrite fence:drm-vkms a seq 3 signalled
\tAttached Devices:
Total 0 devices attached

Total 2 objects, 2457600 bytes
";
        let all = parse_attached(text);
        let of = |inode: u64| all[&inode].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(of(7), ["fe300000.isp", "vkms"]);
        assert_eq!(of(12), Vec::<&str>::new());
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn mappings_of_shared_memory_are_found() {
        let text = "\
7f00-7f01 rw-s 00000000 00:0c 77                         /dmabuf:camera 0
7f01-7f02 rw-s 00000000 00:01 1031                       /memfd:frames (deleted)
7f02-7f03 r-xp 00000000 fe:00 78                         /usr/lib/libc.so.6
7f03-7f04 rw-p 00000000 00:00 0
";
        assert_eq!(in_maps(text), [77, 1031]);
    }

    #[test]
    fn faults_are_behind_a_name_with_anything_in_it() {
        let stat = "7 (a ) b) S 1 2 3 0 -1 4194560 1234 0 0 0 3 4";
        assert_eq!(faults_in(stat), Some(1234));
        assert!(minor_faults().is_some_and(|faults| faults > 0));
    }
}
