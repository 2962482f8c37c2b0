//! A dma-buf: memory that devices share by descriptor.
//!
//! See the kernel's "Buffer Sharing and Synchronization"
//! (`Documentation/driver-api/dma-buf.rst`).

mod access;
mod holders;
pub mod listings;

pub(crate) use access::Lent;
pub use access::{CpuCounts, CpuRead, CpuUse, CpuWrite};

use std::ffi::{CStr, CString};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;
use nix::sys::stat::fstat;
use nix::unistd::{Whence, lseek64};

use crate::sys;
use access::{CpuCounters, CpuSide};

/// Why something could not be done with a dma-buf.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DmaBufError {
    /// The descriptor is no buffer whose length can be asked.
    #[error("cannot measure the buffer")]
    Measure(#[source] Errno),
    /// A buffer of no bytes cannot be used.
    #[error("the buffer is empty")]
    Empty,
    /// The exporter cannot show its memory to the CPU.
    #[error("cannot map {len} bytes of the buffer")]
    Map {
        /// The buffer's length in bytes.
        len: usize,
        /// ENODEV or EACCES from exporters without CPU access, ENOMEM without address space.
        source: Errno,
    },
    /// `DMA_BUF_IOCTL_SYNC` failed.
    #[error("cannot begin CPU access")]
    Sync(#[source] Errno),
    /// Another guard is alive that this access would race with.
    #[error("the buffer is in use by the CPU elsewhere: drop the other guard first")]
    Busy,
    /// The kernel did not take the name.
    #[error("cannot name the buffer {name:?}")]
    Name {
        /// What it was to be called.
        name: String,
        /// EINVAL for a name of more than 31 bytes or with a NUL, EBUSY while devices use the
        /// buffer (before Linux 5.5).
        source: Errno,
    },
    /// A sync file could not be exported or imported.
    #[error("cannot {verb} a sync file")]
    SyncFile {
        /// "export" or "import".
        verb: &'static str,
        /// ENOTTY before Linux 6.0 and on memory that is no dma-buf.
        source: Errno,
    },
}

impl DmaBufError {
    /// The kernel's number for it, where there is one.
    #[must_use]
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::Measure(source)
            | Self::Map { source, .. }
            | Self::Sync(source)
            | Self::Name { source, .. }
            | Self::SyncFile { source, .. } => Some(*source),
            Self::Busy => Some(Errno::EBUSY),
            Self::Empty => None,
        }
    }
}

/// What a buffer is the same as: two descriptors of one buffer have equal ids.
///
/// It is the inode number on the kernel's dma-buf file system, the one that
/// `/sys/kernel/debug/dma_buf/bufinfo` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(u64);

impl BufferId {
    /// The inode number.
    #[must_use]
    pub const fn inode(self) -> u64 {
        self.0
    }
}

/// Who accesses a buffer, for implicit fences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads only.
    Read,
    /// Writes, or reads and writes.
    Write,
}

impl Access {
    const fn flags(self) -> u32 {
        match self {
            Self::Read => sys::SYNC_READ,
            Self::Write => sys::SYNC_READ | sys::SYNC_WRITE,
        }
    }
}

/// What is to be remembered of a buffer, a bit each. A byte without values to spare: where an
/// `Option` of a buffer is moved, it is then moved in whole words.
#[derive(Debug)]
struct Flags(AtomicU8);

impl Flags {
    /// It is no dma-buf, but a memfd in its place.
    const MEMORY: u8 = 1;
    /// Somebody was given the descriptor, and may have kept what it leads to, or left a fence.
    const LENT: u8 = 2;
    /// It was open for writing.
    const WRITTEN: u8 = 4;
    /// Some who hold the memory hold no reference of the dma-buf.
    const UNCOUNTED: u8 = 8;

    fn has(&self, flag: u8) -> bool {
        self.0.load(Ordering::Relaxed) & flag != 0
    }

    fn set(&self, flag: u8) {
        self.0.fetch_or(flag, Ordering::Relaxed);
    }
}

/// An owned descriptor of a dma-buf, with its length and identity.
#[derive(Debug)]
pub struct DmaBuf {
    fd: sys::Descriptor,
    len: NonZeroUsize,
    /// The inode, or 0 while nobody asked.
    id: AtomicU64,
    flags: Flags,
    /// Apart from the rest: most buffers are seen by devices only, and a value that is short
    /// costs less to hand on.
    cpu: OnceLock<Box<CpuSide>>,
}

impl DmaBuf {
    /// Takes a dma-buf that an exporter gave.
    ///
    /// # Errors
    /// [`DmaBufError::Measure`] when the descriptor cannot be sought to its end, as every
    /// dma-buf can; [`DmaBufError::Empty`] when it holds nothing.
    pub fn new(fd: OwnedFd) -> Result<Self, DmaBufError> {
        Self::measured(fd, 0)
    }

    /// Takes ordinary shared memory (a memfd) that stands where a dma-buf would.
    ///
    /// Needs no kernel support; devices cannot import it, and CPU access needs no
    /// `DMA_BUF_IOCTL_SYNC`.
    ///
    /// # Errors
    /// As [`DmaBuf::new`].
    pub fn from_memory(fd: OwnedFd) -> Result<Self, DmaBufError> {
        Self::measured(fd, Flags::MEMORY)
    }

    /// Takes a dma-buf of which the exporter knows the length, without asking the kernel.
    #[must_use]
    pub fn with_len(fd: OwnedFd, len: NonZeroUsize) -> Self {
        Self::assemble(fd, len, 0)
    }

    /// Takes a dma-buf over memory that its driver may use without a reference of the dma-buf.
    ///
    /// So do DRM drivers with memory of their own: a device that imports what it exported takes
    /// the object behind it (`drm_gem_prime_import_dev`), and some map that instead of the
    /// dma-buf.
    ///
    /// # Errors
    /// As [`DmaBuf::new`].
    pub fn of_driver(fd: OwnedFd) -> Result<Self, DmaBufError> {
        Self::measured(fd, Flags::UNCOUNTED)
    }

    fn measured(fd: OwnedFd, flags: u8) -> Result<Self, DmaBufError> {
        let end = lseek64(&fd, 0, Whence::SeekEnd).map_err(DmaBufError::Measure)?;
        let len = usize::try_from(end)
            .ok()
            .and_then(NonZeroUsize::new)
            .ok_or(DmaBufError::Empty)?;
        Ok(Self::assemble(fd, len, flags))
    }

    fn assemble(fd: OwnedFd, len: NonZeroUsize, flags: u8) -> Self {
        Self {
            fd: fd.into(),
            len,
            id: AtomicU64::new(0),
            flags: Flags(AtomicU8::new(flags)),
            cpu: OnceLock::new(),
        }
    }

    /// The length in bytes, as the exporter rounded it.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a buffer is never empty")]
    pub const fn len(&self) -> usize {
        self.len.get()
    }

    /// What this buffer is the same as.
    ///
    /// The kernel is asked once. (It has no reason to refuse; should it, the id is 0, which no
    /// buffer has.)
    #[must_use]
    pub fn id(&self) -> BufferId {
        let known = self.id.load(Ordering::Relaxed);
        if known != 0 {
            return BufferId(known);
        }
        let inode = fstat(&self.fd).map_or(0, |stat| stat.st_ino);
        self.id.store(inode, Ordering::Relaxed);
        BufferId(inode)
    }

    /// Whether devices can import it.
    #[must_use]
    pub fn is_importable(&self) -> bool {
        !self.flags.has(Flags::MEMORY)
    }

    /// How many bytes the CPU has been shown so far, and for what; whether it is mapped.
    #[must_use]
    pub fn cpu_counts(&self) -> CpuCounts {
        let cpu = self.cpu.get();
        cpu.map_or_else(CpuCounts::default, |cpu| cpu.counters.counts())
    }

    /// Sets the name that the kernel's listings show, at most 31 bytes.
    ///
    /// # Errors
    /// [`DmaBufError::Name`]; ENOTTY on memory that is no dma-buf.
    #[doc(alias = "DMA_BUF_SET_NAME")]
    pub fn set_name(&self, name: &str) -> Result<(), DmaBufError> {
        CString::new(name)
            .map_err(|_nul| Errno::EINVAL)
            .and_then(|text| sys::set_name(self.fd.as_fd(), &text))
            .map_err(|source| DmaBufError::Name {
                name: name.to_owned(),
                source,
            })
    }

    /// Sets the name where there can be one: it is a help for whoever reads the kernel's
    /// listings, so that a refusal is no more than logged.
    pub fn try_set_name(&self, name: &CStr) {
        if self.is_importable()
            && let Err(errno) = sys::set_name(self.fd.as_fd(), name)
        {
            tracing::debug!(%errno, ?name, "a buffer does not get its name");
        }
    }

    /// Returns a sync file that signals when the buffer may be accessed so.
    ///
    /// # Errors
    /// [`DmaBufError::SyncFile`]. Needs Linux 6.0.
    #[doc(alias = "DMA_BUF_IOCTL_EXPORT_SYNC_FILE")]
    pub fn export_sync_file(&self, access: Access) -> Result<OwnedFd, DmaBufError> {
        sys::export_sync_file(self.fd.as_fd(), access.flags()).map_err(|source| {
            DmaBufError::SyncFile {
                verb: "export",
                source,
            }
        })
    }

    /// Makes later users of the buffer wait for the fence in `sync_file`.
    ///
    /// # Errors
    /// [`DmaBufError::SyncFile`]; EINVAL when it is no sync file. Needs Linux 6.0.
    #[doc(alias = "DMA_BUF_IOCTL_IMPORT_SYNC_FILE")]
    pub fn import_sync_file(
        &self,
        access: Access,
        sync_file: BorrowedFd<'_>,
    ) -> Result<(), DmaBufError> {
        // Whoever signals the fence may write until then.
        self.flags.set(Flags::LENT);
        sys::import_sync_file(self.fd.as_fd(), access.flags(), sync_file).map_err(|source| {
            DmaBufError::SyncFile {
                verb: "import",
                source,
            }
        })
    }

    fn cpu_side(&self) -> Result<&CpuSide, DmaBufError> {
        if let Some(side) = self.cpu.get() {
            return Ok(side);
        }
        let mapping = sys::Mapping::new(&self.fd, self.len).map_err(|source| DmaBufError::Map {
            len: self.len.get(),
            source,
        })?;
        let fresh = Box::new(CpuSide {
            mapping: Arc::new(mapping),
            counters: CpuCounters::default(),
        });
        CpuCounters::count_mapping();
        // Where two threads map at once, one mapping stays and the other is undone.
        Ok(self.cpu.get_or_init(|| fresh))
    }
}

impl AsFd for DmaBuf {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.flags.set(Flags::LENT);
        self.fd.as_fd()
    }
}
