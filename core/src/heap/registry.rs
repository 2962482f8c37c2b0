//! Where heaps are registered and opened by name.

use std::path::Path;

use super::{Exporter, Heap, HeapInfo, Loans};

/// Why a heap could not be registered or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Another heap is already called so.
    #[error("a heap called `{name}` is registered already")]
    NameTaken {
        /// The name or alias in question.
        name: String,
    },
    /// No heap is called so.
    #[error("there is no heap called `{asked}`; there are: {}", list(.known))]
    Unknown {
        /// What was asked for.
        asked: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The heap is there, and may not be used.
    #[error("heap `{name}` cannot be opened: {reason}")]
    Refused {
        /// What was asked for.
        name: String,
        /// Why, and what to do about it.
        reason: String,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// A heap that is there and may not be used.
#[derive(Clone, Debug)]
pub struct RefusedHeap {
    /// What its exporter would have registered.
    pub info: HeapInfo,
    /// Why it may not be used, and what to do about it.
    pub reason: String,
}

/// Opens the heap behind a node: a device of the kernel's, a socket of a server's.
pub type NodeOpener = fn(&Path) -> Result<Heap, RegistryError>;

/// The heaps of a process, by name.
#[derive(Debug, Default)]
pub struct HeapRegistry {
    heaps: Vec<Heap>,
    refused: Vec<RefusedHeap>,
    nodes: Option<NodeOpener>,
}

impl HeapRegistry {
    /// Makes an empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty registry which takes a name with a `/` for the path of a node.
    #[must_use]
    pub fn with_nodes(opener: NodeOpener) -> Self {
        Self {
            nodes: Some(opener),
            ..Self::default()
        }
    }

    /// Registers an exporter's heap and opens it.
    ///
    /// # Errors
    /// [`RegistryError::NameTaken`] when its name or an alias is in use.
    pub fn register(
        &mut self,
        info: HeapInfo,
        exporter: impl Exporter + 'static,
    ) -> Result<Heap, RegistryError> {
        self.add(Heap::new(info, exporter))
    }

    /// Registers a heap that was made elsewhere.
    ///
    /// # Errors
    /// [`RegistryError::NameTaken`] when its name or an alias is in use.
    pub fn add(&mut self, heap: Heap) -> Result<Heap, RegistryError> {
        let info = heap.info();
        let mut names = std::iter::once(&info.name).chain(&info.aliases);
        if let Some(name) = names.find(|name| self.find(name).is_some()) {
            return Err(RegistryError::NameTaken { name: name.clone() });
        }
        self.heaps.push(heap.clone());
        Ok(heap)
    }

    /// Remembers a heap that is there but may not be used, so that asking for it tells why.
    pub fn refuse(&mut self, info: HeapInfo, reason: String) {
        self.refused.push(RefusedHeap { info, reason });
    }

    /// Opens a heap by its name, an alias, or the path of its node.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`], [`RegistryError::Refused`].
    pub fn open(&self, name: &str) -> Result<Heap, RegistryError> {
        if let Some(heap) = self.find(name) {
            return Ok(heap.clone());
        }
        if let Some(refused) = self.refused.iter().find(|heap| heap.info.answers_to(name)) {
            return Err(RegistryError::Refused {
                name: name.to_owned(),
                reason: refused.reason.clone(),
            });
        }
        if let Some(opener) = self.nodes.filter(|_nodes| name.contains('/')) {
            return opener(Path::new(name));
        }
        Err(RegistryError::Unknown {
            asked: name.to_owned(),
            known: self
                .heaps
                .iter()
                .map(|heap| heap.name().to_owned())
                .collect(),
        })
    }

    /// Opens the first of `names` that can be opened.
    ///
    /// # Errors
    /// The error of the last name, or of an empty list as [`RegistryError::Unknown`].
    pub fn open_first<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<Heap, RegistryError> {
        let mut outcome = self.open("");
        for name in names {
            outcome = self.open(name);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// The heaps that can be used, in the order they were registered.
    pub fn heaps(&self) -> impl Iterator<Item = &Heap> {
        self.heaps.iter()
    }

    /// What is on loan from any of them, and to whom: at a program's end there should be
    /// nothing.
    #[must_use]
    pub fn loans(&self) -> Loans {
        let mut all = Loans::default();
        for heap in &self.heaps {
            let loans = heap.loans();
            all.named.extend(loans.named);
            all.unnamed.extend(loans.unnamed);
        }
        all
    }

    /// The heaps that are there and may not be used.
    #[must_use]
    pub fn refused(&self) -> &[RefusedHeap] {
        &self.refused
    }

    fn find(&self, name: &str) -> Option<&Heap> {
        self.heaps.iter().find(|heap| heap.info().answers_to(name))
    }
}
