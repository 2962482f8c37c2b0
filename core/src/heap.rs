//! Heaps: exporters register them, users open them by name and allocate.
//!
//! The shape is that of the kernel's dma-buf heaps framework: an exporter hands the core a
//! [`HeapInfo`] and its operations ([`Exporter`]), the core gives each heap a name under which
//! it can be opened, and allocation as well as release stay in the exporter's control.

mod registry;
mod stats;

pub use registry::{HeapRegistry, RefusedHeap, RegistryError};
pub use stats::HeapStats;

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::Arc;

use nix::errno::Errno;

use crate::dma_buf::{DmaBuf, DmaBufError};
use stats::Counters;

/// How the pages of a heap's buffers lie in physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contiguity {
    /// Every buffer is one physically contiguous piece.
    Contiguous,
    /// Buffers are made of pages from anywhere.
    Scattered,
    /// The exporter cannot tell.
    Unknown,
}

/// What an exporter says of its heap.
#[derive(Clone, Debug)]
pub struct HeapInfo {
    /// The name it is opened by.
    pub name: String,
    /// Other names of the same memory.
    pub aliases: Vec<String>,
    /// How its pages lie.
    pub contiguity: Contiguity,
    /// Whether the CPU's access goes through its caches; `None` where that is not known.
    pub cached: Option<bool>,
    /// Whether the CPU is kept out (protected content).
    pub protected: bool,
    /// Whether devices can import its buffers.
    pub importable: bool,
    /// The longest buffer it can give, in bytes, where that is known.
    pub largest: Option<u64>,
    /// All the memory it has, in bytes, where that is known.
    pub total: Option<u64>,
}

impl HeapInfo {
    /// Whether a heap is opened by this name.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }
}

/// The operations of a heap, kept by the exporter.
pub trait Exporter: Send + Sync {
    /// Gives a zeroed buffer of at least `len` bytes.
    ///
    /// # Errors
    /// Whatever the exporter's memory refuses with.
    fn allocate(&self, len: NonZeroUsize) -> Result<DmaBuf, ExportError>;

    /// Takes a buffer back when its last user in this process has let go.
    ///
    /// The default closes it, which frees the memory once no device holds it either.
    fn release(&self, buffer: DmaBuf) {
        drop(buffer);
    }
}

/// Why an exporter gave no buffer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The operating system refused.
    #[error("{call} failed")]
    Os {
        /// The system call or ioctl.
        call: &'static str,
        /// ENOMEM when the memory is full or too fragmented, EACCES without permission.
        source: Errno,
    },
    /// What came back cannot be used as a buffer.
    #[error(transparent)]
    Buffer(#[from] DmaBufError),
}

impl ExportError {
    /// The error number the kernel gave, where it was the kernel that refused.
    #[must_use]
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::Os { source, .. }
            | Self::Buffer(DmaBufError::Measure(source) | DmaBufError::Map { source, .. }) => {
                Some(*source)
            }
            Self::Buffer(_) => None,
        }
    }
}

/// Why a heap gave no buffer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AllocError {
    /// Nothing was asked for.
    #[error("heap `{heap}`: a buffer of 0 bytes was asked for")]
    Empty {
        /// The heap's name.
        heap: String,
    },
    /// More than one buffer of this heap can hold.
    #[error("heap `{heap}`: {asked} bytes were asked for, and its largest buffer is {largest}")]
    TooLarge {
        /// The heap's name.
        heap: String,
        /// Bytes asked for.
        asked: usize,
        /// Bytes it gives at most.
        largest: u64,
    },
    /// The exporter gave fewer bytes than were asked for.
    #[error("heap `{heap}`: {asked} bytes were asked for, and its exporter gave {given}")]
    Short {
        /// The heap's name.
        heap: String,
        /// Bytes asked for.
        asked: usize,
        /// Bytes given.
        given: usize,
    },
    /// The exporter refused.
    #[error("heap `{heap}` gave no buffer of {asked} bytes{}", advice(.source))]
    Exporter {
        /// The heap's name.
        heap: String,
        /// Bytes asked for.
        asked: usize,
        /// What the exporter says.
        source: ExportError,
    },
}

/// What a user can do about the refusals that have a usual cause.
fn advice(error: &ExportError) -> &'static str {
    match error.errno() {
        Some(Errno::ENOMEM) => {
            ": its memory is full or too fragmented; use fewer or smaller buffers, another heap, \
             or, for the CMA, a larger `cma=` on the kernel's command line"
        }
        Some(Errno::EACCES | Errno::EPERM) => {
            ": permission denied; run as a user who may open the node, or add a udev rule for it"
        }
        Some(Errno::EMFILE) => ": this process has too many open files; raise `ulimit -n`",
        _ => "",
    }
}

/// A registered heap, open for allocation. Clones are the same heap.
#[derive(Clone)]
pub struct Heap(Arc<Registered>);

struct Registered {
    info: HeapInfo,
    exporter: Box<dyn Exporter>,
    counters: Counters,
}

impl Heap {
    /// Makes a heap of an exporter without registering it anywhere.
    #[must_use]
    pub fn new(info: HeapInfo, exporter: impl Exporter + 'static) -> Self {
        Self(Arc::new(Registered {
            info,
            exporter: Box::new(exporter),
            counters: Counters::default(),
        }))
    }

    /// What its exporter says of it.
    #[must_use]
    pub fn info(&self) -> &HeapInfo {
        &self.0.info
    }

    /// The name it was registered under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.info.name
    }

    /// What was allocated from it through this process's handles.
    #[must_use]
    pub fn stats(&self) -> HeapStats {
        self.0.counters.snapshot()
    }

    /// Gives a zeroed buffer of at least `len` bytes.
    ///
    /// # Errors
    /// [`AllocError`], each case counted in [`HeapStats::failed`].
    pub fn allocate(&self, len: usize) -> Result<HeapBuffer, AllocError> {
        let buffer = self
            .export(len)
            .inspect_err(|_counted| self.0.counters.failed())?;
        self.0.counters.allocated(buffer.len());
        Ok(HeapBuffer {
            heap: self.clone(),
            buffer: Some(buffer),
        })
    }

    fn export(&self, asked: usize) -> Result<DmaBuf, AllocError> {
        let heap = || self.name().to_owned();
        let len = NonZeroUsize::new(asked).ok_or_else(|| AllocError::Empty { heap: heap() })?;
        if let Some(largest) = self.info().largest
            && asked as u64 > largest
        {
            return Err(AllocError::TooLarge {
                heap: heap(),
                asked,
                largest,
            });
        }
        let buffer = self
            .0
            .exporter
            .allocate(len)
            .map_err(|source| AllocError::Exporter {
                heap: heap(),
                asked,
                source,
            })?;
        if buffer.len() < asked {
            let given = buffer.len();
            self.0.exporter.release(buffer);
            return Err(AllocError::Short {
                heap: heap(),
                asked,
                given,
            });
        }
        Ok(buffer)
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Heap").field(&self.name()).finish()
    }
}

/// A buffer on loan from a heap. Dropping it hands it back to the exporter.
///
/// # Invariants
/// `buffer` is there until `Drop` runs.
#[derive(Debug)]
pub struct HeapBuffer {
    heap: Heap,
    buffer: Option<DmaBuf>,
}

impl HeapBuffer {
    /// The heap it came from.
    #[must_use]
    pub const fn heap(&self) -> &Heap {
        &self.heap
    }
}

impl Deref for HeapBuffer {
    type Target = DmaBuf;

    #[expect(clippy::expect_used, reason = "the type's invariant")]
    fn deref(&self) -> &DmaBuf {
        self.buffer.as_ref().expect("a buffer until dropped")
    }
}

impl Drop for HeapBuffer {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            let len = buffer.len();
            self.heap.0.exporter.release(buffer);
            self.heap.0.counters.released(len);
        }
    }
}
