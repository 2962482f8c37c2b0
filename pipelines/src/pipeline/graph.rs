//! The stages of a pipeline and the links between them, and where frames lie in one layout.

mod domain;

use std::fmt;
use std::sync::Arc;

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::stage::{
    Controls, Counter, DeviceKey, Filter, Mixer, Router, Sink, Source, StageError, Switch,
    Transform,
};

pub(super) use domain::{Consumer, Domain, domains};

use super::run::stages::{RunFilter, RunMixer, RunRouter, RunSink, RunSource, RunTransform};
use crate::error::{GraphError, PipelineError};
use crate::link::QueuePolicy;

/// A stage of a pipeline, as its builder knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageId(pub(super) usize);

/// Where a link begins: an output of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutputId {
    pub(super) stage: usize,
    pub(super) port: usize,
}

/// Where a link ends: an input of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InputId {
    pub(super) stage: usize,
    pub(super) port: usize,
}

impl StageId {
    /// One of its outputs, counted from 0.
    #[must_use]
    pub const fn output(self, port: usize) -> OutputId {
        OutputId {
            stage: self.0,
            port,
        }
    }

    /// One of its inputs, counted from 0.
    #[must_use]
    pub const fn input(self, port: usize) -> InputId {
        InputId {
            stage: self.0,
            port,
        }
    }
}

impl From<StageId> for OutputId {
    fn from(stage: StageId) -> Self {
        stage.output(0)
    }
}

impl From<StageId> for InputId {
    fn from(stage: StageId) -> Self {
        stage.input(0)
    }
}

/// A stage of whatever kind and type, for who knows them at run time only.
pub struct AnyStage(pub(super) Stage);

/// A stage with the loop that runs it.
pub(super) enum Stage {
    Source(Box<dyn RunSource>),
    Filter(Box<dyn RunFilter>),
    Router(Box<dyn RunRouter>),
    Transform(Box<dyn RunTransform>),
    Sink(Box<dyn RunSink>),
    Mixer(Box<dyn RunMixer>),
}

impl AnyStage {
    /// A stage that makes frames.
    #[must_use]
    pub fn source(source: impl Source + 'static) -> Self {
        Self(Stage::Source(Box::new(source)))
    }

    /// A stage that passes frames of one link on.
    #[must_use]
    pub fn filter(filter: impl Filter + 'static) -> Self {
        Self(Stage::Filter(Box::new(filter)))
    }

    /// A stage that passes frames between any number of links.
    #[must_use]
    pub fn router(router: impl Router + 'static) -> Self {
        Self(Stage::Router(Box::new(router)))
    }

    /// A stage that makes frames of frames.
    #[must_use]
    pub fn transform(transform: impl Transform + 'static) -> Self {
        Self(Stage::Transform(Box::new(transform)))
    }

    /// A stage that uses frames of one link up.
    #[must_use]
    pub fn sink(sink: impl Sink + 'static) -> Self {
        Self(Stage::Sink(Box::new(sink)))
    }

    /// A stage that uses frames of several links up.
    #[must_use]
    pub fn mixer(mixer: impl Mixer + 'static) -> Self {
        Self(Stage::Mixer(Box::new(mixer)))
    }
}

impl fmt::Debug for AnyStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyStage").field(&self.0.device()).finish()
    }
}

impl Stage {
    /// How many links may lead into it.
    pub(super) fn inputs(&self) -> usize {
        match self {
            Self::Source(_) => 0,
            Self::Filter(_) | Self::Transform(_) | Self::Sink(_) => 1,
            Self::Router(router) => router.inputs(),
            Self::Mixer(mixer) => mixer.inputs(),
        }
    }

    /// At how many places links may begin.
    pub(super) fn outputs(&self) -> usize {
        match self {
            Self::Source(_) | Self::Filter(_) | Self::Transform(_) => 1,
            Self::Router(router) => router.outputs(),
            Self::Sink(_) | Self::Mixer(_) => 0,
        }
    }

    /// Who it is, where it is more than a part of the program.
    pub(super) fn device(&self) -> Option<String> {
        match self {
            Self::Source(source) => Some(source.device()),
            Self::Transform(transform) => Some(transform.device()),
            Self::Sink(sink) => Some(sink.device()),
            Self::Mixer(mixer) => Some(mixer.device()),
            Self::Filter(_) | Self::Router(_) => None,
        }
    }

    /// Who it is from boot to boot.
    pub(super) fn key(&self) -> Option<DeviceKey> {
        match self {
            Self::Source(source) => source.key(),
            Self::Transform(transform) => transform.key(),
            Self::Sink(sink) => sink.key(),
            Self::Mixer(mixer) => mixer.key(),
            Self::Filter(_) | Self::Router(_) => None,
        }
    }

    /// What may be changed of it while it runs.
    pub(super) fn controls(&self) -> Option<Arc<dyn Controls>> {
        match self {
            Self::Source(source) => source.controls(),
            Self::Transform(transform) => transform.controls(),
            Self::Sink(sink) => sink.controls(),
            _ => None,
        }
    }

    /// Whether its failure ends no more than what leads to it, where frames go elsewhere too.
    pub(super) fn fails_alone(&self) -> bool {
        match self {
            Self::Sink(sink) => sink.fails_alone(),
            _ => false,
        }
    }

    /// What chooses between its inputs.
    pub(super) fn switch(&self) -> Option<Arc<dyn Switch>> {
        match self {
            Self::Router(router) => router.switch(),
            _ => None,
        }
    }

    /// What it does with pixels by its nature and not on their way: draws what did not exist
    /// before, or makes a file of them; or that it reads a compressed stream.
    pub(super) fn cpu_use(&self) -> Option<CpuUse> {
        let (imports, used) = match self {
            Self::Source(source) => (source.imports(), CpuUse::Draw),
            Self::Sink(sink) => (sink.imports(), CpuUse::Copy),
            Self::Mixer(mixer) => (mixer.imports(), CpuUse::Copy),
            Self::Transform(transform) if transform.reads_stream() => {
                return Some(CpuUse::Stream);
            }
            // A chart of what was measured; what carries pixels over is a copy, and no nature.
            Self::Transform(transform) if transform.copies().is_none() => {
                (transform.imports(), CpuUse::Draw)
            }
            Self::Transform(_) | Self::Filter(_) | Self::Router(_) => return None,
        };
        (!imports).then_some(used)
    }

    /// How many frames it keeps, of each of its inputs.
    pub(super) fn frames_held(&self) -> usize {
        match self {
            Self::Sink(sink) => sink.frames_held(),
            Self::Transform(transform) => transform.frames_held(),
            Self::Mixer(mixer) => mixer.frames_held(),
            Self::Source(_) | Self::Filter(_) | Self::Router(_) => 0,
        }
    }

    /// Lets go of all pools.
    pub(super) fn detach(&mut self) {
        match self {
            Self::Source(source) => source.detach(),
            Self::Transform(transform) => {
                transform.detach_input();
                transform.detach_output();
            }
            Self::Sink(sink) => sink.detach(),
            Self::Mixer(mixer) => (0..mixer.inputs()).for_each(|input| mixer.detach(input)),
            Self::Filter(_) | Self::Router(_) => {}
        }
    }

    /// Has a device stand still.
    pub(super) fn stop(&mut self) -> Result<(), StageError> {
        match self {
            Self::Source(source) => source.stop(),
            Self::Transform(transform) => transform.stop(),
            Self::Sink(sink) => sink.stop(),
            Self::Mixer(mixer) => mixer.stop(),
            Self::Filter(_) | Self::Router(_) => Ok(()),
        }
    }

    /// What it counted besides frames.
    pub(super) fn counters(&self) -> Vec<Counter> {
        match self {
            Self::Source(source) => source.counters(),
            Self::Transform(transform) => transform.counters(),
            Self::Sink(sink) => sink.counters(),
            Self::Mixer(mixer) => mixer.counters(),
            Self::Filter(_) | Self::Router(_) => Vec::new(),
        }
    }
}

/// A stage with the name that messages call it by.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) stage: Stage,
}

impl Node {
    pub(super) fn failed(&self, source: StageError) -> PipelineError {
        PipelineError::Stage {
            stage: self.name.clone(),
            source,
        }
    }
}

/// A link, before there are ends of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) from: OutputId,
    pub(super) to: InputId,
    pub(super) queue: QueuePolicy,
}

/// Stages and links.
#[derive(Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
    /// Frames of each pool for who comes while a run goes on.
    pub(super) spare: usize,
}

impl Graph {
    pub(super) fn name(&self, stage: usize) -> &str {
        self.nodes.get(stage).map_or("", |node| node.name.as_str())
    }

    /// The links that begin at an output, by their numbers.
    pub(super) fn leading_from(&self, output: OutputId) -> impl Iterator<Item = usize> {
        let edges = self.edges.iter().enumerate();
        edges
            .filter(move |(_, edge)| edge.from == output)
            .map(|(number, _)| number)
    }

    /// The link into an input, by its number.
    pub(super) fn leading_into(&self, input: InputId) -> Option<usize> {
        self.edges.iter().position(|edge| edge.to == input)
    }

    /// Says of each link whether other stages have its frames too.
    pub(super) fn share(&mut self) {
        let shared: Vec<_> = self
            .edges
            .iter()
            .map(|edge| self.leading_from(edge.from).count() > 1)
            .collect();
        for (edge, _) in self
            .edges
            .iter_mut()
            .zip(shared)
            .filter(|(_, shared)| *shared)
        {
            edge.queue = edge.queue.shared();
        }
    }

    /// Stages in an order in which every frame's way is from the front to the back.
    pub(super) fn order(&self) -> Result<Vec<usize>, GraphError> {
        let mut waiting: Vec<usize> = (0..self.nodes.len())
            .map(|stage| {
                self.edges
                    .iter()
                    .filter(|edge| edge.to.stage == stage)
                    .count()
            })
            .collect();
        let mut order: Vec<usize> = Vec::with_capacity(self.nodes.len());
        let ready = |waiting: &[usize], order: &[usize]| {
            (0..waiting.len()).find(|stage| waiting[*stage] == 0 && !order.contains(stage))
        };
        while let Some(stage) = ready(&waiting, &order) {
            order.push(stage);
            for edge in self.edges.iter().filter(|edge| edge.from.stage == stage) {
                waiting[edge.to.stage] -= 1;
            }
        }
        match (0..self.nodes.len()).find(|stage| !order.contains(stage)) {
            Some(stage) => Err(GraphError::Cycle(self.name(stage).to_owned())),
            None => Ok(order),
        }
    }

    /// Checks that every link has its ends and every end its links.
    pub(super) fn check(&self) -> Result<(), GraphError> {
        let name = |stage: usize| self.name(stage).to_owned();
        for edge in &self.edges {
            let ports = |stage: usize, ports: fn(&Stage) -> usize| {
                self.nodes.get(stage).map_or(0, |node| ports(&node.stage))
            };
            let (from, to) = (edge.from, edge.to);
            if from.port >= ports(from.stage, Stage::outputs) {
                return Err(GraphError::NoOutput {
                    stage: name(from.stage),
                    port: from.port,
                });
            }
            if to.port >= ports(to.stage, Stage::inputs) {
                return Err(GraphError::NoInput {
                    stage: name(to.stage),
                    port: to.port,
                });
            }
        }
        for (stage, node) in self.nodes.iter().enumerate() {
            for port in 0..node.stage.inputs() {
                let links = self
                    .edges
                    .iter()
                    .filter(|edge| edge.to == InputId { stage, port });
                match links.count() {
                    0 => {
                        return Err(GraphError::NothingComes {
                            stage: name(stage),
                            port,
                        });
                    }
                    1 => {}
                    _ => {
                        return Err(GraphError::TwoLinks {
                            stage: name(stage),
                            port,
                        });
                    }
                }
            }
            for port in 0..node.stage.outputs() {
                if self.leading_from(OutputId { stage, port }).next().is_none() {
                    return Err(GraphError::NothingLeaves {
                        stage: name(stage),
                        port,
                    });
                }
            }
        }
        Ok(())
    }
}
