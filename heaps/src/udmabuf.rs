//! dma-bufs over a process's own memory, for kernels without dma-heaps.
//!
//! See the kernel's `drivers/dma-buf/udmabuf.c`. Needs `/dev/udmabuf` (`CONFIG_UDMABUF`).

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
pub struct Udmabuf(UdmabufFd);

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
            largest: size_limit(Path::new(Self::LIMIT)),
            ..HeapInfo::new(Self::NAME)
        }
    }
}

/// The module's limit on one buffer, in bytes.
fn size_limit(parameter: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(parameter).ok()?;
    text.trim().parse::<u64>().ok()?.checked_mul(1 << 20)
}

impl Exporter for Udmabuf {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let memory = sealed(request.len)?;
        let exported = self
            .0
            .create(&memory.fd, memory.len)
            .map_err(|source| ExportError::Os {
                call: "UDMABUF_CREATE",
                source,
            })?;
        Ok(DmaBuf::with_len(exported, memory.len))
    }

    fn only_closes(&self) -> bool {
        true
    }
}
