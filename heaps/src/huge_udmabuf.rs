//! dma-bufs over huge pages: contiguous memory from user space, without a CMA.
//!
//! See the kernel's `drivers/dma-buf/udmabuf.c` and "HugeTLB Pages"
//! (`Documentation/admin-guide/mm/hugetlbpage.rst`). Needs `/dev/udmabuf` and huge pages that
//! were reserved (`vm.nr_hugepages`).

use std::num::NonZeroU64;
use std::os::fd::AsFd as _;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{Contiguity, ExportError, Exporter, HeapInfo, Request, memory_total};

use crate::hugepages::{self, HUGE_PAGE, HugePages};
use crate::memfd::sealed_huge;
use crate::udmabuf::{self, Udmabuf};

/// Sealed memfds of huge pages exported as dma-bufs: whole pieces of 2 MiB.
///
/// A piece is physically contiguous and aligned to its length, so that a device without an
/// IOMMU takes a picture of up to 2 MiB. Whether the next piece is the memory's next is chance:
/// a longer picture may be refused. A buffer takes whole huge pages, however short it is;
/// [`CarveOut`](crate::CarveOut) puts several into one.
///
/// Before Linux 6.16, drivers that write with the CPU (vb2-vmalloc, as of USB cameras) refuse
/// huge pages or, in 6.12, write to the wrong ones of the same buffer: [`HeapInfo::vmap`] is
/// false there, and negotiation gives them other memory.
#[derive(Debug)]
pub struct HugeUdmabuf(Udmabuf);

impl HugeUdmabuf {
    /// The name it is registered under.
    pub const NAME: &str = "udmabuf-huge";

    /// Opens `/dev/udmabuf`.
    ///
    /// # Errors
    /// As [`Udmabuf::open`].
    pub fn open() -> Result<Self, Errno> {
        Udmabuf::open().map(Self)
    }

    /// What to register it with; the limits are asked now.
    #[must_use]
    pub fn info() -> HeapInfo {
        HeapInfo {
            contiguity: pieces(),
            alignment: usize::try_from(HUGE_PAGE).unwrap_or(usize::MAX),
            cached: Some(true),
            vmap: !hugepages::may_be_mapped_wrongly(),
            // Pages may be reserved later, up to all the memory there is.
            largest: [udmabuf::limit(), memory_total()]
                .into_iter()
                .flatten()
                .min(),
            total: HugePages::total().map(|pages| pages * HUGE_PAGE),
            ..HeapInfo::new(Self::NAME)
        }
    }

    /// Whether any huge page was reserved, or may be made when it is asked for.
    ///
    /// # Errors
    /// [`ExportError::Refused`], which says how to reserve some.
    pub fn reserved() -> Result<(), ExportError> {
        let pages = HugePages::now().ok_or_else(hugepages::none)?;
        if pages.total > 0 {
            return Ok(());
        }
        pages.check(HUGE_PAGE)
    }
}

/// What huge pages guarantee.
pub(crate) fn pieces() -> Contiguity {
    NonZeroU64::new(HUGE_PAGE).map_or(Contiguity::Unknown, Contiguity::Pieces)
}

impl Exporter for HugeUdmabuf {
    /// Allocates whole huge pages.
    ///
    /// # Errors
    /// ENOMEM when too few huge pages are free, EOPNOTSUPP on a kernel without them: each with
    /// what to do. EINVAL of UDMABUF_CREATE is the module's `size_limit_mb`.
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let memory = sealed_huge(request.len)?;
        let exported = udmabuf::export_fresh(&self.0.0, memory.fd.as_fd(), 0, memory.len)?;
        Ok(DmaBuf::with_len(exported, memory.len))
    }

    /// What the free huge pages amount to; without those that the kernel may make when asked.
    fn available(&self) -> Option<u64> {
        let free = HugePages::now()?.free * HUGE_PAGE;
        Some(udmabuf::limit().map_or(free, |limit| free.min(limit)))
    }
}
