//! Putting a pipeline together.

use std::collections::HashMap;

use dmaflow_core::heap::HeapRegistry;
use dmaflow_core::stage::{Filter, Sink, Source};

use super::Pipeline;
use super::copies::ZeroCopy;
use super::graph::{AnyStage, Edge, Graph, InputId, Node, OutputId, Stage, StageId};
use super::negotiation::{self, PoolRequest};
use super::run::stages::{RunSink, RunSource};
use crate::audit::BounceUse;
use crate::error::PipelineError;
use crate::link::QueuePolicy;
use crate::probe::Answers;
use crate::solver::Explanation;

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
///
/// ```
/// use dmaflow_kms_sink::NullSink;
/// use dmaflow_pipelines::{AnyStage, Builder, Limits, QueuePolicy};
/// use dmaflow_v4l2_src::TestSrc;
///
/// let mut graph = Builder::new();
/// let camera = graph.add("camera", AnyStage::source(TestSrc::new(Default::default())));
/// let screen = graph.add("screen", AnyStage::sink(NullSink::default()));
/// let record = graph.add("record", AnyStage::sink(NullSink::default()));
/// graph.connect(camera, screen, QueuePolicy::Latest);
/// graph.connect(camera, record, QueuePolicy::FIFO);
/// let mut pipeline = graph.prepare(&dmaflow_heaps::registry())?;
/// let limits = Limits { frames: Some(3), ..Limits::default() };
/// assert_eq!(pipeline.run(limits)?.captured, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Builder {
    pub(super) graph: Graph,
    /// By stage.
    pub(super) pools: HashMap<usize, PoolRequest>,
    pub(super) answers: Answers,
    pub(super) zero_copy: ZeroCopy,
}

/// The stages of a chain, as [`Builder::chain`] adds them.
const SOURCE: usize = 0;
const SINK: usize = 1;

impl Builder {
    /// A pipeline without stages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stage with the name that messages call it by.
    pub fn add(&mut self, name: &str, stage: AnyStage) -> StageId {
        self.add_node(name, stage.0)
    }

    fn add_node(&mut self, name: &str, stage: Stage) -> StageId {
        let name = name.to_owned();
        self.graph.nodes.push(Node { name, stage });
        StageId(self.graph.nodes.len() - 1)
    }

    /// Links an output to an input; a stage alone means its first one. Any number of links may
    /// begin at an output: each of its frames goes over all of them.
    pub fn connect(
        &mut self,
        from: impl Into<OutputId>,
        to: impl Into<InputId>,
        queue: QueuePolicy,
    ) {
        let (from, to) = (from.into(), to.into());
        self.graph.edges.push(Edge { from, to, queue });
    }

    /// One of the stages, counted from 0 in the order in which they were added.
    #[must_use]
    pub const fn stage(&self, place: usize) -> StageId {
        StageId(place)
    }

    /// Says where the frames that a stage makes come from and how many there are.
    pub fn set_pool(&mut self, stage: StageId, request: PoolRequest) {
        self.pools.insert(stage.0, request);
    }

    /// Gives every pool whose size is not said so many frames more than its stages need, for
    /// branches that are added while a run goes on ([`Control::add_branch`]).
    ///
    /// [`Control::add_branch`]: crate::Control::add_branch
    pub const fn set_spare(&mut self, frames: usize) {
        self.graph.spare = frames;
    }

    /// Says whether stages may copy: [`ZeroCopy::Require`] unless it is said. Where they may,
    /// the CPU also converts between stages that nothing else joins.
    pub const fn set_zero_copy(&mut self, asked: ZeroCopy) {
        self.zero_copy = asked;
    }

    pub(super) fn chain(
        (source_name, source): (&str, impl Into<AnySource>),
        (sink_name, sink): (&str, impl Into<AnySink>),
    ) -> Self {
        let mut chain = Self::default();
        let source = chain.add_node(source_name, Stage::Source(source.into().0));
        let sink = chain.add_node(sink_name, Stage::Sink(sink.into().0));
        chain.connect(source, sink, QueuePolicy::default());
        chain
    }

    /// Puts a filter before a chain's sink, behind those that are there.
    #[must_use]
    pub fn filter(mut self, name: &str, filter: impl Filter + 'static, queue: QueuePolicy) -> Self {
        let filter = self.add_node(name, Stage::Filter(Box::new(filter)));
        if let Some(last) = self.link_into_sink() {
            let to_sink = last.queue;
            (last.to, last.queue) = (filter.into(), queue);
            self.connect(filter, StageId(SINK), to_sink);
        }
        self
    }

    /// Says which frames a chain's sink takes from its link; the newest by default.
    #[must_use]
    pub fn queue(mut self, policy: QueuePolicy) -> Self {
        if let Some(last) = self.link_into_sink() {
            last.queue = policy;
        }
        self
    }

    fn link_into_sink(&mut self) -> Option<&mut Edge> {
        let mut edges = self.graph.edges.iter_mut();
        edges.find(|edge| edge.to.stage == SINK)
    }

    /// Says where a chain's frames come from and how many there are.
    #[must_use]
    pub fn pool(mut self, request: PoolRequest) -> Self {
        self.pools.insert(SOURCE, request);
        self
    }

    /// Says what devices answered before: what they refused then is not tried again, unless
    /// nothing else is left. By default nothing is known and nothing is kept.
    #[must_use]
    pub fn answers(mut self, answers: Answers) -> Self {
        self.answers = answers;
        self
    }

    /// Asks the devices for formats and heaps that all of them take, allocates the pools, and
    /// imports them everywhere: what is left is to start.
    ///
    /// # Errors
    /// [`PipelineError`]; no device holds a frame then, and cameras keep the format and
    /// controls that were tried last.
    pub fn prepare(self, heaps: &HeapRegistry) -> Result<Pipeline, PipelineError> {
        self.prepare_explained(heaps, &mut Explanation::default())
    }

    /// The same as [`Builder::prepare`], with a log of all that was tried.
    ///
    /// # Errors
    /// As of [`Builder::prepare`].
    pub fn prepare_explained(
        self,
        heaps: &HeapRegistry,
        explanation: &mut Explanation,
    ) -> Result<Pipeline, PipelineError> {
        // Devices may take bounce buffers as soon as they import.
        let bounce_before = BounceUse::now();
        let mut pipeline = negotiation::negotiate(self, heaps, explanation)?;
        pipeline.bounce_before = bounce_before;
        Ok(pipeline)
    }
}
