//! What is to be solved: stages with ports, links between them, and heaps.

mod ports;

pub use ports::{Alternative, Direction, Kind, Port, Scale};

use dmaflow_core::caps::{Cap, Caps, Set};

use super::HeapFacts;

/// A stage of a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) usize);

/// A port of a [`Problem`]'s stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub(super) usize);

/// A link of a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub(super) usize);

/// A heap of a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeapId(pub(super) usize);

macro_rules! index {
    ($($id:ident: $of:literal),*) => {$(
        impl $id {
            #[doc = concat!("Its place among the problem's ", $of, ", counted from 0 in the order in which they were added.")]
            #[must_use]
            pub const fn index(self) -> usize {
                self.0
            }
        }
    )*};
}

index!(NodeId: "stages", PortId: "ports", LinkId: "links", HeapId: "heaps");

/// A stage as it stands in a [`Problem`].
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it has to do with frames.
    pub kind: Kind,
    /// Its inputs.
    pub inputs: Vec<PortId>,
    /// Its outputs.
    pub outputs: Vec<PortId>,
}

/// A port as it stands in a [`Problem`].
#[derive(Clone, Debug)]
pub struct Placed {
    /// Whose it is.
    pub node: NodeId,
    /// Which way frames go.
    pub direction: Direction,
    /// What it can do.
    pub port: Port,
    /// Ports with the same number are one and the same to devices: what one answered, the other
    /// is not asked again.
    pub(super) asked_as: usize,
}

/// A way for frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The output it starts at.
    pub from: PortId,
    /// The input it leads to.
    pub to: PortId,
}

/// A problem that cannot be stated so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemError {
    /// A link from an input, or to an output.
    #[error("a link leads from an output to an input, not from {from} to {to}")]
    WrongWay {
        /// Where it was to start.
        from: String,
        /// Where it was to lead.
        to: String,
    },
}

/// A graph of stages, with what their ports can do, and the heaps there are.
///
/// Frames form *domains*: ports that are joined by links and by stages that pass frames on. All
/// of a domain's ports agree on one format, modifier, size, split, rate and colour; each of its
/// producers has a pool of its own.
#[derive(Clone, Debug, Default)]
pub struct Problem {
    pub(super) nodes: Vec<Node>,
    pub(super) ports: Vec<Placed>,
    pub(super) links: Vec<Link>,
    pub(super) heaps: Vec<HeapFacts>,
}

impl Problem {
    /// A problem without stages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stage.
    ///
    /// What the ports of a [`Kind::Transforms`] can do is taken from its alternatives, and not
    /// from the ports.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        kind: Kind,
        inputs: Vec<Port>,
        outputs: Vec<Port>,
    ) -> NodeId {
        let node = NodeId(self.nodes.len());
        let mut sides = (inputs, outputs);
        if let Kind::Transforms(alternatives) = &kind {
            for port in &mut sides.0 {
                port.caps = alternatives.iter().map(|way| way.input.clone()).collect();
            }
            for port in &mut sides.1 {
                port.caps = alternatives.iter().map(|way| way.output.clone()).collect();
            }
        }
        let mut place = |direction, ports: Vec<Port>| -> Vec<PortId> {
            let placed = ports.into_iter().map(|port| {
                let id = PortId(self.ports.len());
                self.ports.push(Placed {
                    node,
                    direction,
                    port,
                    asked_as: id.0,
                });
                id
            });
            placed.collect()
        };
        let inputs = place(Direction::Input, sides.0);
        let outputs = place(Direction::Output, sides.1);
        self.nodes.push(Node {
            name: name.into(),
            kind,
            inputs,
            outputs,
        });
        node
    }

    /// Adds a stage that makes frames, and returns its output.
    pub fn source(&mut self, name: impl Into<String>, output: Port) -> PortId {
        let id = PortId(self.ports.len());
        self.add(name, Kind::Ends, Vec::new(), vec![output]);
        id
    }

    /// Adds a stage that uses frames up, and returns its input.
    pub fn sink(&mut self, name: impl Into<String>, input: Port) -> PortId {
        let id = PortId(self.ports.len());
        self.add(name, Kind::Ends, vec![input], Vec::new());
        id
    }

    /// Adds a stage that passes frames on whatever they are, and returns its input and output.
    pub fn filter(&mut self, name: impl Into<String>) -> (PortId, PortId) {
        let id = self.ports.len();
        let any = || vec![Port::new(Caps::any())];
        self.add(name, Kind::Passes, any(), any());
        (PortId(id), PortId(id + 1))
    }

    /// Adds a stage that makes frames of frames, and returns its input and output. So many
    /// frames it keeps of each.
    pub fn transform(
        &mut self,
        name: impl Into<String>,
        alternatives: Vec<Alternative>,
        (input, output): (usize, usize),
    ) -> (PortId, PortId) {
        let id = self.ports.len();
        let port = |frames| vec![Port::new(Caps::default()).holding(frames)];
        let kind = Kind::Transforms(alternatives);
        self.add(name, kind, port(input), port(output));
        (PortId(id), PortId(id + 1))
    }

    /// Joins an output to an input. Any number of links may start at an output, and lead to an
    /// input.
    ///
    /// # Errors
    /// [`ProblemError::WrongWay`] where it would lead from an input or to an output.
    pub fn link(&mut self, from: PortId, to: PortId) -> Result<LinkId, ProblemError> {
        let direction = |id: PortId| self.ports.get(id.0).map(|placed| placed.direction);
        if direction(from) != Some(Direction::Output) || direction(to) != Some(Direction::Input) {
            return Err(ProblemError::WrongWay {
                from: self.label(from),
                to: self.label(to),
            });
        }
        self.links.push(Link { from, to });
        Ok(LinkId(self.links.len() - 1))
    }

    /// Adds a heap. A name or alias that another heap has too makes both one memory.
    pub fn heap(&mut self, heap: HeapFacts) -> HeapId {
        self.heaps.push(heap);
        HeapId(self.heaps.len() - 1)
    }

    /// Its stages.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        (self.nodes.iter().enumerate()).map(|(index, node)| (NodeId(index), node))
    }

    /// Its ports.
    pub fn ports(&self) -> impl Iterator<Item = (PortId, &Placed)> {
        (self.ports.iter().enumerate()).map(|(index, port)| (PortId(index), port))
    }

    /// Its links.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, Link)> {
        (self.links.iter().enumerate()).map(|(index, link)| (LinkId(index), *link))
    }

    /// The heaps that were asked for at some of these ports, or all where none were.
    pub(crate) fn heaps_for(&self, ports: &[PortId]) -> Vec<&HeapFacts> {
        let known = ports.iter().filter_map(|port| self.ports.get(port.0));
        let asked = known.filter_map(|known| match &known.port.heaps {
            Set::Of(names) => Some(names),
            Set::Any => None,
        });
        let asked: Vec<&String> = asked.flatten().collect();
        let meant =
            |heap: &&HeapFacts| asked.is_empty() || asked.iter().any(|name| heap.answers_to(name));
        self.heaps.iter().filter(meant).collect()
    }

    /// Its heaps.
    pub fn heaps(&self) -> impl Iterator<Item = (HeapId, &HeapFacts)> {
        (self.heaps.iter().enumerate()).map(|(index, heap)| (HeapId(index), heap))
    }

    /// A stage of this problem.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// A port of this problem.
    #[must_use]
    pub fn port(&self, id: PortId) -> &Placed {
        &self.ports[id.0]
    }

    /// What a port is called: its stage's name, and which of several inputs or outputs it is.
    #[must_use]
    pub fn label(&self, id: PortId) -> String {
        let Some(placed) = self.ports.get(id.0) else {
            return "a port of another problem".to_owned();
        };
        let node = &self.nodes[placed.node.0];
        let (word, side) = match placed.direction {
            Direction::Input => ("input", &node.inputs),
            Direction::Output => ("output", &node.outputs),
        };
        let place = side.iter().position(|port| *port == id).unwrap_or(0);
        let both = !node.inputs.is_empty() && !node.outputs.is_empty();
        match (side.len(), both) {
            (0 | 1, false) => format!("`{}`", node.name),
            (0 | 1, true) => format!("`{}` ({word})", node.name),
            _ => format!("`{}` ({word} {place})", node.name),
        }
    }

    /// Whether a port's stage touches frames itself, and does not only pass them on.
    pub(super) fn is_end(&self, id: PortId) -> bool {
        !matches!(self.nodes[self.ports[id.0].node.0].kind, Kind::Passes)
    }

    /// The other side of a transform.
    pub(super) fn mate(&self, id: PortId) -> Option<PortId> {
        let placed = &self.ports[id.0];
        let node = &self.nodes[placed.node.0];
        match (&node.kind, placed.direction) {
            (Kind::Transforms(_), Direction::Input) => node.outputs.first().copied(),
            (Kind::Transforms(_), Direction::Output) => node.inputs.first().copied(),
            _ => None,
        }
    }

    /// The ways of a port's transform.
    pub(super) fn ways(&self, id: PortId) -> &[Alternative] {
        match &self.nodes[self.ports[id.0].node.0].kind {
            Kind::Transforms(ways) => ways,
            Kind::Ends | Kind::Passes => &[],
        }
    }

    pub(super) fn caps(&self, id: PortId) -> &[Cap] {
        &self.ports[id.0].port.caps.0
    }
}
