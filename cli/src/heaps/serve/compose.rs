//! The heap that a server's file describes: an exporter, with the helpers that it asks for.

use dmaflow_core::heap::{Budget, Exporter, Heap, HeapInfo};
use dmaflow_heaps::shrinker::Cost;
use dmaflow_heaps::{CarveOut, DeferredFree, PagePool, WeakPool};
use dmaflow_pipelines::description::serving::{Origin, ServedHeap, ServedPool};

use crate::failure::{Failure, with_causes};

/// An exporter and what it says of itself.
type Composed = (HeapInfo, Box<dyn Exporter>);

/// What a shrinker may take from, and how dear that is.
pub(super) type Cache = (Cost, WeakPool<Box<dyn Exporter>>);

/// Makes the heap, and tells of the cache it keeps, if it does.
pub(super) fn heap(served: &ServedHeap) -> Result<(Heap, Option<Cache>), Failure> {
    let (mut info, mut exporter) = source(served)?;
    if served.deferred_free {
        exporter = Box::new(DeferredFree::new(exporter));
    }
    let mut cache = None;
    if let Some(served_pool) = &served.pool {
        let pool = PagePool::new(exporter, served_pool.policy);
        prewarm(served, served_pool, &pool)?;
        cache = Some((Cost::of(&info), pool.weak()));
        info = served_pool.policy.info(info);
        exporter = Box::new(pool);
    }
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
    Ok((heap, cache))
}

/// Where the memory comes from.
fn source(served: &ServedHeap) -> Result<Composed, Failure> {
    match &served.from {
        Origin::Heap(name) => {
            dmaflow_heaps::exporter(name).map_err(|error| failure(served, &with_causes(&error)))
        }
        Origin::CarveOut(config) => {
            let region = CarveOut::new(*config);
            let region = region.map_err(|error| failure(served, &with_causes(&error)))?;
            Ok((region.info(&*served.name), Box::new(region)))
        }
    }
}

fn prewarm(
    served: &ServedHeap,
    wanted: &ServedPool,
    pool: &PagePool<Box<dyn Exporter>>,
) -> Result<(), Failure> {
    let Some((size, buffers)) = wanted.prewarm else {
        return Ok(());
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let warmed = pool.prewarm(size, buffers);
    warmed.map_err(|error| failure(served, &format!("cannot prewarm: {}", with_causes(&error))))
}

fn failure(served: &ServedHeap, reason: &str) -> Failure {
    Failure::Pipeline(format!("[heap.{}]: {reason}", served.name))
}
