//! Whether anybody else has a buffer: what must be known before its memory is used again.
//!
//! Every importer, mapping and descriptor of a dma-buf, in whichever process, holds a reference
//! of the one open file behind it. The kernel tells their number in `/proc/self/fdinfo`
//! (`dma_buf_show_fdinfo` in `drivers/dma-buf/dma-buf.c`, since Linux 5.3, no rights needed).
//! While it is ours alone, nobody can get another but from us.
//!
//! A fence holds none: who had the buffer may have left one that is not signalled
//! (`DMA_BUF_IOCTL_IMPORT_SYNC_FILE`), and whoever clears the memory would wait for it. So the
//! buffer must be ready for writing too, as `poll` tells (`dma_buf_poll`).
//!
//! A pinned page holds none either. Where an exporter maps its pages as a device's (`VM_PFNMAP`),
//! they cannot be pinned from a mapping. Where it maps them as ordinary memory, as older kernels
//! did for udmabuf and for the CMA's heap, whoever maps them can (`vmsplice`), and unmap and close
//! everything else: the count says that we are alone, and we are not. Our tests run on Linux 6.12
//! and 7.3; on older kernels look at how an exporter maps before clients that distrust each other
//! are lent its buffers one after the other.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{DmaBuf, Flags};
use crate::dma_buf::access::CpuCounters;

impl DmaBuf {
    /// Whether nobody but this value has the buffer: no device, no other process, no duplicate
    /// of the descriptor, and no fence that somebody left in it. `false` too once its descriptor
    /// was lent where that [cannot be told](DmaBuf::counts_holders).
    #[must_use]
    pub fn is_alone(&self) -> bool {
        if !self.flags.has(Flags::LENT) {
            return true;
        }
        let ours = 1 + u64::from(self.cpu.get().is_some());
        // In this order: a poll that finds a fence takes a reference until that is signalled.
        self.counts_holders() && self.references() == Some(ours) && is_ready(self.fd.as_fd())
    }

    /// Whether it can be told who has it once its descriptor was lent: not so of memory that is
    /// no dma-buf, and of [a driver's own](DmaBuf::of_driver).
    #[must_use]
    pub fn counts_holders(&self) -> bool {
        !(self.flags.has(Flags::MEMORY) || self.flags.has(Flags::UNCOUNTED))
    }

    /// The references of the open file behind the descriptor.
    fn references(&self) -> Option<u64> {
        let path = format!("/proc/self/fdinfo/{}", self.fd.as_fd().as_raw_fd());
        count(&std::fs::read_to_string(path).ok()?)
    }

    /// Whether nobody can have written into it since it was made or [renewed](DmaBuf::renew):
    /// its descriptor was not lent, and it was not opened for writing, whatever for.
    ///
    /// For exporters that need not clear what nobody touched.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        !self.flags.has(Flags::LENT) && !self.flags.has(Flags::WRITTEN)
    }

    /// Begins the life of a buffer in another's hands: what the CPU was shown is counted anew,
    /// and the buffer counts as [untouched](DmaBuf::is_untouched).
    ///
    /// For exporters that give a buffer out again, once it [is alone](DmaBuf::is_alone).
    pub fn renew(&mut self) {
        if let Some(side) = self.cpu.get_mut() {
            side.counters = CpuCounters::default();
        }
        *self.flags.0.get_mut() &= !(Flags::LENT | Flags::WRITTEN);
    }
}

/// Whether every fence is signalled, readers' and writers'. One system call.
fn is_ready(buffer: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(buffer, PollFlags::POLLOUT)];
    let is_told = poll(&mut fds, PollTimeout::ZERO).is_ok();
    let events = fds[0].revents();
    is_told && events.is_some_and(|events| events.contains(PollFlags::POLLOUT))
}

fn count(fdinfo: &str) -> Option<u64> {
    let mut lines = fdinfo.lines();
    lines.find_map(|line| line.strip_prefix("count:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dma_buf::CpuUse;

    #[test]
    #[cfg_attr(miri, ignore = "makes a memfd")]
    fn a_buffer_is_untouched_until_somebody_may_write() {
        let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
        let fd = nix::sys::memfd::memfd_create("untouched", flags).unwrap();
        nix::unistd::ftruncate(&fd, 4096).unwrap();
        let mut buffer = DmaBuf::from_memory(fd).unwrap();
        drop(buffer.read(CpuUse::Inspect).unwrap());
        assert!(buffer.is_untouched() && buffer.id() == buffer.id());
        drop(buffer.write(CpuUse::Clear).unwrap());
        assert!(!buffer.is_untouched());
        buffer.renew();
        assert!(buffer.is_untouched());
        let _fd = std::os::fd::AsFd::as_fd(&buffer);
        assert!(!buffer.is_untouched());
    }

    #[test]
    #[cfg_attr(miri, ignore = "polls")]
    fn ready_is_what_poll_says_so_of() {
        let (_read, write) = nix::unistd::pipe().unwrap();
        let flags = nix::fcntl::OFlag::O_NONBLOCK;
        nix::fcntl::fcntl(&write, nix::fcntl::FcntlArg::F_SETFL(flags)).unwrap();
        assert!(is_ready(write.as_fd()));
        while nix::unistd::write(&write, &[0; 4096]).is_ok() {}
        assert!(!is_ready(write.as_fd()));
    }

    #[test]
    fn references_are_told_of_dma_bufs_only() {
        let dma_buf = "pos:\t0\nflags:\t02000002\nsize:\t4096\ncount:\t3\nexp_name:\tsystem\n";
        assert_eq!(count(dma_buf), Some(3));
        assert_eq!(count("pos:\t0\nflags:\t02000002\nmnt_id:\t14\n"), None);
    }
}
