//! The heaps of this machine.

use dmaflow_core::heap::{HeapInfo, HeapRegistry};
use serde_json::{Value, json};

use crate::numbers::bytes;
use crate::table::Row;

pub(super) fn rows(registry: &HeapRegistry) -> Vec<Row> {
    let usable = registry.heaps().map(|heap| row(heap.info()));
    let refused = registry
        .refused()
        .iter()
        .map(|heap| Row::Remark(heap.info.name.clone(), heap.reason.clone()));
    usable.chain(refused).collect()
}

fn row(info: &HeapInfo) -> Row {
    let size = match (info.total, info.largest) {
        (Some(total), _) => format!("{} in all", bytes(total)),
        // udmabuf's limit may be raised beyond any memory there is.
        (None, Some(largest)) if largest < 1 << 40 => format!("{} a buffer", bytes(largest)),
        (None, _) => "any size".to_owned(),
    };
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
    Row::Cells(vec![
        info.name.clone(),
        info.contiguity.to_string(),
        size,
        notes.join("; "),
    ])
}

pub(super) fn json(registry: &HeapRegistry) -> Value {
    let usable = registry.heaps().map(|heap| heap_json(heap.info(), None));
    let refused = registry
        .refused()
        .iter()
        .map(|heap| heap_json(&heap.info, Some(&heap.reason)));
    usable.chain(refused).collect()
}

fn heap_json(info: &HeapInfo, refused: Option<&str>) -> Value {
    json!({
        "name": info.name,
        "aliases": info.aliases,
        "contiguity": info.contiguity.to_string(),
        "cached": info.cached,
        "protected": info.protected,
        "importable": info.importable,
        "largest": info.largest,
        "total": info.total,
        "refused": refused,
    })
}
