//! What is known of heaps.

use dmaflow_core::caps::MemoryNeeds;
use dmaflow_core::heap::{Contiguity, HeapInfo};

/// What is known of a heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeapFacts {
    /// Its name.
    pub name: String,
    /// Other names of the same memory.
    pub aliases: Vec<String>,
    /// How the pages of its buffers lie.
    pub contiguity: Contiguity,
    /// Whether devices can import its buffers.
    pub importable: bool,
    /// Whether drivers that map its buffers for the CPU find them as they are.
    pub vmap: bool,
    /// Whether the CPU is kept out.
    pub protected: bool,
    /// Whether the CPU's access goes through its caches; `None` where that is not known.
    pub cached: Option<bool>,
    /// How many bits the addresses of its buffers have at most; `None` where that is not known.
    pub address_bits: Option<u32>,
    /// How many bytes it can still give; `None` where that is not known, or does not matter.
    pub room: Option<u64>,
    /// The longest buffer it can give, in bytes, where that is known.
    pub largest: Option<u64>,
}

impl HeapFacts {
    /// A heap of importable memory of which nothing else is known.
    #[must_use]
    pub fn new(name: impl Into<String>, contiguity: Contiguity) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            contiguity,
            importable: true,
            vmap: true,
            protected: false,
            cached: None,
            address_bits: None,
            room: None,
            largest: None,
        }
    }

    /// Whether both are one memory: they share a name.
    #[must_use]
    pub fn is_same_memory(&self, other: &Self) -> bool {
        let names = |heap: &Self| {
            let mut names = vec![heap.name.clone()];
            names.extend(heap.aliases.iter().cloned());
            names
        };
        names(self).iter().any(|name| other.answers_to(name))
    }

    /// Whether it is known by this name.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// What keeps it from being used for buffers up to so long, if anything.
    pub(super) fn unfit(&self, needs: MemoryNeeds, longest: u64) -> Option<&'static str> {
        let in_one_piece = match self.contiguity {
            // What does not say how it lies is asked.
            Contiguity::Contiguous | Contiguity::Unknown => true,
            Contiguity::Pieces(piece) => longest <= piece.get(),
            Contiguity::Scattered => false,
        };
        let reachable = match (needs.address_bits, self.address_bits) {
            (Some(reached), Some(has)) => has <= reached,
            _ => true,
        };
        if needs.import && !self.importable {
            Some("devices cannot import it")
        } else if needs.cpu && self.protected {
            Some("it keeps the CPU out")
        } else if needs.vmap && !self.vmap {
            Some(
                "before Linux 6.16 a driver that maps huge pages for the CPU is refused, or sees \
                 the wrong ones",
            )
        } else if needs.contiguous && !in_one_piece {
            Some("its buffers are not in one physical piece")
        } else if !reachable {
            Some("its addresses are longer than the device reaches")
        } else if self.largest.is_some_and(|largest| longest > largest) {
            Some("it gives no buffers so long")
        } else {
            None
        }
    }

    /// What it costs to use it, to be compared.
    pub(super) fn cost(&self, needs: MemoryNeeds) -> impl Ord + use<> {
        let scarcity = match self.contiguity {
            Contiguity::Scattered => 0,
            Contiguity::Pieces(_) => 1,
            Contiguity::Contiguous => 2,
            Contiguity::Unknown => 3,
        };
        (
            needs.address_bits.is_some() && self.address_bits.is_none(),
            self.importable != needs.import,
            self.protected,
            scarcity,
            needs.cpu && self.cached == Some(false),
        )
    }
}

impl From<&HeapInfo> for HeapFacts {
    fn from(info: &HeapInfo) -> Self {
        Self {
            aliases: info.aliases.clone(),
            importable: info.importable,
            vmap: info.vmap,
            protected: info.protected,
            cached: info.cached,
            room: info.total,
            largest: info.largest,
            ..Self::new(info.name.clone(), info.contiguity)
        }
    }
}
