//! What an exporter says of its heap.

use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::OnceLock;

/// How the pages of a heap's buffers lie in physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contiguity {
    /// Every buffer is one physically contiguous piece.
    Contiguous,
    /// Buffers are made of contiguous pieces of so many bytes, each aligned to its length: one
    /// that is not longer, and crosses no border between pieces, is contiguous.
    Pieces(NonZeroU64),
    /// Buffers are made of pages from anywhere.
    Scattered,
    /// The exporter cannot tell.
    Unknown,
}

impl fmt::Display for Contiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contiguous => f.write_str("contiguous"),
            Self::Pieces(len) => write!(f, "pieces of {} KiB", len.get() >> 10),
            Self::Scattered => f.write_str("scattered"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// What an exporter says of its heap.
#[derive(Clone, Debug)]
pub struct HeapInfo {
    /// The name it is opened by.
    pub name: String,
    /// Other names of the same memory.
    pub aliases: Vec<String>,
    /// Where it is opened, where it has a node.
    pub node: Option<PathBuf>,
    /// How its pages lie.
    pub contiguity: Contiguity,
    /// The largest alignment in bytes that a request may ask for, a power of two: of where the
    /// memory begins, as devices see it.
    pub alignment: usize,
    /// Whether the CPU's access goes through its caches; `None` where that is not known.
    pub cached: Option<bool>,
    /// Whether the CPU is kept out (protected content).
    pub protected: bool,
    /// Whether devices can import its buffers.
    pub importable: bool,
    /// Whether drivers that map its buffers for the CPU (`dma_buf_vmap`) find them as they are:
    /// not so huge pages before Linux 6.16.
    pub vmap: bool,
    /// Whether buffers are zeroed; not so where a helper gives a client its own memory back
    /// as it was.
    pub zeroed: bool,
    /// The longest buffer it can give, in bytes, where that is known.
    pub largest: Option<u64>,
    /// All the memory it has, in bytes, where that is known.
    pub total: Option<u64>,
}

impl HeapInfo {
    /// A heap of which no more is known than that devices can import its zeroed buffers.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            node: None,
            contiguity: Contiguity::Unknown,
            alignment: page_size(),
            cached: None,
            protected: false,
            importable: true,
            vmap: true,
            zeroed: true,
            largest: None,
            total: None,
        }
    }

    /// Whether a heap is opened by this name.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }
}

/// The length of a page in bytes, a power of two: what every buffer is a whole number of.
#[must_use]
pub fn page_size() -> usize {
    // The C library is asked through a call of its own, and every allocation wants to know.
    static PAGE: OnceLock<usize> = OnceLock::new();
    *PAGE.get_or_init(rustix::param::page_size)
}

/// Rounds a length up to whole pages, unless that is too long for any memory.
#[must_use]
#[inline]
pub fn whole_pages(len: NonZeroUsize) -> Option<NonZeroUsize> {
    // A page is a power of two: there is no need to divide.
    let below = page_size() - 1;
    NonZeroUsize::new(len.get().checked_add(below)? & !below)
}

/// All the memory of this machine in bytes: what no buffer can be longer than.
#[must_use]
pub fn memory_total() -> Option<u64> {
    nix::sys::sysinfo::sysinfo()
        .ok()
        .map(|machine| machine.ram_total())
}
