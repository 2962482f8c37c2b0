//! Agreeing on a format and a heap by asking the devices.
//!
//! Nothing is inferred from what a driver says of itself: for each candidate the pool is
//! allocated, the source queues it and the sink tests it, and the first that all of them take
//! is kept.

use dmaflow_core::Errno;
use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::{Account, Heap, HeapRegistry};
use dmaflow_core::stage::{Choice, SourcePlan, StageError};

use super::{Agreement, Builder, Pipeline};
use crate::error::{PipelineError, Refusal, RefusalReason};

/// Which heaps may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HeapRequest {
    /// The first that every device takes.
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
    let name = format!("{} -> {}", builder.source.name, builder.sink.name);
    let account = Account::new(name);
    let mut refusals = Vec::new();
    let mut heaps = candidate_heaps(&builder, registry, &mut refusals)?;
    for format in formats {
        let refusal = |heap: Option<&Heap>, reason: RefusalReason| Refusal {
            format: Some(format),
            heap: heap.map(|heap| heap.name().to_owned()),
            reason,
        };
        let plan = match builder.source.stage.configure(format) {
            Ok(plan) => plan,
            Err(error) => {
                refusals.push(refusal(None, error.into()));
                continue;
            }
        };
        let mut usable = Vec::with_capacity(heaps.len());
        for heap in heaps {
            match attach(&mut builder, &heap, &account, &plan) {
                Ok((pool, choices)) => {
                    let agreement = Agreement {
                        devices: devices(&builder),
                        zero_copy: builder.source.stage.imports() && builder.sink.stage.imports(),
                        heap: heap.name().to_owned(),
                        buffers: pool.len(),
                        plan,
                        choices,
                        refusals,
                    };
                    return Ok(Pipeline::assemble(builder, pool, agreement));
                }
                // Memory that the source cannot use stays so in every format.
                Err((By::Source, reason)) => refusals.push(refusal(Some(&heap), reason)),
                Err((By::Other, reason)) => {
                    refusals.push(refusal(Some(&heap), reason));
                    usable.push(heap);
                }
            }
        }
        heaps = usable;
        if heaps.is_empty() {
            break;
        }
    }
    Err(PipelineError::Refused(refusals))
}

fn devices(builder: &Builder) -> Vec<(String, String)> {
    vec![
        (builder.source.name.clone(), builder.source.stage.device()),
        (builder.sink.name.clone(), builder.sink.stage.device()),
    ]
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

/// The heaps to try, in order. Of several that were named, those that cannot be opened are
/// passed over.
fn candidate_heaps(
    builder: &Builder,
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
            let devices = builder.source.stage.imports() || builder.sink.stage.imports();
            let heaps: Vec<_> = registry
                .heaps()
                .filter(|heap| heap.info().importable == devices && !heap.info().protected)
                .cloned()
                .collect();
            if heaps.is_empty() {
                return Err(PipelineError::NoHeap);
            }
            Ok(heaps)
        }
    }
}

/// A pool that both ends have imported, and what they chose.
type Attached = (FramePool, Vec<(String, Choice)>);

/// Whose refusal it is: of a source, only what no other format would change.
enum By {
    Source,
    Other,
}

/// Allocates a pool and has both ends import it, or leaves everything as it was.
fn attach(
    builder: &mut Builder,
    heap: &Heap,
    account: &Account,
    plan: &SourcePlan,
) -> Result<Attached, (By, RefusalReason)> {
    let held = plan.min_buffers + builder.sink.stage.frames_held();
    let on_the_way = 1 + builder.filters.len();
    let buffers = builder.pool.buffers.unwrap_or(held + on_the_way);
    if buffers < held {
        return Err((
            By::Other,
            RefusalReason::TooFewBuffers {
                asked: buffers,
                needed: held,
            },
        ));
    }
    let heap = &heap.for_account(account);
    let pool = FramePool::allocate(heap, &plan.layout, buffers)
        .map_err(|error| (By::Other, error.into()))?;
    builder.source.stage.attach(&pool).map_err(|error| {
        let by = match &error {
            StageError::Refused(refused)
                if refused.errno == Errno::EFAULT || !heap.info().importable =>
            {
                By::Source
            }
            _ => By::Other,
        };
        (by, error.into())
    })?;
    let shown = builder.sink.stage.attach(&pool).map_err(|error| {
        builder.source.stage.detach();
        (By::Other, error.into())
    })?;
    let by = |name: &str, choices: &[Choice]| -> Vec<(String, Choice)> {
        let owned = choices.iter().cloned();
        owned.map(|choice| (name.to_owned(), choice)).collect()
    };
    let mut choices = by(&builder.source.name, &plan.choices);
    choices.extend(by(&builder.sink.name, &shown));
    Ok((pool, choices))
}
