//! Plain shared memory: works everywhere, and no device can import it.

use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;

use crate::hugepages::{self, HUGE_PAGE};
use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{Contiguity, ExportError, Exporter, HeapInfo, Request, memory_total};
use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;

/// The embedded default: sealed memfds.
///
/// For pipelines of built-in stages, and where the kernel offers nothing better.
#[derive(Debug, Default)]
pub struct Memfd;

impl Memfd {
    /// The name it is registered under.
    pub const NAME: &str = "memfd";

    /// What to register it with.
    #[must_use]
    pub fn info() -> HeapInfo {
        HeapInfo {
            contiguity: Contiguity::Scattered,
            cached: Some(true),
            importable: false,
            // A file may be longer than the memory that could ever fill it.
            largest: memory_total(),
            ..HeapInfo::new(Self::NAME)
        }
    }
}

impl Exporter for Memfd {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let memory = sealed(request.len)?.fd;
        Ok(DmaBuf::from_memory(memory)?)
    }

    fn only_closes(&self) -> bool {
        true
    }
}

pub(crate) struct Sealed {
    pub(crate) fd: OwnedFd,
    pub(crate) len: NonZeroUsize,
}

/// Makes a memfd of so many bytes, in whole pages, that can neither shrink nor grow, so that
/// whoever maps it cannot be hit by SIGBUS, and udmabuf takes it.
pub(crate) fn sealed(len: NonZeroUsize) -> Result<Sealed, ExportError> {
    sealed_with(len, MFdFlags::empty())
}

/// As [`sealed`], of huge pages, all of which are there and zeroed.
pub(crate) fn sealed_huge(len: NonZeroUsize) -> Result<Sealed, ExportError> {
    let huge = usize::try_from(HUGE_PAGE).unwrap_or(usize::MAX);
    let len = len.get().checked_next_multiple_of(huge);
    let len = len.and_then(NonZeroUsize::new);
    let len = len.ok_or_else(|| os("rounding up to whole pages", Errno::ENOMEM))?;
    hugepages::check(len.get() as u64)?;
    let flags = MFdFlags::MFD_HUGETLB | MFdFlags::MFD_HUGE_2MB;
    let memory = sealed_with(len, flags).map_err(|error| match error.errno() {
        Some(Errno::ENODEV | Errno::ENOENT | Errno::ENOSYS) => hugepages::none(),
        _ => error,
    })?;
    // udmabuf would take the pages too, but not from those that others reserved, and not
    // zeroed on every kernel (`memfd_alloc_folio`).
    let mode = FallocateFlags::empty();
    loop {
        match fallocate(&memory.fd, mode, 0, end(len)?) {
            Ok(()) => return Ok(memory),
            // What was allocated before the signal is kept.
            Err(Errno::EINTR) => {}
            // Others were faster, or the cgroup may not have so many.
            Err(Errno::ENOSPC | Errno::ENOMEM) => return Err(hugepages::short(len.get() as u64)),
            Err(errno) => return Err(os("fallocate", errno)),
        }
    }
}

fn sealed_with(len: NonZeroUsize, kind: MFdFlags) -> Result<Sealed, ExportError> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING | kind;
    let fd = memfd_create("dmaflow", flags).map_err(|errno| os("memfd_create", errno))?;
    ftruncate(&fd, end(len)?).map_err(|errno| os("ftruncate", errno))?;
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
    fcntl(&fd, FcntlArg::F_ADD_SEALS(seals)).map_err(|errno| os("F_ADD_SEALS", errno))?;
    Ok(Sealed { fd, len })
}

fn end(len: NonZeroUsize) -> Result<i64, ExportError> {
    i64::try_from(len.get()).map_err(|_too_long| os("ftruncate", Errno::EFBIG))
}

const fn os(call: &'static str, source: Errno) -> ExportError {
    ExportError::Os { call, source }
}
