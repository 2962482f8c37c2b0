//! A pipeline: a source, filters and a sink that agreed on a format and share a pool.

mod negotiation;
mod run;

pub use negotiation::{HeapRequest, PoolRequest};
pub use run::{Limits, StopHandle};

use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::HeapRegistry;
use dmaflow_core::stage::{Choice, Filter, Sink, Source, SourcePlan, StageError};

use crate::error::{PipelineError, Refusal};
use crate::link::QueuePolicy;
use crate::probe::Answers;
use run::events::Events;
use run::stages::{RunFilter, RunSink, RunSource};

/// A stage with the name that messages call it by.
struct Named<S: ?Sized> {
    name: String,
    stage: Box<S>,
}

impl<S: ?Sized> Named<S> {
    fn failed(&self, source: StageError) -> PipelineError {
        PipelineError::Stage {
            stage: self.name.clone(),
            source,
        }
    }
}

struct NamedFilter {
    named: Named<dyn RunFilter>,
    queue: QueuePolicy,
}

/// A source of whatever type, for who knows the type at run time only.
pub struct AnySource(Box<dyn RunSource>);

impl<S: Source + 'static> From<S> for AnySource {
    fn from(source: S) -> Self {
        Self(Box::new(source))
    }
}

/// A sink of whatever type, for who knows the type at run time only.
pub struct AnySink(Box<dyn RunSink>);

impl<S: Sink + 'static> From<S> for AnySink {
    fn from(sink: S) -> Self {
        Self(Box::new(sink))
    }
}

/// A pipeline in the making.
pub struct Builder {
    source: Named<dyn RunSource>,
    filters: Vec<NamedFilter>,
    sink: Named<dyn RunSink>,
    queue: QueuePolicy,
    pool: PoolRequest,
    answers: Answers,
}

impl Builder {
    /// Puts a filter before the sink, behind those that are there.
    #[must_use]
    pub fn filter(mut self, name: &str, filter: impl Filter + 'static, queue: QueuePolicy) -> Self {
        let stage: Box<dyn RunFilter> = Box::new(filter);
        let name = name.to_owned();
        self.filters.push(NamedFilter {
            named: Named { name, stage },
            queue,
        });
        self
    }

    /// Says which frames the sink takes from its link; the newest by default.
    #[must_use]
    pub const fn queue(mut self, policy: QueuePolicy) -> Self {
        self.queue = policy;
        self
    }

    /// Says where the frames come from and how many there are.
    #[must_use]
    pub fn pool(mut self, request: PoolRequest) -> Self {
        self.pool = request;
        self
    }

    /// Says what devices answered before: what they refused then is not tried again, unless
    /// nothing else is left. By default nothing is known and nothing is kept.
    #[must_use]
    pub fn answers(mut self, answers: Answers) -> Self {
        self.answers = answers;
        self
    }

    /// Asks the devices for a format and a heap that all of them take, allocates the pool, and
    /// imports it everywhere: what is left is to start.
    ///
    /// # Errors
    /// [`PipelineError`]; no device holds a frame then, and the camera keeps the format and
    /// controls that were tried last.
    pub fn prepare(self, heaps: &HeapRegistry) -> Result<Pipeline, PipelineError> {
        negotiation::negotiate(self, heaps)
    }
}

/// What was agreed on, for people to check.
#[derive(Debug)]
pub struct Agreement {
    /// The device behind each end, by the stage's name.
    pub devices: Vec<(String, String)>,
    /// Whether both ends import the frames, so that none of our code sees a pixel. What a
    /// driver does inside, as that of USB cameras, which copies out of its transfers, cannot
    /// be told.
    pub zero_copy: bool,
    /// What the source will deliver.
    pub plan: SourcePlan,
    /// The heap's name.
    pub heap: String,
    /// Frames in the pool.
    pub buffers: usize,
    /// What each stage chose by itself, by the stage's name.
    pub choices: Vec<(String, Choice)>,
    /// What was tried before, and why it was refused.
    pub refusals: Vec<Refusal>,
}

/// A pipeline that can run, again and again.
pub struct Pipeline {
    source: Named<dyn RunSource>,
    filters: Vec<NamedFilter>,
    sink: Named<dyn RunSink>,
    queue: QueuePolicy,
    pool: FramePool,
    agreement: Agreement,
    events: Events,
}

impl Pipeline {
    /// Begins a pipeline from `source` to `sink`, each with the name that messages call it by.
    #[must_use]
    pub fn link(
        (source_name, source): (&str, impl Into<AnySource>),
        (sink_name, sink): (&str, impl Into<AnySink>),
    ) -> Builder {
        let (AnySource(source), AnySink(sink)) = (source.into(), sink.into());
        Builder {
            source: Named {
                name: source_name.to_owned(),
                stage: source,
            },
            filters: Vec::new(),
            sink: Named {
                name: sink_name.to_owned(),
                stage: sink,
            },
            queue: QueuePolicy::default(),
            pool: PoolRequest::default(),
            answers: Answers::none(),
        }
    }

    /// What was agreed on.
    #[must_use]
    pub const fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// The names of the stages, in the order a frame travels.
    pub fn stages(&self) -> impl Iterator<Item = &str> {
        let filters = self.filters.iter().map(|filter| filter.named.name.as_str());
        std::iter::once(self.source.name.as_str())
            .chain(filters)
            .chain(std::iter::once(self.sink.name.as_str()))
    }

    /// The pool that frames come from.
    #[must_use]
    pub const fn pool(&self) -> &FramePool {
        &self.pool
    }

    /// What ends a run from another thread.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle::new(self.events.clone())
    }

    fn assemble(builder: Builder, pool: FramePool, agreement: Agreement) -> Self {
        Self {
            source: builder.source,
            filters: builder.filters,
            sink: builder.sink,
            queue: builder.queue,
            pool,
            agreement,
            events: Events::default(),
        }
    }
}

impl Drop for Pipeline {
    /// Devices let go of the frames before the pool does.
    fn drop(&mut self) {
        self.source.stage.detach();
        self.sink.stage.detach();
    }
}
