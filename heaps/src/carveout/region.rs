//! The memory that is set aside, and dma-bufs over parts of it.

use std::ffi::CStr;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{ExportError, page_size, whole_pages};

use super::Pages;
use super::space::Extent;
use crate::hugepages::{HUGE_PAGE, may_be_mapped_wrongly, refused, tmpfs_gives_large_pages};
use crate::kernel::meminfo;
use crate::memfd::{sealed, sealed_huge};
use crate::refusal;
use crate::sys::UdmabufFd;
use crate::udmabuf::{self, Udmabuf};

/// The longest part that is set aside in one go.
const STEP: u64 = 64 << 20;

/// What the kernel's listing calls the dma-bufs that are nobody's: those that hold the region,
/// and those that are kept.
pub(super) const NAME: &CStr = c"dmaflow carve-out";

/// Memory that stays: all of it is there, zeroed, and nothing moves or swaps it.
#[derive(Debug)]
pub(super) struct Region {
    udmabuf: UdmabufFd,
    memory: OwnedFd,
    len: NonZeroUsize,
    /// The longest dma-buf that the driver makes, in bytes.
    largest: u64,
    /// dma-bufs over all of it, lent to nobody: a dma-buf's pages are pinned while it lives.
    pins: Vec<DmaBuf>,
}

/// A way to a dma-buf of a part of a memfd.
type Export = fn(&UdmabufFd, BorrowedFd<'_>, u64, NonZeroUsize) -> Result<OwnedFd, ExportError>;

impl Region {
    /// Sets so much memory aside.
    ///
    /// Having a dma-buf made over every part is what allocates ordinary pages, zeroed. To
    /// allocate them by fallocate would not do: tmpfs leaves such pages as they were until they
    /// are first read or mapped (`shmem_fallocate`), and udmabuf shows them without
    /// (`memfd_pin_folios`).
    pub(super) fn set_aside(size: u64, pages: Pages) -> Result<Self, ExportError> {
        let node = Path::new(Udmabuf::NODE);
        let udmabuf = Udmabuf::open().map_err(|errno| refused(errno, refusal(node, errno)))?;
        let asked = usize::try_from(size).ok().and_then(NonZeroUsize::new);
        let asked = asked.and_then(whole_pages);
        let asked = asked.ok_or_else(|| impossible(size))?;
        let memory = match pages {
            Pages::Normal => {
                check_memory(size)?;
                check_pages()?;
                sealed(asked)
            }
            Pages::Huge => sealed_huge(asked),
        }?;
        let size = memory.len.get() as u64;
        let mut region = Self {
            udmabuf: udmabuf.0,
            memory: memory.fd,
            len: memory.len,
            largest: udmabuf::limit().map_or(size, |limit| limit.min(size)),
            pins: Vec::new(),
        };
        region.pin()?;
        Ok(region)
    }

    fn pin(&mut self) -> Result<(), ExportError> {
        let step = pages(self.largest.min(STEP)).max(1);
        let all = pages(self.len.get() as u64);
        for start in (0..all).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            let part = Extent {
                start,
                len: step.min(all - start),
            };
            let pin = self.export(part, udmabuf::export_fresh)?;
            pin.try_set_name(NAME);
            self.pins.push(pin);
        }
        Ok(())
    }

    /// Makes a dma-buf over a part.
    pub(super) fn dma_buf(&self, part: Extent) -> Result<DmaBuf, ExportError> {
        self.export(part, udmabuf::export)
    }

    fn export(&self, part: Extent, how: Export) -> Result<DmaBuf, ExportError> {
        let offset = bytes(part.start);
        let len = usize::try_from(bytes(part.len)).ok();
        let len = len.and_then(NonZeroUsize::new);
        let len = len.ok_or_else(|| impossible(bytes(part.len)))?;
        let fd = how(&self.udmabuf, self.memory.as_fd(), offset, len)?;
        Ok(DmaBuf::with_len(fd, len))
    }

    /// Its bytes.
    pub(super) const fn len(&self) -> u64 {
        self.len.get() as u64
    }

    /// The bytes of the longest piece it can make.
    pub(super) const fn largest(&self) -> u64 {
        self.largest
    }
}

/// Whole pages in so many bytes.
pub(super) fn pages(bytes: u64) -> u64 {
    bytes / page_size() as u64
}

/// The bytes of so many pages.
pub(super) fn bytes(pages: u64) -> u64 {
    pages.saturating_mul(page_size() as u64)
}

/// The pages of a huge page.
pub(super) fn huge_page() -> u64 {
    pages(HUGE_PAGE).max(1)
}

fn impossible(size: u64) -> ExportError {
    let reason = format!("no region of {size} bytes can be mapped");
    refused(Errno::EINVAL, reason)
}

/// Refuses ordinary pages that may not be ordinary, where pieces could not share them.
fn check_pages() -> Result<(), ExportError> {
    if may_be_mapped_wrongly() && tmpfs_gives_large_pages() {
        let reason = "before Linux 6.16, drivers may write to the wrong part of large pages, and \
                      tmpfs gives them unasked; write `never` to \
                      /sys/kernel/mm/transparent_hugepage/shmem_enabled";
        return Err(refused(Errno::EOPNOTSUPP, reason.to_owned()));
    }
    Ok(())
}

/// Refuses what the kernel would have to end other programs for.
fn check_memory(size: u64) -> Result<(), ExportError> {
    match meminfo("MemAvailable") {
        Some(available) if size > available => Err(refused(
            Errno::ENOMEM,
            format!(
                "{size} bytes were to be set aside, and {available} are available; take less, or \
                 end programs"
            ),
        )),
        _ => Ok(()),
    }
}
