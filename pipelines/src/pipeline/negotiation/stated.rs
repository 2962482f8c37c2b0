//! A graph as a problem for the solver: what its ports can do, by their own word.

use dmaflow_core::caps::{Cap, Caps, MemoryNeeds, Set, Steps};
use dmaflow_core::stage::{StageError, Transform};

use super::super::Builder;
use super::super::graph::{Graph, Stage};
use super::drivers;
use super::heaps::Candidates;
use crate::error::PipelineError;
use crate::solver::rules;
use crate::solver::{Alternative, HeapFacts, Kind, NodeId, Port, PortId, Problem, Scale};

/// A problem, and whose ports its ports are.
pub(super) struct Stated {
    pub(super) problem: Problem,
    /// By stage.
    nodes: Vec<NodeId>,
}

/// An input or output of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Input(usize),
    Output(usize),
}

impl Stated {
    /// Asks every stage once.
    pub(super) fn new(builder: &mut Builder, heaps: &Candidates) -> Result<Self, PipelineError> {
        let graph = &mut builder.graph;
        let mut problem = Problem::new();
        let mut nodes = Vec::with_capacity(graph.nodes.len());
        for (stage, node) in graph.nodes.iter_mut().enumerate() {
            let ports = ports(&mut node.stage);
            let (kind, inputs, mut outputs) = ports.map_err(|error| node.failed(error))?;
            for output in &mut outputs {
                output.heaps = heaps.names[stage].clone();
            }
            nodes.push(problem.add(node.name.clone(), kind, inputs, outputs));
        }
        let known = heaps.heaps.iter().map(|heap| HeapFacts::from(heap.info()));
        let mut known: Vec<HeapFacts> = known.collect();
        rules::one_memory(&mut known);
        for heap in known {
            problem.heap(heap);
        }
        let mut stated = Self { problem, nodes };
        stated.link(graph)?;
        Ok(stated)
    }

    fn link(&mut self, graph: &Graph) -> Result<(), PipelineError> {
        for edge in &graph.edges {
            let from = self.problem.node(self.nodes[edge.from.stage]).outputs[edge.from.port];
            let to = self.problem.node(self.nodes[edge.to.stage]).inputs[edge.to.port];
            self.problem.link(from, to)?;
        }
        Ok(())
    }

    /// Whose port it is; `None` of ports that were put in later.
    pub(super) fn stage(&self, port: PortId) -> Option<usize> {
        let is_known = self.problem.ports().any(|(known, _)| known == port);
        is_known.then(|| self.place(port).0)
    }

    /// Whose port it is.
    pub(super) fn place(&self, port: PortId) -> (usize, Side) {
        let node = self.problem.port(port).node;
        let of = self.problem.node(node);
        let place = |ports: &[PortId]| ports.iter().position(|known| *known == port);
        let side = place(&of.outputs).map_or_else(
            || Side::Input(place(&of.inputs).unwrap_or_default()),
            Side::Output,
        );
        let stage = self.nodes.iter().position(|known| *known == node);
        (stage.unwrap_or_default(), side)
    }
}

type Ports = (Kind, Vec<Port>, Vec<Port>);

fn ports(stage: &mut Stage) -> Result<Ports, StageError> {
    let key = stage.key();
    let known = |caps| drivers::narrowed(key.as_ref(), caps);
    Ok(match stage {
        Stage::Source(source) => {
            let mut caps = source.caps()?;
            if source.size()?.is_none() {
                size_by_trying(source.as_mut(), &mut caps);
            }
            (Kind::Ends, Vec::new(), vec![Port::new(known(caps))])
        }
        Stage::Filter(_) => (Kind::Passes, any(1), any(1)),
        Stage::Router(router) => (Kind::Passes, any(router.inputs()), any(router.outputs())),
        Stage::Transform(transform) => {
            let ways = alternatives(transform.as_mut())?;
            let ways = drivers::narrowed_ways(key.as_ref(), ways);
            let input = Port::new(Caps::default()).holding(transform.frames_held());
            let output = Port::new(Caps::default());
            (Kind::Transforms(ways), vec![input], vec![output])
        }
        Stage::Sink(sink) => {
            let input = Port::new(known(sink.caps()?)).holding(sink.frames_held());
            (Kind::Ends, vec![input], Vec::new())
        }
        Stage::Mixer(mixer) => {
            let mut inputs = Vec::with_capacity(mixer.inputs());
            for input in 0..mixer.inputs() {
                let port = Port::new(known(mixer.caps(input)?));
                inputs.push(port.holding(mixer.frames_held()));
            }
            (Kind::Ends, inputs, Vec::new())
        }
    })
}

fn any(ports: usize) -> Vec<Port> {
    vec![Port::new(Caps::any()); ports]
}

/// The size of a source that does not tell it, by setting a format.
fn size_by_trying(source: &mut dyn dmaflow_core::stage::Source, caps: &mut Caps) {
    for cap in &mut caps.0 {
        let Set::Of(formats) = &cap.formats else {
            continue;
        };
        let tried = formats
            .iter()
            .find_map(|&format| source.configure(format).ok());
        if let Some(plan) = tried {
            cap.width = Steps::only(plan.layout.width());
            cap.height = Steps::only(plan.layout.height());
        }
    }
}

/// What a transform makes of what: in the size that it was asked for, or else in that of what it
/// takes.
fn alternatives(transform: &mut dyn Transform) -> Result<Vec<Alternative>, StageError> {
    let memory = MemoryNeeds::of(transform.imports());
    let cap = |formats| Cap {
        formats: Set::Of(formats),
        memory,
        ..Cap::any()
    };
    let size = transform.output_size();
    let sized = |cap: Cap| match size {
        Some((width, height)) => Cap {
            width: Steps::only(width),
            height: Steps::only(height),
            ..cap
        },
        None => cap,
    };
    let scale = match size {
        // How far it scales, it tells when it is set.
        Some(_) => Scale::ANY,
        None => Scale::NONE,
    };
    let mut ways = Vec::new();
    for input in transform.input_formats()? {
        let outputs = transform.output_formats(input)?;
        if !outputs.is_empty() {
            ways.push(Alternative {
                input: cap(vec![input]),
                output: sized(cap(outputs)),
                scale,
            });
        }
    }
    Ok(ways)
}
