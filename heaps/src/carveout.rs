//! A region of memory set aside once, and lent in pieces.
//!
//! The region is a sealed memfd, of huge pages where contiguity is wanted. It is allocated,
//! zeroed and pinned when the carve-out is made; from then on allocation cannot fail for want of
//! memory that others took. Each piece is a dma-buf of its own (`UDMABUF_CREATE` with an
//! offset), which devices and other processes share as they do any other. Needs `/dev/udmabuf`.
//!
//! **A piece is never lent again while anybody may still have it.** Nobody reaches the memory
//! but through the piece's dma-buf: the memfd is never given away, and each piece has one
//! dma-buf. Every importer, mapping and descriptor of it, in whichever process, holds a
//! reference of the one open file behind it. The carve-out gets its own descriptor back at
//! release and keeps it open, and asks the kernel for the number of references
//! ([`DmaBuf::is_alone`]). While others hold any, the piece waits, and is looked at again at
//! later allocations. A holder that never lets go costs its piece, and nobody else's memory.
//!
//! **Time does not depend on length.** To make a dma-buf takes the kernel longer the more pages
//! it has, so the dma-bufs of the last 32 pieces that came back are kept. The same requests get
//! the same places, so that whoever allocates again what was freed gets them, without a system
//! call. Their memory is free all the same, and joined with its neighbours: a kept dma-buf is
//! closed when another piece takes the place. Only clearing takes time by length, see below.
//!
//! **Clearing.** What each part of the region may hold, and whose it is, is remembered. A part
//! that was never lent is zero; so is a piece that came back without its descriptor lent or its
//! memory opened for writing. What may have been written is zeroed when it is lent again, and
//! only that: with [`Clearing::Always`] for everybody, with [`Clearing::BetweenClients`] for
//! everybody but the client that used it, who finds it as it was (the heap's `zeroed` is then
//! false). The CPU zeroes through the piece's own dma-buf, within `DMA_BUF_IOCTL_SYNC`, so that
//! devices see it on every architecture.
//!
//! **Kernels.** A driver that maps a piece for the CPU must be shown that piece and no other. In
//! Linux 6.12, udmabuf shows it the first 4 KiB of a large page for all of it. So before Linux
//! 6.16 a piece of huge pages has them for itself, whatever its length, and a carve-out of
//! ordinary pages is refused where tmpfs gives large ones unasked. Drivers whose devices do the
//! writing work with either; those whose CPU does get wrong pictures from huge pages there.
//!
//! Freeing is never put off to a worker here: that would only keep neighbours apart for longer.

mod figures;
mod marks;
mod pieces;
mod region;
mod space;

pub use figures::CarveOutFigures;
pub use space::{Extent, Space};

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::{CpuUse, DmaBuf};
use dmaflow_core::heap::{
    ClientId, Contiguity, ExportError, Exporter, HeapInfo, Idle, Request, page_size,
};

use crate::clearing::Clearing;
use crate::huge_udmabuf::pieces as huge_pieces;
use crate::hugepages::may_be_mapped_wrongly;
use pieces::{Buffer, Pieces, Taken, Want};
use region::{Region, bytes, huge_page};

/// What a carve-out is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pages {
    /// Ordinary pages, from anywhere.
    #[default]
    Normal,
    /// Huge pages of 2 MiB. A piece of up to 2 MiB lies within one, and is contiguous; a longer
    /// one is whole huge pages from its beginning on. Whether two of them are neighbours in
    /// memory is chance. Before Linux 6.16 no two pieces share one.
    Huge,
}

/// How to make a carve-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarveOutConfig {
    /// The bytes to set aside; rounded up to whole pages.
    pub size: u64,
    /// What they are made of.
    pub pages: Pages,
    /// When memory that was used is zeroed.
    pub clearing: Clearing,
}

/// A region set aside once, whose pieces are lent as dma-bufs. Clones are the same region.
///
/// The memory goes back to the system when the last clone is dropped and nobody has a piece any
/// more.
#[derive(Clone)]
pub struct CarveOut(Arc<Inner>);

struct Inner {
    config: CarveOutConfig,
    region: Region,
    /// Pieces are a whole number of so many pages.
    grain: u64,
    state: Mutex<State>,
}

struct State {
    pieces: Pieces<DmaBuf>,
    refused_full: u64,
    refused_fragmented: u64,
}

impl CarveOut {
    /// Sets the memory aside.
    ///
    /// # Errors
    /// [`ExportError::Refused`] with what to do: ENOMEM when there is too little memory or too
    /// few huge pages, EOPNOTSUPP without huge pages and where the kernel would mix up those of
    /// several pieces, EINVAL for no bytes at all, ENOENT or
    /// EACCES when `/dev/udmabuf` cannot be opened. Other errors are of the system calls.
    pub fn new(config: CarveOutConfig) -> Result<Self, ExportError> {
        let region = Region::set_aside(config.size, config.pages)?;
        let coarsest = coarsest(config.pages);
        let space = Space::new(region::pages(region.len()), coarsest);
        let state = State {
            pieces: Pieces::new(space, config.clearing),
            refused_full: 0,
            refused_fragmented: 0,
        };
        let grain = match config.pages {
            Pages::Huge if may_be_mapped_wrongly() => huge_page(),
            _ => 1,
        };
        Ok(Self(Arc::new(Inner {
            config,
            region,
            grain,
            state: Mutex::new(state),
        })))
    }

    /// What to register it with, under a name.
    #[must_use]
    pub fn info(&self, name: impl Into<String>) -> HeapInfo {
        let Inner { config, region, .. } = &*self.0;
        HeapInfo {
            contiguity: match config.pages {
                Pages::Normal => Contiguity::Scattered,
                Pages::Huge => huge_pieces(),
            },
            alignment: usize::try_from(bytes(coarsest(config.pages))).unwrap_or(page_size()),
            cached: Some(true),
            vmap: config.pages == Pages::Normal || !may_be_mapped_wrongly(),
            zeroed: config.clearing == Clearing::Always,
            largest: Some(region.largest()),
            total: Some(region.len()),
            ..HeapInfo::new(name)
        }
    }

    /// How its memory is used now.
    #[must_use]
    pub fn figures(&self) -> CarveOutFigures {
        CarveOutFigures::of(&self.0.state())
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn want(&self, request: &Request) -> Want {
        let page = page_size() as u64;
        let len = (request.len.get() as u64).div_ceil(page);
        // Longer than any region, where that is too much.
        let len = len.checked_next_multiple_of(self.grain).unwrap_or(u64::MAX);
        let natural = match self.config.pages {
            Pages::Normal => 1,
            // So that a piece crosses no more huge pages than it must.
            Pages::Huge => len.min(huge_page()).next_power_of_two(),
        };
        let asked = (request.align as u64).div_ceil(page);
        Want {
            len,
            align: asked.max(natural),
            client: request.client,
        }
    }

    fn take(&self, want: Want) -> Result<Taken<DmaBuf>, ExportError> {
        let mut state = self.state();
        if let Some(taken) = state.pieces.take(want) {
            return Ok(taken);
        }
        Err(state.refuse(want))
    }

    /// Makes what was taken a buffer to lend; frees the piece where that fails.
    fn finish(&self, taken: Taken<DmaBuf>) -> Result<DmaBuf, ExportError> {
        let Taken {
            extent,
            buffer,
            dirty,
        } = taken;
        let buffer = match buffer {
            Some(buffer) => Ok(buffer),
            None => self.region.dma_buf(extent),
        };
        let cleared = buffer.and_then(|mut buffer| {
            if !dirty.is_empty() {
                clear(&buffer, extent, &dirty)?;
                buffer.renew();
            }
            Ok(buffer)
        });
        let mut state = self.state();
        match cleared {
            Ok(buffer) => {
                state.pieces.cleared(&dirty);
                if state.pieces.lend(extent, &buffer) {
                    return Ok(buffer);
                }
                state.pieces.untake(extent);
                Err(ExportError::Os {
                    call: "fstat",
                    source: Errno::EIO,
                })
            }
            Err(error) => {
                state.pieces.untake(extent);
                Err(error)
            }
        }
    }
}

/// The coarsest alignment that a region has, in pages.
fn coarsest(pages: Pages) -> u64 {
    match pages {
        Pages::Normal => 1,
        Pages::Huge => huge_page(),
    }
}

/// Zeroes parts of a piece.
fn clear(buffer: &DmaBuf, piece: Extent, dirty: &[Extent]) -> Result<(), ExportError> {
    let mut memory = buffer.write(CpuUse::Clear)?;
    let at = |page: u64| usize::try_from(bytes(page - piece.start)).unwrap_or(usize::MAX);
    for part in dirty {
        let memory = memory.get_mut(at(part.start)..at(part.end()));
        let outside = ExportError::Os {
            call: "clearing outside of the piece",
            source: Errno::EFAULT,
        };
        memory.ok_or(outside)?.fill(0);
    }
    Ok(())
}

impl Exporter for CarveOut {
    /// Lends a piece of whole pages.
    ///
    /// # Errors
    /// [`ExportError::Refused`] with ENOMEM, which tells a full region from a fragmented one.
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let taken = self.0.take(self.0.want(request))?;
        self.0.finish(taken)
    }

    fn release(&self, buffer: DmaBuf, client: ClientId) {
        let alone = buffer.is_alone();
        // Nobody's now; heaps name what they lend to accounts only.
        if alone && client != ClientId::PROCESS {
            buffer.try_set_name(region::NAME);
        }
        let stranger = self.0.state().pieces.put(buffer, client, alone);
        if let Some(buffer) = stranger {
            tracing::error!(id = ?buffer.id(), "a buffer of another heap was released to a carve-out");
        }
    }

    /// Cached are free pieces whose dma-bufs are kept, deferred those that an importer still
    /// has, reclaimed those whose dma-bufs were kept and then closed. The memory itself stays.
    fn idle(&self) -> Idle {
        let state = self.0.state();
        Idle {
            cached: bytes(state.pieces.ready()),
            deferred: bytes(state.pieces.waiting()),
            reclaimed: bytes(state.pieces.shed),
        }
    }

    /// Exact at this moment: what importers let go of meanwhile is counted.
    fn available(&self) -> Option<u64> {
        let mut state = self.0.state();
        state.pieces.settle(usize::MAX);
        let space = &state.pieces.space;
        let (grain, coarsest) = (self.0.grain, coarsest(self.0.config.pages));
        // A piece that is shorter than the coarsest alignment needs no more than its own.
        let powers = (grain.ilog2()..=coarsest.ilog2()).map(|power| 1 << power);
        let longest = powers.map(|align| match space.largest(align) {
            room if align < coarsest => room.min(align),
            room => room - room % grain,
        });
        let longest = bytes(longest.max().unwrap_or(0));
        Some(longest.min(self.0.region.largest()))
    }
}

impl Buffer for DmaBuf {
    fn key(&self) -> u64 {
        self.id().inode()
    }

    fn is_alone(&self) -> bool {
        Self::is_alone(self)
    }

    fn is_untouched(&self) -> bool {
        Self::is_untouched(self)
    }

    fn renew(&mut self) {
        Self::renew(self);
    }
}

impl fmt::Debug for CarveOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CarveOut")
            .field("config", &self.0.config)
            .field("figures", &self.figures())
            .finish()
    }
}
