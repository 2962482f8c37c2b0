//! Pools while they are agreed on: who holds which, and what has to be done again.

use std::time::{Duration, Instant};

use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::{Account, Heap};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, SourcePlan};

use super::super::graph::{Domain, Graph};
use super::importers;
use super::stated::Side;
use crate::error::RefusalReason;

/// How many frames a stage's pool has.
pub(super) fn buffers(
    graph: &Graph,
    domain: &Domain,
    plan: &SourcePlan,
    asked: Option<usize>,
) -> Result<usize, RefusalReason> {
    let needed = plan.min_buffers + importers::frames_held(graph, domain);
    let links = domain.links.iter().map(|&link| &graph.edges[link]);
    let waiting: usize = links.map(|edge| edge.queue.frames()).sum();
    match asked.unwrap_or(needed + waiting + graph.spare) {
        asked if asked < needed => Err(RefusalReason::TooFewBuffers { asked, needed }),
        buffers => Ok(buffers),
    }
}

/// What a stage that makes frames is set to, and the pool that was made for it.
pub(super) struct Making {
    pub(super) account: Account,
    /// How it is set now.
    pub(super) set: Option<Set>,
    pub(super) pool: Option<Made>,
}

/// How a stage is set.
pub(super) struct Set {
    pub(super) format: Format,
    /// Of a transform.
    pub(super) input: Option<Layout>,
    pub(super) plan: SourcePlan,
    pub(super) buffers: usize,
}

/// A pool, and who holds it.
pub(super) struct Made {
    /// Of the candidates, by place.
    pub(super) heap: usize,
    pub(super) pool: FramePool,
    /// How long a buffer took to allocate, on average.
    pub(super) took: Duration,
    /// The ports that have imported it, and what each chose.
    pub(super) held_by: Vec<((usize, Side), Vec<Choice>)>,
}

impl Making {
    pub(super) fn new(name: String) -> Self {
        Self {
            account: Account::new(name),
            set: None,
            pool: None,
        }
    }

    /// Whether it is set so already.
    pub(super) fn is_set(&self, format: Format, input: Option<&Layout>) -> bool {
        self.set
            .as_ref()
            .is_some_and(|set| set.format == format && set.input.as_ref() == input)
    }
}

impl Made {
    pub(super) fn allocate(
        place: usize,
        heap: &Heap,
        layout: &Layout,
        buffers: usize,
    ) -> Result<Self, RefusalReason> {
        let started = Instant::now();
        let pool = FramePool::allocate(heap, layout, buffers)?;
        let frames = u32::try_from(pool.len().max(1)).unwrap_or(u32::MAX);
        Ok(Self {
            heap: place,
            pool,
            took: started.elapsed() / frames,
            held_by: Vec::new(),
        })
    }

    pub(super) fn is_held_by(&self, port: (usize, Side)) -> bool {
        self.held_by.iter().any(|(known, _)| *known == port)
    }
}
