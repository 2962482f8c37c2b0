//! Plain shared memory: works everywhere, and no device can import it.

use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;

use crate::kernel::meminfo;
use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{Contiguity, ExportError, Exporter, HeapInfo, Request, page_size};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
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
            largest: meminfo("MemTotal"),
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

/// Rounds up to whole pages, unless that is too long for any memory.
pub(crate) fn whole_pages(len: NonZeroUsize) -> Option<NonZeroUsize> {
    // A page is a power of two: there is no need to divide.
    let below = page_size() - 1;
    NonZeroUsize::new(len.get().checked_add(below)? & !below)
}

pub(crate) struct Sealed {
    pub(crate) fd: OwnedFd,
    pub(crate) len: NonZeroUsize,
}

/// Makes a memfd of whole pages that can neither shrink nor grow, so that whoever maps it
/// cannot be hit by SIGBUS, and udmabuf takes it.
pub(crate) fn sealed(len: NonZeroUsize) -> Result<Sealed, ExportError> {
    let os = |call| move |source| ExportError::Os { call, source };
    let len = whole_pages(len)
        .ok_or(Errno::ENOMEM)
        .map_err(os("rounding up to whole pages"))?;
    let end = i64::try_from(len.get())
        .map_err(|_too_long| Errno::EFBIG)
        .map_err(os("ftruncate"))?;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let fd = memfd_create("dmaflow", flags).map_err(os("memfd_create"))?;
    ftruncate(&fd, end).map_err(os("ftruncate"))?;
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
    fcntl(&fd, FcntlArg::F_ADD_SEALS(seals)).map_err(os("F_ADD_SEALS"))?;
    Ok(Sealed { fd, len })
}
