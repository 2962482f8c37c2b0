//! CPU sight of a buffer, as guards.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Access, DmaBuf, DmaBufError, Flags};
use crate::sys::{self, Mapping, Readable, Writable};

/// What the CPU wants with what a buffer holds. Only [`CpuUse::Copy`] is a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuUse {
    /// Clears what another left, before there are pixels; its bytes are not counted.
    Clear,
    /// Makes pixels that did not exist before: a test pattern.
    Draw,
    /// Looks without carrying anything on: a comparison, a checksum.
    Inspect,
    /// Carries pixels elsewhere.
    Copy,
    /// Reads a compressed stream, or carries its bytes where a device wants them: no pixels.
    Stream,
}

/// How many bytes the CPU was shown, by use, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuCounts {
    /// Bytes opened for [`CpuUse::Draw`].
    pub drawn: u64,
    /// Bytes opened for [`CpuUse::Inspect`].
    pub inspected: u64,
    /// Bytes opened for [`CpuUse::Copy`].
    pub copied: u64,
    /// Bytes opened for [`CpuUse::Stream`].
    pub streamed: u64,
    /// Times that a buffer was opened, for whatever use: on a dma-buf each is a bracket of
    /// `DMA_BUF_IOCTL_SYNC`.
    pub opened: u64,
    /// Buffers that were mapped.
    pub mapped: u64,
}

impl CpuCounts {
    const NONE: Self = Self {
        drawn: 0,
        inspected: 0,
        copied: 0,
        streamed: 0,
        opened: 0,
        mapped: 0,
    };

    /// What came since an earlier look at the same buffers.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            drawn: self.drawn.saturating_sub(earlier.drawn),
            inspected: self.inspected.saturating_sub(earlier.inspected),
            copied: self.copied.saturating_sub(earlier.copied),
            streamed: self.streamed.saturating_sub(earlier.streamed),
            opened: self.opened.saturating_sub(earlier.opened),
            mapped: self.mapped.saturating_sub(earlier.mapped),
        }
    }

    /// What the calling thread was shown of buffers since it began: all that it opened itself,
    /// whosever they are.
    #[must_use]
    pub fn of_this_thread() -> Self {
        BY_THREAD.get()
    }

    /// Counts what the calling thread was shown.
    fn count_by_thread(self) {
        BY_THREAD.set([BY_THREAD.get(), self].into_iter().sum());
    }
}

thread_local! {
    static BY_THREAD: Cell<CpuCounts> = const { Cell::new(CpuCounts::NONE) };
}

impl std::iter::Sum for CpuCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::NONE, |sum, one| Self {
            drawn: sum.drawn + one.drawn,
            inspected: sum.inspected + one.inspected,
            copied: sum.copied + one.copied,
            streamed: sum.streamed + one.streamed,
            opened: sum.opened + one.opened,
            mapped: sum.mapped + one.mapped,
        })
    }
}

/// How much was looked at, while others may be counting too.
#[derive(Debug, Default)]
pub(super) struct CpuCounters {
    drawn: AtomicU64,
    inspected: AtomicU64,
    copied: AtomicU64,
    streamed: AtomicU64,
    opened: AtomicU64,
}

/// What the CPU needs of a buffer and devices do not.
#[derive(Debug)]
pub(super) struct CpuSide {
    pub(super) mapping: Arc<Mapping>,
    pub(super) counters: CpuCounters,
}

impl CpuCounters {
    fn count(&self, purpose: CpuUse, len: usize) {
        let len = len as u64;
        let mut seen = CpuCounts {
            opened: 1,
            ..CpuCounts::NONE
        };
        self.opened.fetch_add(1, Ordering::Relaxed);
        let counted = match purpose {
            CpuUse::Clear => None,
            CpuUse::Draw => Some((&self.drawn, &mut seen.drawn)),
            CpuUse::Inspect => Some((&self.inspected, &mut seen.inspected)),
            CpuUse::Copy => Some((&self.copied, &mut seen.copied)),
            CpuUse::Stream => Some((&self.streamed, &mut seen.streamed)),
        };
        if let Some((counter, by_thread)) = counted {
            counter.fetch_add(len, Ordering::Relaxed);
            *by_thread = len;
        }
        seen.count_by_thread();
    }

    /// Counts a mapping for the calling thread: its buffer is mapped for good.
    pub(super) fn count_mapping() {
        let mapped = CpuCounts {
            mapped: 1,
            ..CpuCounts::NONE
        };
        mapped.count_by_thread();
    }

    pub(super) fn counts(&self) -> CpuCounts {
        CpuCounts {
            drawn: self.drawn.load(Ordering::Relaxed),
            inspected: self.inspected.load(Ordering::Relaxed),
            copied: self.copied.load(Ordering::Relaxed),
            streamed: self.streamed.load(Ordering::Relaxed),
            opened: self.opened.load(Ordering::Relaxed),
            // Counters stand beside a mapping.
            mapped: 1,
        }
    }
}

impl DmaBuf {
    /// Opens the whole buffer for reading until the guard is dropped.
    ///
    /// The mapping is made once a buffer, at the first access.
    ///
    /// # Errors
    /// [`DmaBufError::Busy`] while it is open for writing, [`DmaBufError::Map`] when the
    /// exporter shows no memory, [`DmaBufError::Sync`] when the kernel cannot begin access.
    pub fn read(&self, purpose: CpuUse) -> Result<CpuRead<'_>, DmaBufError> {
        let side = self.cpu_side()?;
        let bytes = self.begun(Mapping::try_read(&*side.mapping), Access::Read, purpose)?;
        Ok(CpuRead {
            buffer: self,
            bytes,
        })
    }

    /// Opens the whole buffer for reading and writing until the guard is dropped.
    ///
    /// # Errors
    /// As [`DmaBuf::read`]; [`DmaBufError::Busy`] while any other guard is alive.
    pub fn write(&self, purpose: CpuUse) -> Result<CpuWrite<'_>, DmaBufError> {
        let side = self.cpu_side()?;
        let bytes = self.begun(Mapping::try_write(&*side.mapping), Access::Write, purpose)?;
        Ok(CpuWrite {
            buffer: self,
            bytes,
        })
    }

    /// Opens the buffer as [`DmaBuf::read`] and [`DmaBuf::write`] do, with no borrow to end it:
    /// whoever holds what it returns keeps the buffer, and gives it back to
    /// [`DmaBuf::end_cpu_access`].
    pub(crate) fn begin_cpu_access(
        &self,
        access: Access,
        purpose: CpuUse,
    ) -> Result<Lent, DmaBufError> {
        let mapping = Arc::clone(&self.cpu_side()?.mapping);
        let lent = match access {
            Access::Read => Mapping::try_read(mapping).map(Lent::Read),
            Access::Write => Mapping::try_write(mapping).map(Lent::Write),
        };
        self.begun(lent, access, purpose)
    }

    /// Begins an access for which the mapping was lent, unless another one has it.
    fn begun<L>(&self, lent: Option<L>, access: Access, purpose: CpuUse) -> Result<L, DmaBufError> {
        let lent = lent.ok_or(DmaBufError::Busy)?;
        if access == Access::Write {
            self.flags.set(Flags::WRITTEN);
        }
        self.sync_start(access)?;
        self.cpu_side()?.counters.count(purpose, self.len());
        Ok(lent)
    }

    pub(crate) fn end_cpu_access(&self, lent: &Lent) {
        self.sync_end(lent.access());
    }

    fn sync_start(&self, access: Access) -> Result<(), DmaBufError> {
        if !self.is_importable() {
            return Ok(());
        }
        sys::sync_start(self.fd.as_fd(), access.flags()).map_err(DmaBufError::Sync)
    }

    fn sync_end(&self, access: Access) {
        if self.is_importable()
            && let Err(errno) = sys::sync_end(self.fd.as_fd(), access.flags())
        {
            tracing::warn!(%errno, "cannot end CPU access of a dma-buf");
        }
    }
}

/// The buffer's bytes, lent without a borrow.
#[derive(Debug)]
pub(crate) enum Lent {
    Read(Readable<Arc<Mapping>>),
    Write(Writable<Arc<Mapping>>),
}

impl Lent {
    pub(crate) const fn access(&self) -> Access {
        match self {
            Self::Read(_) => Access::Read,
            Self::Write(_) => Access::Write,
        }
    }

    pub(crate) fn address(&self) -> NonNull<u8> {
        match self {
            Self::Read(bytes) => bytes.address(),
            Self::Write(bytes) => bytes.address(),
        }
    }
}

/// The buffer's bytes, readable. Dropping it ends the CPU access.
#[derive(Debug)]
pub struct CpuRead<'a> {
    buffer: &'a DmaBuf,
    bytes: Readable<&'a Mapping>,
}

impl Deref for CpuRead<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for CpuRead<'_> {
    fn drop(&mut self) {
        self.buffer.sync_end(Access::Read);
    }
}

/// The buffer's bytes, writable. Dropping it ends the CPU access.
#[derive(Debug)]
pub struct CpuWrite<'a> {
    buffer: &'a DmaBuf,
    bytes: Writable<&'a Mapping>,
}

impl Deref for CpuWrite<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for CpuWrite<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for CpuWrite<'_> {
    fn drop(&mut self) {
        self.buffer.sync_end(Access::Write);
    }
}
