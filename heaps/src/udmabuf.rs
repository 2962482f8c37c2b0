//! dma-bufs over a process's own memory, for kernels without dma-heaps.
//!
//! See the kernel's `drivers/dma-buf/udmabuf.c`. Needs `/dev/udmabuf` (`CONFIG_UDMABUF`).

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
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

/// The module's limit on one buffer now, in bytes: 64 MiB by default, and in new kernels (7.3) practically none.
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
    memfd: impl AsFd,
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

impl Exporter for Udmabuf {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let memory = sealed(request.len)?;
        let exported = export(&self.0, &memory.fd, 0, memory.len)?;
        Ok(DmaBuf::with_len(exported, memory.len))
    }

    fn only_closes(&self) -> bool {
        true
    }
}
