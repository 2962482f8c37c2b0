//! Asking the stages of a domain.

use dmaflow_core::format::Format;
use dmaflow_core::stage::StageError;

use super::super::graph::{Consumer, Domain, Graph, Stage};
use crate::error::PipelineError;
use crate::probe::{Importer, InputImporter, MixerImporter, OutputImporter};
use crate::probe::{SinkImporter, SourceImporter};

/// The formats that everybody in a domain has, the first producer's best first.
pub(super) fn common_formats(
    graph: &mut Graph,
    domain: &Domain,
) -> Result<Vec<Format>, PipelineError> {
    let mut common: Option<(String, Vec<Format>)> = None;
    let producers = domain.producers.iter().map(|stage| (*stage, None));
    let consumers = domain.consumers.iter();
    let consumers = consumers.map(|consumer| (consumer.stage, Some(consumer)));
    for (stage, consumer) in producers.chain(consumers) {
        let node = &mut graph.nodes[stage];
        let formats = match consumer {
            None => made(&mut node.stage).map(Some),
            Some(consumer) => taken(&mut node.stage, consumer),
        };
        let Some(formats) = formats.map_err(|error| node.failed(error))? else {
            continue;
        };
        let name = node.name.clone();
        let Some((first, offered)) = &mut common else {
            common = Some((name, formats));
            continue;
        };
        let both: Vec<_> = offered
            .iter()
            .copied()
            .filter(|format| formats.contains(format))
            .collect();
        if both.is_empty() {
            return Err(PipelineError::NoCommonFormat {
                source_name: first.clone(),
                offered: names(offered),
                sink_name: name,
                taken: names(&formats),
            });
        }
        *offered = both;
    }
    Ok(common.map(|(_, formats)| formats).unwrap_or_default())
}

/// The formats that a stage can make.
fn made(stage: &mut Stage) -> Result<Vec<Format>, StageError> {
    match stage {
        Stage::Source(source) => source.formats(),
        Stage::Transform(transform) => {
            let mut all = Vec::new();
            for input in transform.input_formats()? {
                for output in transform.output_formats(input)? {
                    if !all.contains(&output) {
                        all.push(output);
                    }
                }
            }
            Ok(all)
        }
        _ => Ok(Vec::new()),
    }
}

/// The formats that a stage takes; `None` where it takes any.
fn taken(stage: &mut Stage, consumer: &Consumer) -> Result<Option<Vec<Format>>, StageError> {
    match stage {
        Stage::Sink(sink) => sink.formats(),
        Stage::Transform(transform) => transform.input_formats().map(Some),
        Stage::Mixer(mixer) => {
            let mut common: Option<Vec<Format>> = None;
            for &input in &consumer.inputs {
                let formats = mixer.formats(input)?;
                match &mut common {
                    None => common = Some(formats),
                    Some(common) => common.retain(|format| formats.contains(format)),
                }
            }
            Ok(common)
        }
        _ => Ok(None),
    }
}

fn names(formats: &[Format]) -> String {
    match formats {
        [] => "none that dmaflow knows".to_owned(),
        formats => {
            let names: Vec<_> = formats.iter().map(|format| format.name()).collect();
            names.join(" ")
        }
    }
}

/// How many of a domain's frames its consumers keep.
pub(super) fn frames_held(graph: &Graph, domain: &Domain) -> usize {
    let held = domain
        .consumers
        .iter()
        .map(|consumer| match &graph.nodes[consumer.stage].stage {
            Stage::Sink(sink) => sink.frames_held(),
            Stage::Transform(transform) => transform.frames_held(),
            Stage::Mixer(mixer) => mixer.frames_held() * consumer.inputs.len(),
            _ => 0,
        });
    held.sum()
}

/// Who has to import a producer's pool, with their stages: itself first.
pub(super) fn importers<'g>(
    graph: &'g mut Graph,
    domain: &'g Domain,
    producer: usize,
) -> (Vec<usize>, Vec<Box<dyn Importer + 'g>>) {
    let mut made: Option<(usize, Box<dyn Importer + 'g>)> = None;
    let mut taken: Vec<(usize, Box<dyn Importer + 'g>)> = Vec::new();
    for (stage, node) in graph.nodes.iter_mut().enumerate() {
        let consumer = domain.consumers.iter().find(|known| known.stage == stage);
        match (&mut node.stage, consumer, stage == producer) {
            (Stage::Source(source), _, true) => {
                made = Some((stage, Box::new(SourceImporter(source.as_mut()))));
            }
            (Stage::Transform(transform), _, true) => {
                made = Some((stage, Box::new(OutputImporter(transform.as_mut()))));
            }
            (Stage::Transform(transform), Some(_), false) => {
                taken.push((stage, Box::new(InputImporter(transform.as_mut()))));
            }
            (Stage::Sink(sink), Some(_), _) => {
                taken.push((stage, Box::new(SinkImporter(sink.as_mut()))));
            }
            (Stage::Mixer(mixer), Some(consumer), _) => {
                let inputs = &consumer.inputs;
                let mixer = mixer.as_mut();
                taken.push((stage, Box::new(MixerImporter { mixer, inputs })));
            }
            _ => {}
        }
    }
    made.into_iter().chain(taken).unzip()
}

/// The same, borrowed.
pub(super) fn borrowed<'i, 'g: 'i>(
    importers: &'i mut [Box<dyn Importer + 'g>],
) -> Vec<&'i mut dyn Importer> {
    importers
        .iter_mut()
        .map(|importer| importer.as_mut() as &mut dyn Importer)
        .collect()
}

/// Has everybody in a domain let go of its pools.
pub(super) fn undo(graph: &mut Graph, domain: &Domain) {
    for &producer in &domain.producers {
        let (_, mut importers) = importers(graph, domain, producer);
        for importer in importers.iter_mut().rev() {
            importer.undo();
        }
    }
}
