//! A card as a place of memory: opened without controlling what it shows.

use std::fmt::Display;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::{CpuUse, DmaBuf, DmaBufError};
use dmaflow_core::heap::{Contiguity, ExportError, HeapInfo};
use drm::buffer::Handle;
use drm::control::Device as _;
use drm::{Device, DriverCapability};

use crate::card::{Opened, is_master, nodes, retry};
use crate::error::KmsSinkError;

/// Drivers whose memory is that of `drivers/gpu/drm/drm_gem_shmem_helper.c`, mapped as it
/// comes: pages of shared memory, which are zeroed and cached, from anywhere.
const SHMEM: [&str; 4] = ["vkms", "bochs-drm", "cirrus", "cirrus-qemu"];

/// A card whose memory is exported.
///
/// # Invariants
/// The descriptor is a primary DRM node, and not the card's master because of us.
#[derive(Debug)]
pub(super) struct HeapCard(Opened);

impl AsFd for HeapCard {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Device for HeapCard {}
impl drm::control::Device for HeapCard {}

impl HeapCard {
    /// Opens the card with this node, driver or bus address.
    pub(super) fn open(selector: &str) -> Result<Self, KmsSinkError> {
        let mut found = Vec::new();
        for node in nodes() {
            match Opened::new(&node) {
                Ok(card) if card.answers_to(selector) => return Self::new(card),
                Ok(card) => found.push(card.label()),
                Err(error) if crate::card::is_node(selector, &node) => return Err(error),
                Err(error) => found.push(error.to_string()),
            }
        }
        Err(if found.is_empty() {
            KmsSinkError::NoCards
        } else {
            KmsSinkError::UnknownCard {
                asked: selector.to_owned(),
                found,
            }
        })
    }

    pub(super) fn new(card: Opened) -> Result<Self, KmsSinkError> {
        // The first to open a card is its master, which a heap has no use for and a display
        // has.
        if is_master(&card)
            && let Err(error) = card.release_master_lock()
        {
            tracing::warn!(%error, card = card.label(), "cannot let go of the control of a card");
        }
        let lacks = if let Ok(0) = card.get_driver_capability(DriverCapability::DumbBuffer) {
            "dumb buffers"
        } else if has_no_export(&card) {
            "way to export buffers"
        } else {
            return Ok(Self(card));
        };
        Err(KmsSinkError::NoMemory {
            card: card.label(),
            lacks,
        })
    }

    /// Driver and node, for people.
    pub(super) fn label(&self) -> String {
        self.0.label()
    }

    /// What is known of a heap of this kind.
    pub(super) fn info(&self, kind: &str) -> HeapInfo {
        let info = HeapInfo {
            aliases: vec![name_by_node(kind, &self.0.node)],
            node: Some(self.0.node.clone()),
            ..HeapInfo::new(format!("{kind}:{}", self.0.driver))
        };
        if self.is_shmem() {
            HeapInfo {
                contiguity: Contiguity::Scattered,
                cached: Some(true),
                ..info
            }
        } else {
            info
        }
    }

    fn is_shmem(&self) -> bool {
        SHMEM.contains(&self.0.driver.as_str())
    }

    /// Whether the card went away since it was opened: Mesa does not always say.
    #[cfg(feature = "gbm")]
    pub(super) fn is_gone(&self) -> bool {
        let answer = self.get_driver_capability(DriverCapability::Prime);
        matches!(answer, Err(error) if crate::card::errno(&error) == Errno::ENODEV)
    }

    /// Makes a dma-buf of a handle's memory. The CPU may write it too, which is what Mesa's
    /// own way of exporting leaves out.
    #[doc(alias = "DRM_IOCTL_PRIME_HANDLE_TO_FD")]
    pub(super) fn export(&self, handle: Handle) -> Result<DmaBuf, ExportError> {
        let flags = drm::CLOEXEC | drm::RDWR;
        let fd = retry(|| self.buffer_to_prime_fd(handle, flags))
            .map_err(|errno| self.failed("PRIME_HANDLE_TO_FD", "its buffer", errno))?;
        Ok(DmaBuf::of_driver(fd)?)
    }

    /// Clears memory that is not known to come so: the kernel promises zeroed memory from no
    /// driver, and Mesa gives its own again.
    pub(super) fn clear(&self, buffer: &DmaBuf) -> Result<(), DmaBufError> {
        if !self.is_shmem() {
            buffer.write(CpuUse::Clear)?.fill(0);
        }
        Ok(())
    }

    /// The error for a call that failed.
    pub(super) fn failed(
        &self,
        call: &'static str,
        asked: impl Display,
        source: Errno,
    ) -> ExportError {
        let card = self.label();
        let reason = match source {
            // These have an advice of their own.
            Errno::ENOMEM | Errno::EMFILE => return ExportError::Os { call, source },
            Errno::ENODEV => format!(
                "{card} is gone: it was unplugged or its driver was unloaded; what is on loan \
                 stays valid, and a new heap can be opened when it is back"
            ),
            Errno::ENOSYS | Errno::EOPNOTSUPP => {
                format!("the driver of {card} has no {call}; use another heap")
            }
            _ => format!(
                "{card} refused {asked}: {call} failed with {source:?}; ask for another size or \
                 format, or use another heap"
            ),
        };
        ExportError::Refused {
            errno: source,
            reason,
        }
    }
}

/// Whether a driver says that it exports nothing. One without displays (vgem) answers fewer
/// questions, and what it cannot do shows at the first allocation.
fn has_no_export(card: &Opened) -> bool {
    let export = u64::from(drm_ffi::DRM_PRIME_CAP_EXPORT);
    card.get_driver_capability(DriverCapability::Prime)
        .is_ok_and(|can| can & export == 0)
}

/// The name that no other card's heap of this kind has.
pub(super) fn name_by_node(kind: &str, node: &Path) -> String {
    let name = node.file_name().unwrap_or(node.as_os_str());
    format!("{kind}:{}", name.to_string_lossy())
}

/// A handle that is closed when dropped; a dma-buf of it keeps the memory.
pub(super) struct Closing<'c> {
    pub(super) card: &'c HeapCard,
    pub(super) handle: Handle,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.card.close_buffer(self.handle) {
            // A card that went away took its handles along.
            tracing::debug!(%error, card = self.card.label(), "cannot close a buffer's handle");
        }
    }
}
