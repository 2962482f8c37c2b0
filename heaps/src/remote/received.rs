//! What came from a server, looked at before it is believed.

use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;

use dmaflow_core::dma_buf::DmaBuf;
use rustix::fs::{OFlags, SealFlags, fcntl_get_seals, fcntl_getfl, fstat, fstatfs};

/// What `statfs` says of dma-bufs (`DMA_BUF_MAGIC`) and of memfds (`TMPFS_MAGIC`,
/// `HUGETLBFS_MAGIC`), from `include/uapi/linux/magic.h`.
const DMA_BUF: u64 = 0x444d_4142;
const MEMORY: [u64; 2] = [0x0102_1994, 0x9584_58f6];

/// What a server says of the buffer that it sent.
pub(super) struct Told {
    pub(super) len: u64,
    pub(super) id: u64,
    /// Whether it is a dma-buf; otherwise a memfd that cannot shrink.
    pub(super) importable: bool,
}

/// Takes a buffer that is what the server says it is.
///
/// A descriptor that is something else could make whoever maps it read another file, or die of
/// SIGBUS.
pub(super) fn buffer(fds: Vec<OwnedFd>, told: &Told, least: usize) -> Result<DmaBuf, String> {
    let [fd] = <[OwnedFd; 1]>::try_from(fds)
        .map_err(|fds| format!("{} descriptors came with a buffer", fds.len()))?;
    let asked = |errno: rustix::io::Errno| format!("what came cannot be looked at: {errno}");
    let kind = u64::try_from(fstatfs(&fd).map_err(asked)?.f_type).unwrap_or_default();
    if told.importable != (kind == DMA_BUF) || (!told.importable && !MEMORY.contains(&kind)) {
        return Err("what came is not a buffer of the kind it was said to be".to_owned());
    }
    let mode = fcntl_getfl(&fd).map_err(asked)?;
    if mode & OFlags::RWMODE != OFlags::RDWR {
        return Err("the buffer that came cannot be written".to_owned());
    }
    if !told.importable {
        let seals = fcntl_get_seals(&fd).map_err(asked)?;
        if !seals.contains(SealFlags::SHRINK) || seals.contains(SealFlags::WRITE) {
            return Err("the memory that came may shrink, or cannot be written".to_owned());
        }
    }
    let stat = fstat(&fd).map_err(asked)?;
    if stat.st_ino != told.id {
        return Err("another buffer came than was said".to_owned());
    }
    let buffer = if told.importable {
        DmaBuf::new(fd)
    } else {
        DmaBuf::from_memory(fd)
    };
    let buffer = buffer.map_err(|error| format!("what came is no buffer: {error}"))?;
    if buffer.len() as u64 != told.len || buffer.len() < least {
        let len = buffer.len();
        return Err(format!(
            "a buffer of {len} bytes came; {} were said, {least} asked for",
            told.len
        ));
    }
    Ok(buffer)
}

/// A length as the system counts it.
pub(super) const fn wide(len: NonZeroUsize) -> u64 {
    len.get() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    use crate::Memfd;
    use dmaflow_core::heap::Heap;

    fn sealed() -> (OwnedFd, Told) {
        let heap = Heap::new(Memfd::info(), Memfd);
        let buffer = heap.allocate(8192).unwrap();
        let fd = buffer.as_fd().try_clone_to_owned().unwrap();
        let told = Told {
            len: 8192,
            id: buffer.id().inode(),
            importable: false,
        };
        (fd, told)
    }

    #[test]
    fn a_sealed_memfd_is_taken_and_nothing_else() {
        let (fd, told) = sealed();
        assert_eq!(buffer(vec![fd], &told, 8000).unwrap().len(), 8192);
        let refused = |fds: Vec<OwnedFd>, told: &Told, least, word: &str| {
            let reason = buffer(fds, told, least).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        };
        refused(Vec::new(), &told, 1, "0 descriptors");
        refused(vec![sealed().0, sealed().0], &told, 1, "2 descriptors");
        let (fd, told) = sealed();
        refused(vec![fd], &told, 8193, "8193 asked for");
        let (fd, told) = sealed();
        refused(vec![fd], &Told { len: 4096, ..told }, 1, "4096 were said");
        let (fd, told) = sealed();
        refused(vec![fd], &Told { id: 1, ..told }, 1, "another buffer");
        let (fd, told) = sealed();
        let importable = true;
        refused(vec![fd], &Told { importable, ..told }, 1, "kind");
    }

    #[test]
    fn a_file_a_pipe_and_unsealed_memory_are_not_taken() {
        let (_fd, told) = sealed();
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let (pipe, _end) = std::io::pipe().unwrap();
        for fd in [OwnedFd::from(file), OwnedFd::from(pipe)] {
            assert!(buffer(vec![fd], &told, 1).unwrap_err().contains("kind"));
        }
        let flags = rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::ALLOW_SEALING;
        let memory = rustix::fs::memfd_create("test", flags).unwrap();
        rustix::fs::ftruncate(&memory, 8192).unwrap();
        let reason = buffer(vec![memory], &told, 1).unwrap_err();
        assert!(reason.contains("shrink"), "{reason}");
    }
}
