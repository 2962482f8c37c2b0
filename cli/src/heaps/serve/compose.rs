//! The heap that a server's file describes: an exporter, with the helpers that it asks for.

use dmaflow_core::heap::{Budget, Exporter, Heap, HeapInfo};
use dmaflow_pipelines::description::serving::ServedHeap;

use crate::failure::{Failure, with_causes};

/// An exporter and what it says of itself.
type Composed = (HeapInfo, Box<dyn Exporter>);

/// Makes the heap.
pub(super) fn heap(served: &ServedHeap) -> Result<Heap, Failure> {
    let (mut info, exporter) = with_helpers(served, source(served)?);
    info.name.clone_from(&served.name);
    info.aliases.clear();
    if let Some(budget) = served.budget {
        info.largest = Some(info.largest.map_or(budget, |largest| largest.min(budget)));
        info.total = Some(info.total.map_or(budget, |total| total.min(budget)));
    }
    let heap = Heap::new(info, exporter);
    heap.set_budget(Budget {
        bytes: served.budget,
        buffers: None,
    });
    Ok(heap)
}

/// Where the memory comes from.
fn source(served: &ServedHeap) -> Result<Composed, Failure> {
    dmaflow_heaps::exporter(&served.from).map_err(|error| {
        Failure::Pipeline(format!("[heap.{}]: {}", served.name, with_causes(&error)))
    })
}

/// Puts around the exporter what the file asks for, the innermost first.
///
/// A helper is one step that takes what there is and gives what it makes of it, with the
/// information as it is then.
fn with_helpers(_served: &ServedHeap, composed: Composed) -> Composed {
    composed
}
