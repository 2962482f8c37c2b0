//! Agreeing on a format and a heap by asking the devices.
//!
//! Nothing is inferred from what a driver says of itself: each candidate is tried as
//! [`probe`](crate::probe) tries it, in the order in which that ranks them, and the first that
//! all of them take is kept.

use dmaflow_core::format::Format;
use dmaflow_core::heap::{Account, Heap, HeapRegistry};
use dmaflow_core::stage::{Choice, SourcePlan};

use super::{Agreement, Builder, Pipeline};
use crate::error::{PipelineError, Refusal, RefusalReason};
use crate::probe::{
    Answers, Ask, Imported, Importer, Needs, Probe, SinkImporter, SourceImporter, Unfit, Wanted,
    attempt, in_order, probe,
};

/// Which heaps may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HeapRequest {
    /// The best that every device takes, see [`probe`](crate::probe).
    #[default]
    Any,
    /// The first of these that every device takes.
    Names(Vec<String>),
}

/// What the frames' pool is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolRequest {
    /// Which heaps may be used.
    pub heaps: HeapRequest,
    /// How many frames; by default what source and sink hold, and one on its way
    /// over each link.
    pub buffers: Option<usize>,
}

pub(super) fn negotiate(
    mut builder: Builder,
    registry: &HeapRegistry,
) -> Result<Pipeline, PipelineError> {
    let formats = common_formats(&mut builder)?;
    let mut refusals = Vec::new();
    let mut heaps = candidate_heaps(&mut builder, registry, &mut refusals)?;
    let name = format!("{} -> {}", builder.source.name, builder.sink.name);
    let account = Account::new(name);
    for heap in &mut heaps {
        *heap = heap.for_account(&account);
    }
    let refused_before = refusals.len();
    let mut found = search(&mut builder, &formats, heaps.clone(), &mut refusals);
    if let Err(Doubtful) = found {
        tracing::debug!("devices answer otherwise than before, and are asked afresh");
        builder.forget_answers();
        refusals.truncate(refused_before);
        found = search(&mut builder, &formats, heaps, &mut refusals);
    }
    builder.answers.save();
    match found {
        Ok(Some(Found { plan, imported })) => {
            let agreement = agreement(&builder, &imported, plan, refusals);
            Ok(Pipeline::assemble(builder, imported.pool, agreement))
        }
        _ => Err(PipelineError::Refused(refusals)),
    }
}

/// A format and a heap that everybody takes.
struct Found {
    plan: SourcePlan,
    imported: Imported,
}

/// What devices are said to have answered is not so, or nothing is left to try because of it.
struct Doubtful;

/// Tries formats and heaps until everybody takes one of each. What was refused before is passed
/// over; what was accepted before is tried like everything else.
fn search(
    builder: &mut Builder,
    formats: &[Format],
    mut heaps: Vec<Heap>,
    refusals: &mut Vec<Refusal>,
) -> Result<Option<Found>, Doubtful> {
    let mut passed_over = false;
    for &format in formats {
        let mut refuse = |heap: Option<&Heap>, reason: RefusalReason| {
            refusals.push(Refusal {
                format: Some(format),
                heap: heap.map(|heap| heap.name().to_owned()),
                reason,
            });
        };
        let (plan, wanted) = match builder.plan(format) {
            Ok(planned) => planned,
            Err(reason) => {
                refuse(None, reason);
                continue;
            }
        };
        let mut usable = Vec::with_capacity(heaps.len());
        for heap in heaps {
            let known = builder.ask(|importers, answers| answers.on(&heap, importers, &wanted));
            let unfit = if known.refused.is_empty() {
                let tried = builder.ask(|importers, answers| {
                    attempt(&heap, importers, &wanted, Ask::UntilRefused, answers)
                });
                match tried.outcome {
                    Ok(imported) => return Ok(Some(Found { plan, imported })),
                    Err(Unfit::Refused(_)) if known.is_accepted() => return Err(Doubtful),
                    Err(unfit) => unfit,
                }
            } else {
                passed_over = true;
                Unfit::Refused(known.refused)
            };
            let for_good = unfit.is_for_good(&heap);
            for reason in unfit.reasons() {
                refuse(Some(&heap), reason);
            }
            if !for_good {
                usable.push(heap);
            }
        }
        heaps = usable;
        if heaps.is_empty() {
            break;
        }
    }
    if passed_over { Err(Doubtful) } else { Ok(None) }
}

fn agreement(
    builder: &Builder,
    imported: &Imported,
    plan: SourcePlan,
    refusals: Vec<Refusal>,
) -> Agreement {
    let (source, sink) = (&builder.source, &builder.sink);
    let by = |(name, choices): (&String, &Vec<Choice>)| -> Vec<(String, Choice)> {
        let owned = choices.iter().cloned();
        owned.map(|choice| (name.clone(), choice)).collect()
    };
    let mut choices = by((&source.name, &plan.choices));
    choices.extend(
        [&source.name, &sink.name]
            .into_iter()
            .zip(&imported.choices)
            .flat_map(by),
    );
    Agreement {
        devices: vec![
            (source.name.clone(), source.stage.device()),
            (sink.name.clone(), sink.stage.device()),
        ],
        zero_copy: source.stage.imports() && sink.stage.imports(),
        heap: imported.pool.heap().name().to_owned(),
        buffers: imported.pool.len(),
        plan,
        choices,
        refusals,
    }
}

impl Builder {
    /// Asks both ends about every heap as [`probe`] does, in each format that they have in
    /// common until one heap is accepted: the last probe is the one that went best. The log tells
    /// of formats that they cannot be set to.
    ///
    /// # Errors
    /// [`PipelineError`] when they have no format in common, or cannot be set to any.
    pub fn probe(&mut self, heaps: &[Heap]) -> Result<Vec<Probe>, PipelineError> {
        let formats = common_formats(self)?;
        let mut heaps = heaps.to_vec();
        let (mut probes, mut refusals) = (Vec::new(), Vec::new());
        for format in formats {
            match self.plan(format) {
                Ok((_plan, wanted)) => {
                    let asked =
                        self.ask(|importers, answers| probe(&heaps, importers, &wanted, answers));
                    heaps.clear();
                    let rest = asked.ranked.iter().filter(|verdict| !verdict.is_for_good());
                    heaps.extend(rest.map(|verdict| verdict.heap.clone()));
                    let done = asked.best().is_some() || heaps.is_empty();
                    probes.push(asked);
                    if done {
                        break;
                    }
                }
                Err(reason) => refusals.push(Refusal {
                    format: Some(format),
                    heap: None,
                    reason,
                }),
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

    /// Sets the source to a format, and tells what the pool must then be.
    fn plan(&mut self, format: Format) -> Result<(SourcePlan, Wanted), RefusalReason> {
        let plan = self.source.stage.configure(format)?;
        let held = plan.min_buffers + self.sink.stage.frames_held();
        let on_the_way = 1 + self.filters.len();
        let buffers = self.pool.buffers.unwrap_or(held + on_the_way);
        if buffers < held {
            return Err(RefusalReason::TooFewBuffers {
                asked: buffers,
                needed: held,
            });
        }
        let layout = plan.layout.clone();
        Ok((plan, Wanted { layout, buffers }))
    }

    /// Has both ends asked something.
    fn ask<R>(&mut self, question: impl FnOnce(&mut [&mut dyn Importer], &mut Answers) -> R) -> R {
        let mut source = SourceImporter(self.source.stage.as_mut());
        let mut sink = SinkImporter(self.sink.stage.as_mut());
        question(&mut [&mut source, &mut sink], &mut self.answers)
    }

    fn forget_answers(&mut self) {
        self.ask(|importers, answers| {
            let keys: Vec<_> = importers.iter().filter_map(|known| known.key()).collect();
            answers.forget(&keys);
        });
    }
}

/// The formats that the source offers and the sink takes, the source's best first.
fn common_formats(builder: &mut Builder) -> Result<Vec<Format>, PipelineError> {
    let (source, sink) = (&mut builder.source, &mut builder.sink);
    let offered = source
        .stage
        .formats()
        .map_err(|error| source.failed(error))?;
    let taken = sink.stage.formats().map_err(|error| sink.failed(error))?;
    let common: Vec<_> = offered
        .iter()
        .copied()
        .filter(|format| taken.as_ref().is_none_or(|taken| taken.contains(format)))
        .collect();
    if common.is_empty() {
        return Err(PipelineError::NoCommonFormat {
            source_name: source.name.clone(),
            offered: names(&offered),
            sink_name: sink.name.clone(),
            taken: names(taken.as_deref().unwrap_or_default()),
        });
    }
    Ok(common)
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

/// The heaps to try, in order: the user's, or else the best first. Of several that were named,
/// those that cannot be opened are passed over.
fn candidate_heaps(
    builder: &mut Builder,
    registry: &HeapRegistry,
    refusals: &mut Vec<Refusal>,
) -> Result<Vec<Heap>, PipelineError> {
    match &builder.pool.heaps {
        HeapRequest::Names(names) => {
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
        // Memory that devices cannot import is the cheapest where there are none.
        HeapRequest::Any => {
            let needs = builder.ask(|importers, _answers| Needs::of(importers));
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
    }
}
