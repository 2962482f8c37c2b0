//! The heaps of this machine, one after the other.

use dmaflow_core::heap::{Heap, HeapInfo, HeapRegistry};
use serde_json::{Value, json};

use crate::numbers::bytes;
use crate::table::Row;

/// A heap that is there, whether it may be used or not.
#[derive(Clone, Copy)]
pub(super) struct Listed<'r> {
    pub(super) info: &'r HeapInfo,
    /// The heap, or why it may not be used.
    pub(super) heap: Result<&'r Heap, &'r str>,
}

/// Those that can be used, then those that cannot.
pub(super) fn listed(registry: &HeapRegistry) -> impl Iterator<Item = Listed<'_>> {
    let usable = registry.heaps().map(|heap| Listed {
        info: heap.info(),
        heap: Ok(heap),
    });
    let refused = registry.refused().iter().map(|heap| Listed {
        info: &heap.info,
        heap: Err(&heap.reason),
    });
    usable.chain(refused)
}

/// A row a heap.
pub(crate) fn rows(registry: &HeapRegistry) -> Vec<Row> {
    listed(registry).map(Listed::row).collect()
}

/// A list of objects.
pub(crate) fn json(registry: &HeapRegistry) -> Value {
    listed(registry).map(Listed::json).collect()
}

impl Listed<'_> {
    fn row(self) -> Row {
        if let Err(reason) = self.heap {
            return Row::Remark(self.info.name.clone(), reason.to_owned());
        }
        Row::Cells(vec![
            self.info.name.clone(),
            self.info.contiguity.to_string(),
            self.size(),
            self.notes().join("; "),
        ])
    }

    pub(super) fn size(self) -> String {
        match (self.info.total, self.info.largest) {
            (Some(total), _) => format!("{} in all", bytes(total)),
            // udmabuf's limit may be raised beyond any memory there is.
            (None, Some(largest)) if largest < 1 << 40 => format!("{} a buffer", bytes(largest)),
            (None, _) => "any size".to_owned(),
        }
    }

    pub(super) fn notes(self) -> Vec<String> {
        let info = self.info;
        let mut notes = Vec::new();
        if !info.importable {
            notes.push("for built-in stages: devices cannot import it".to_owned());
        }
        if info.protected {
            notes.push("protected: the CPU cannot read it".to_owned());
        }
        if !info.aliases.is_empty() {
            notes.push(format!("also known as {}", info.aliases.join(", ")));
        }
        notes
    }

    pub(super) fn json(self) -> Value {
        let info = self.info;
        json!({
            "name": info.name,
            "aliases": info.aliases,
            "contiguity": info.contiguity.to_string(),
            "alignment": info.alignment,
            "cached": info.cached,
            "protected": info.protected,
            "importable": info.importable,
            "zeroed": info.zeroed,
            "largest": info.largest,
            "total": info.total,
            "refused": self.heap.err(),
        })
    }
}
