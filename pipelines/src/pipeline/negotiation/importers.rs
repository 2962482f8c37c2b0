//! The ports of stages as importers of pools.

use super::super::graph::{Domain, Graph, Stage};
use super::stated::Side;
use crate::probe::{Importer, InputImporter, MixerImporter, OutputImporter};
use crate::probe::{SinkImporter, SourceImporter};

/// A port as an importer; `None` of stages that pass frames on, which look at none.
pub(super) fn importer(stage: &mut Stage, side: Side) -> Option<Box<dyn Importer + '_>> {
    Some(match (stage, side) {
        (Stage::Source(source), _) => Box::new(SourceImporter(source.as_mut())),
        (Stage::Transform(transform), Side::Input(_)) => {
            Box::new(InputImporter(transform.as_mut()))
        }
        (Stage::Transform(transform), Side::Output(_)) => {
            Box::new(OutputImporter(transform.as_mut()))
        }
        (Stage::Sink(sink), _) => Box::new(SinkImporter(sink.as_mut())),
        (Stage::Mixer(mixer), Side::Input(input)) => Box::new(MixerImporter {
            mixer: mixer.as_mut(),
            input,
        }),
        (Stage::Mixer(_) | Stage::Filter(_) | Stage::Router(_), _) => return None,
    })
}

/// Who has to import a producer's pool: itself first.
pub(super) fn of_pool<'g>(
    graph: &'g mut Graph,
    domain: &Domain,
    producer: usize,
) -> Vec<Box<dyn Importer + 'g>> {
    let (mut made, mut taken) = (Vec::new(), Vec::new());
    for (stage, node) in graph.nodes.iter_mut().enumerate() {
        let consumer = domain.consumers.iter().find(|known| known.stage == stage);
        if stage == producer {
            made.extend(importer(&mut node.stage, Side::Output(0)));
        } else if let Some(&input) = consumer.and_then(|known| known.inputs.first()) {
            taken.extend(importer(&mut node.stage, Side::Input(input)));
        }
    }
    made.into_iter().chain(taken).collect()
}

/// The same, borrowed.
pub(super) fn borrowed<'i, 'g: 'i>(
    importers: &'i mut [Box<dyn Importer + 'g>],
) -> Vec<&'i mut dyn Importer> {
    let importers = importers.iter_mut();
    importers
        .map(|importer| importer.as_mut() as &mut dyn Importer)
        .collect()
}

/// How many of a domain's frames its consumers keep.
pub(super) fn frames_held(graph: &Graph, domain: &Domain) -> usize {
    let held = domain
        .consumers
        .iter()
        .map(|consumer| graph.nodes[consumer.stage].stage.frames_held() * consumer.inputs.len());
    held.sum()
}
