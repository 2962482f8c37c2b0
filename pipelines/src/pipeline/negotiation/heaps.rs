//! Which heaps are tried for a domain.

use dmaflow_core::heap::{Heap, HeapRegistry};

use super::super::Builder;
use super::super::graph::Domain;
use super::{HeapRequest, ask};
use crate::error::{PipelineError, Refusal};
use crate::probe::{Needs, in_order};

/// The heaps to try, in order: the user's, or else the best first. Of several that were named,
/// those that cannot be opened are passed over.
pub(super) fn candidates(
    builder: &mut Builder,
    domain: &Domain,
    registry: &HeapRegistry,
    refusals: &mut Vec<Refusal>,
) -> Result<Vec<Heap>, PipelineError> {
    let asked = domain
        .producers
        .iter()
        .filter_map(|stage| builder.pools.get(stage));
    let named = asked.filter_map(|pool| match &pool.heaps {
        HeapRequest::Names(names) => Some(names),
        HeapRequest::Any => None,
    });
    let Some(names) = named.reduce(|one, _others| one) else {
        return any(builder, domain, registry);
    };
    let mut heaps = Vec::new();
    for name in names {
        match registry.open(name) {
            Ok(heap) => heaps.push(heap),
            Err(reason) => refusals.push(Refusal {
                format: None,
                heap: Some(name.clone()),
                reason: reason.into(),
            }),
        }
    }
    if heaps.is_empty() {
        return Err(PipelineError::Refused(std::mem::take(refusals)));
    }
    Ok(heaps)
}

/// Memory that devices cannot import is the cheapest where there are none.
fn any(
    builder: &mut Builder,
    domain: &Domain,
    registry: &HeapRegistry,
) -> Result<Vec<Heap>, PipelineError> {
    let producer = domain.producers.first().copied().unwrap_or_default();
    let (_, mut importers) = ask::importers(&mut builder.graph, domain, producer);
    let needs = Needs::of(&ask::borrowed(&mut importers));
    let mut heaps: Vec<_> = registry
        .heaps()
        .filter(|heap| heap.info().importable == needs.devices && !heap.info().protected)
        .cloned()
        .collect();
    if heaps.is_empty() {
        return Err(PipelineError::NoHeap);
    }
    in_order(&mut heaps, needs);
    Ok(heaps)
}
