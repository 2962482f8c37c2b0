//! Converters in the graph, for as long as the solver wants them there.

use super::super::stated::{Side, Stated};
use super::{Devices, Port, making};
use crate::error::PipelineError;
use crate::pipeline::graph::{Edge, Graph, InputId, OutputId, domains};
use crate::solver::{Inserted, PortId};

/// What a graph was.
pub(super) struct Base {
    nodes: usize,
    edges: Vec<Edge>,
    /// Of the problem that it was stated as.
    ports: usize,
}

impl Base {
    pub(super) fn of(graph: &Graph, stated: &Stated) -> Self {
        Self {
            nodes: graph.nodes.len(),
            edges: graph.edges.clone(),
            ports: stated.problem.ports().count(),
        }
    }
}

impl Devices<'_> {
    /// Whose port it is, also of converters that were put in.
    pub(super) fn place(&self, port: PortId) -> Port {
        match port.index().checked_sub(self.base.ports) {
            None => self.stated.place(port),
            Some(behind) if behind.is_multiple_of(2) => {
                (self.base.nodes + behind / 2, Side::Input(0))
            }
            Some(behind) => (self.base.nodes + behind / 2, Side::Output(0)),
        }
    }

    /// Puts converters into the graph, in the place of those that were put in before.
    pub(super) fn put_in(&mut self, inserted: &[Inserted]) -> Result<(), PipelineError> {
        for node in &mut self.graph.nodes {
            node.stage.detach();
        }
        self.graph.nodes.truncate(self.base.nodes);
        self.graph.edges.clone_from(&self.base.edges);
        self.arranged.clear();
        for new in inserted {
            let converter = &self.converters[new.converter];
            let stage = self.graph.nodes.len();
            let name = format!("converter-{}", stage + 1 - self.base.nodes);
            self.graph.nodes.push(converter.open(name)?);
            let (input, output) = (InputId { stage, port: 0 }, OutputId { stage, port: 0 });
            let (to, queue) = match self.graph.edges.get_mut(new.link.index()) {
                Some(edge) => (std::mem::replace(&mut edge.to, input), edge.queue),
                None => continue,
            };
            let onward = Edge {
                from: output,
                to,
                queue,
            };
            self.graph.edges.push(onward);
        }
        self.asked.resize(self.graph.nodes.len(), None);
        self.domains = domains(self.graph)?;
        self.making = making(self.graph, &self.domains);
        Ok(())
    }
}
