//! Asking about every heap, short of keeping one.

use dmaflow_core::format::Format;
use dmaflow_core::heap::Heap;
use dmaflow_core::stage::StageError;

use super::super::Builder;
use super::super::graph::{Consumer, Domain, Graph, Stage, domains};
use super::{importers, pools};
use crate::error::{PipelineError, Refusal, RefusalReason};
use crate::probe::{Probe, Wanted, probe};

impl Builder {
    /// Asks the stages about every heap as [`probe`] does, in each format that they have in
    /// common until one heap is accepted: the last probe is the one that went best. The log tells
    /// of formats that they cannot be set to.
    ///
    /// Of a pipeline with several pools the stages of the first one are asked.
    ///
    /// # Errors
    /// [`PipelineError`] when they have no format in common, or cannot be set to any.
    pub fn probe(&mut self, heaps: &[Heap]) -> Result<Vec<Probe>, PipelineError> {
        self.graph.check()?;
        self.graph.share();
        let domains = domains(&self.graph)?;
        let Some((domain, &producer)) = domains
            .first()
            .and_then(|domain| Some((domain, domain.producers.first()?)))
        else {
            return Err(PipelineError::Refused(Vec::new()));
        };
        let mut heaps = heaps.to_vec();
        let (mut probes, mut refusals) = (Vec::new(), Vec::new());
        for format in common_formats(&mut self.graph, domain)? {
            let wanted = match self.wanted(domain, producer, format) {
                Ok(wanted) => wanted,
                Err(reason) => {
                    refusals.push(Refusal {
                        format: Some(format),
                        heap: None,
                        reason,
                    });
                    continue;
                }
            };
            let mut importers = importers::of_pool(&mut self.graph, domain, producer);
            let mut importers = importers::borrowed(&mut importers);
            let asked = probe(&heaps, &mut importers, &wanted, &mut self.answers);
            heaps.clear();
            let rest = asked.ranked.iter().filter(|verdict| !verdict.is_for_good());
            heaps.extend(rest.map(|verdict| verdict.heap.clone()));
            let done = asked.best().is_some() || heaps.is_empty();
            probes.push(asked);
            if done {
                break;
            }
        }
        if probes.is_empty() {
            return Err(PipelineError::Refused(refusals));
        }
        for refusal in refusals {
            tracing::warn!("{} is not asked about: {}", refusal.tried(), refusal.reason);
        }
        Ok(probes)
    }

    /// Sets a source to a format, and tells what its pool must then be.
    fn wanted(
        &mut self,
        domain: &Domain,
        producer: usize,
        format: Format,
    ) -> Result<Wanted, RefusalReason> {
        let plan = match &mut self.graph.nodes[producer].stage {
            Stage::Source(source) => source.configure(format)?,
            stage => return Err(RefusalReason::NoSource(stage.device().unwrap_or_default())),
        };
        let asked = self.pools.get(&producer).and_then(|pool| pool.buffers);
        let buffers = pools::buffers(&self.graph, domain, &plan, asked)?;
        Ok(Wanted {
            layout: plan.layout,
            buffers,
        })
    }
}

/// The formats that everybody in a domain has, the first producer's best first.
fn common_formats(graph: &mut Graph, domain: &Domain) -> Result<Vec<Format>, PipelineError> {
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
