//! dma-bufs over a process's own memory, for kernels without dma-heaps.
//!
//! See the kernel's `drivers/dma-buf/udmabuf.c`. Needs `/dev/udmabuf` (`CONFIG_UDMABUF`).

use std::num::NonZeroUsize;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::{CpuUse, DmaBuf};
use dmaflow_core::heap::{Contiguity, ExportError, Exporter, HeapInfo, Request};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::memfd::sealed;
use crate::sys::UdmabufFd;

/// Sealed memfds exported as dma-bufs, pages wherever the kernel found them.
#[derive(Debug)]
pub struct Udmabuf(pub(crate) UdmabufFd);

impl Udmabuf {
    /// The name it is registered under.
    pub const NAME: &str = "udmabuf";
    pub(crate) const NODE: &str = "/dev/udmabuf";
    const LIMIT: &str = "/sys/module/udmabuf/parameters/size_limit_mb";

    /// Opens `/dev/udmabuf`.
    ///
    /// # Errors
    /// ENOENT where the kernel has none (`modprobe udmabuf`), EACCES without permission
    /// (group `kvm` on Debian).
    pub fn open() -> Result<Self, Errno> {
        open(Self::NODE, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())
            .map(|fd| Self(UdmabufFd(fd)))
    }

    /// What to register it with; the driver's size limit is asked now.
    #[must_use]
    pub fn info() -> HeapInfo {
        HeapInfo {
            contiguity: Contiguity::Scattered,
            cached: Some(true),
            node: Some(Self::NODE.into()),
            largest: limit(),
            ..HeapInfo::new(Self::NAME)
        }
    }
}

/// The module's limit on one buffer now, in bytes: 64 MiB by default, and in new kernels (7.3)
/// practically none.
pub(crate) fn limit() -> Option<u64> {
    size_limit(Path::new(Udmabuf::LIMIT))
}

fn size_limit(parameter: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(parameter).ok()?;
    text.trim().parse::<u64>().ok()?.checked_mul(1 << 20)
}

/// Makes a dma-buf of a part of a sealed memfd; says what a refusal means.
pub(crate) fn export(
    udmabuf: &UdmabufFd,
    memfd: BorrowedFd<'_>,
    offset: u64,
    len: NonZeroUsize,
) -> Result<OwnedFd, ExportError> {
    udmabuf.create(memfd, offset, len).map_err(|source| {
        let most = limit().unwrap_or(u64::MAX);
        if source == Errno::EINVAL && len.get() as u64 > most {
            ExportError::Refused {
                errno: source,
                reason: format!(
                    "udmabuf makes buffers of up to {most} bytes; raise the limit in {}",
                    Udmabuf::LIMIT
                ),
            }
        } else {
            ExportError::Os {
                call: "UDMABUF_CREATE",
                source,
            }
        }
    })
}

/// Whether devices see what the CPU wrote, and the other way round, without anybody's doing.
const CACHES_AGREE: bool = cfg!(any(target_arch = "x86", target_arch = "x86_64"));

/// As [`export`], of memory that the kernel has zeroed and nobody used: has the zeros leave the
/// CPU's caches, through a dma-buf that goes at once.
///
/// A device that imports the memory gets no flush: udmabuf maps it with
/// `DMA_ATTR_SKIP_CPU_SYNC`, and leaves it to whoever wrote last. Where caches and devices do
/// not agree by themselves, the zeros would later be written over what a device wrote.
pub(crate) fn export_fresh(
    udmabuf: &UdmabufFd,
    memfd: BorrowedFd<'_>,
    offset: u64,
    len: NonZeroUsize,
) -> Result<OwnedFd, ExportError> {
    if !CACHES_AGREE {
        let flushed = DmaBuf::with_len(export(udmabuf, memfd, offset, len)?, len);
        drop(flushed.write(CpuUse::Clear)?);
    }
    export(udmabuf, memfd, offset, len)
}

impl Exporter for Udmabuf {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let memory = sealed(request.len)?;
        let exported = export_fresh(&self.0, memory.fd.as_fd(), 0, memory.len)?;
        Ok(DmaBuf::with_len(exported, memory.len))
    }

    fn only_closes(&self) -> bool {
        true
    }
}
