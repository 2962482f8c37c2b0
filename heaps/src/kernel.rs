//! The kernel's own heaps, a node each below `/dev/dma_heap`.
//!
//! See the kernel's "Allocating dma-buf using heaps"
//! (`Documentation/userspace-api/dma-buf-heaps.rst`).

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{Contiguity, ExportError, Exporter, HeapInfo, Request, memory_total};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, major, minor, stat};

use crate::sys::HeapFd;

/// Where the kernel puts the nodes.
pub const NODES: &str = "/dev/dma_heap";

/// Every name that the default CMA goes by: `default_cma_region` since Linux 6.17, before that
/// the name of its memory region. Several at once (`CONFIG_DMABUF_HEAPS_CMA_LEGACY`) are still
/// one memory.
const CMA_NAMES: [&str; 4] = [
    "default_cma_region",
    "linux,cma",
    "default-pool",
    "reserved",
];

/// A heap of the kernel.
#[derive(Debug)]
pub struct KernelHeap(HeapFd);

impl KernelHeap {
    /// Opens the heap behind a node.
    ///
    /// # Errors
    /// EACCES without permission (nodes are root's by default), ENOENT where there is none,
    /// ENOTTY where it is of no heap, or sysfs is not there to tell, ESTALE where it is being
    /// replaced.
    pub fn open(node: &Path) -> Result<Self, Errno> {
        // Beforehand, since opening is enough to disturb some devices.
        let found = stat(node)?;
        if !is_dma_heap(&found) {
            return Err(Errno::ENOTTY);
        }
        let fd = open(node, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        if fstat(&fd)?.st_rdev != found.st_rdev {
            return Err(Errno::ESTALE);
        }
        Ok(Self(HeapFd(fd)))
    }
}

/// Whether a node is a device of the kernel's heaps (`dma_heap_init` in
/// `drivers/dma-buf/dma-heap.c` makes the class).
fn is_dma_heap(node: &FileStat) -> bool {
    if node.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFCHR.bits() {
        return false;
    }
    let (major, minor) = (major(node.st_rdev), minor(node.st_rdev));
    let class = format!("/sys/dev/char/{major}:{minor}/subsystem");
    std::fs::read_link(class).is_ok_and(|class| class.ends_with("dma_heap"))
}

impl AsFd for KernelHeap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

impl Exporter for KernelHeap {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let refused = |source| ExportError::Os {
            call: "DMA_HEAP_IOCTL_ALLOC",
            source,
        };
        let fd = self.0.alloc(request.len).map_err(refused)?;
        // Whole pages: `dma_heap_buffer_alloc` rounds up no further.
        Ok(DmaBuf::with_len(fd, request.len))
    }

    fn only_closes(&self) -> bool {
        true
    }
}

/// A heap that the kernel offers, whether it may be opened or not.
#[derive(Clone, Debug)]
pub struct KernelNode {
    /// Where it is opened.
    pub path: PathBuf,
    /// What its name says of it: the kernel tells no more.
    pub info: HeapInfo,
}

/// Lists the heaps below a directory, [`NODES`] as a rule: scattered memory first, since it is
/// never scarce, and each memory once.
///
/// # Errors
/// Those of reading the directory; ENOENT on a kernel without `CONFIG_DMABUF_HEAPS`.
pub fn list(directory: &Path) -> std::io::Result<Vec<KernelNode>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    let cma = CMA_NAMES
        .iter()
        .find(|name| names.iter().any(|found| found == *name));
    let mut nodes: Vec<_> = names
        .iter()
        .filter(|name| !CMA_NAMES.contains(&name.as_str()))
        .map(String::as_str)
        .chain(cma.copied())
        .map(|name| {
            let path = directory.join(name);
            let node = Some(path.clone());
            let info = HeapInfo {
                node,
                ..describe(name)
            };
            KernelNode { path, info }
        })
        .collect();
    nodes.sort_by_key(|node| {
        (
            node.info.protected,
            node.info.contiguity != Contiguity::Scattered,
        )
    });
    Ok(nodes)
}

/// What a heap's name tells; names are the only thing the kernel says of its heaps.
pub(crate) fn describe(name: &str) -> HeapInfo {
    let is_cma = CMA_NAMES.contains(&name);
    let contiguity = if name.starts_with("system") {
        Contiguity::Scattered
    } else if is_cma || name.starts_with("cma") {
        Contiguity::Contiguous
    } else {
        Contiguity::Unknown
    };
    let aliases = CMA_NAMES.iter().filter(|alias| is_cma && **alias != name);
    let total = match contiguity {
        Contiguity::Scattered => memory_total(),
        _ if is_cma => meminfo("CmaTotal"),
        _ => None,
    };
    HeapInfo {
        aliases: aliases.map(|&alias| alias.to_owned()).collect(),
        contiguity,
        cached: match contiguity {
            Contiguity::Unknown => None,
            _ => Some(!name.contains("uncached")),
        },
        protected: ["protected", "restricted", "secure"]
            .iter()
            .any(|word| name.contains(word)),
        // The kernel would take every page there is before it said no.
        largest: total,
        total,
        ..HeapInfo::new(name)
    }
}

/// Whether a heap's memory is the kernel's CMA, of which `/proc/meminfo` tells how much is free.
pub(crate) fn is_cma(info: &HeapInfo) -> bool {
    info.contiguity == Contiguity::Contiguous
        && (CMA_NAMES.iter().any(|name| info.answers_to(name)) || info.name.starts_with("cma"))
}

/// A line of `/proc/meminfo`, in bytes.
pub(crate) fn meminfo(key: &str) -> Option<u64> {
    parse_meminfo(&std::fs::read_to_string("/proc/meminfo").ok()?, key)
}

fn parse_meminfo(text: &str, key: &str) -> Option<u64> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_heap_is() {
        let cma = describe("default_cma_region");
        assert_eq!(cma.contiguity, Contiguity::Contiguous);
        assert_eq!(cma.aliases, ["linux,cma", "default-pool", "reserved"]);
        let vendor = describe("system-uncached-dma32");
        assert_eq!(vendor.contiguity, Contiguity::Scattered);
        assert_eq!(vendor.cached, Some(false));
        assert!(describe("protected,svp").protected);
        assert_eq!(describe("edma_pool").contiguity, Contiguity::Unknown);
    }

    #[test]
    fn several_names_of_the_cma_are_one_heap() {
        let directory = std::env::temp_dir().join(format!("dmaflow-heaps-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        for name in ["reserved", "default_cma_region", "protected", "system"] {
            std::fs::write(directory.join(name), "").unwrap();
        }
        let nodes = list(&directory).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        let names: Vec<_> = nodes.iter().map(|node| node.info.name.as_str()).collect();
        assert_eq!(names, ["system", "default_cma_region", "protected"]);
        assert!(nodes[1].info.aliases.contains(&"reserved".to_owned()));
    }

    #[test]
    fn meminfo_is_in_kibibytes() {
        let text = "MemTotal:        2048 kB\nCmaTotal:         128 kB\nCmaFree:            1 kB\n";
        assert_eq!(parse_meminfo(text, "CmaTotal"), Some(128 << 10));
        assert_eq!(parse_meminfo(text, "Cma"), None);
    }
}
