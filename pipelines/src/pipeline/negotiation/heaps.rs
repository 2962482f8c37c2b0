//! Which heaps are tried.

use dmaflow_core::caps::Set;
use dmaflow_core::heap::{Heap, HeapRegistry};

use super::super::Builder;
use super::super::graph::Stage;
use super::HeapRequest;
use crate::error::{PipelineError, Refusal};
use crate::probe::{Needs, in_order};

/// The heaps that may be tried, each once, and which of them for which stage's frames.
pub(super) struct Candidates {
    pub(super) heaps: Vec<Heap>,
    /// By stage.
    pub(super) names: Vec<Set<String>>,
}

impl Candidates {
    /// Those that were asked for, or else whatever is not protected. Of several that were named,
    /// those that cannot be opened are passed over.
    pub(super) fn of(
        builder: &Builder,
        registry: &HeapRegistry,
        refusals: &mut Vec<Refusal>,
    ) -> Result<Self, PipelineError> {
        let all = registry.heaps().filter(|heap| !heap.info().protected);
        let usual: Vec<Heap> = all.cloned().collect();
        let mut heaps = usual.clone();
        let mut names = Vec::with_capacity(builder.graph.nodes.len());
        for stage in 0..builder.graph.nodes.len() {
            let asked = builder.pools.get(&stage).map(|pool| &pool.heaps);
            let Some(HeapRequest::Names(asked)) = asked else {
                names.push(Set::Any);
                continue;
            };
            let opened = opened(asked, registry, &mut heaps, refusals);
            if opened.is_empty() {
                return Err(PipelineError::Refused(std::mem::take(refusals)));
            }
            names.push(Set::Of(opened));
        }
        if heaps.len() > usual.len() {
            // What one stage asked for by name is not for the others.
            let usual = best_first(usual);
            let others = names.iter_mut().filter(|names| **names == Set::Any);
            others.for_each(|names| *names = Set::Of(usual.clone()));
        }
        let found = Self { heaps, names };
        found.check(builder)?;
        Ok(found)
    }

    /// Something is there for devices to import.
    fn check(&self, builder: &Builder) -> Result<(), PipelineError> {
        let devices = builder.graph.nodes.iter().any(|node| match &node.stage {
            Stage::Source(source) => source.imports(),
            Stage::Transform(transform) => transform.imports(),
            Stage::Sink(sink) => sink.imports(),
            Stage::Mixer(mixer) => mixer.imports(),
            Stage::Filter(_) | Stage::Router(_) => false,
        });
        let mut heaps = self.heaps.iter();
        let nothing = heaps.all(|heap| devices && !heap.info().importable);
        let asked = builder
            .pools
            .values()
            .any(|pool| pool.heaps != HeapRequest::Any);
        if nothing && !asked {
            return Err(PipelineError::NoHeap);
        }
        Ok(())
    }
}

/// The names of heaps as a probe for devices ranks them.
fn best_first(mut heaps: Vec<Heap>) -> Vec<String> {
    let needs = Needs {
        devices: true,
        cpu: false,
    };
    in_order(&mut heaps, needs);
    heaps.iter().map(|heap| heap.name().to_owned()).collect()
}

/// Opens heaps by name, adds those that are new, and tells their names.
fn opened(
    asked: &[String],
    registry: &HeapRegistry,
    heaps: &mut Vec<Heap>,
    refusals: &mut Vec<Refusal>,
) -> Vec<String> {
    let mut names = Vec::new();
    for name in asked {
        match registry.open(name) {
            Ok(heap) => {
                names.push(heap.name().to_owned());
                if heaps.iter().all(|known| known.name() != heap.name()) {
                    heaps.push(heap);
                }
            }
            Err(reason) => refusals.push(Refusal {
                format: None,
                heap: Some(name.clone()),
                reason: reason.into(),
            }),
        }
    }
    names
}
