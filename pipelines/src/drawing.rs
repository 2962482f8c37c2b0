//! Drawings of pipelines and of media graphs, for documentation and for people who look.
//!
//! A [`Drawing`] says what there is: nodes with ports, edges between them, groups. It is written
//! as SVG, laid out here ([`Drawing::to_svg`]), or in the language of a program that does the
//! layout itself ([`Drawing::to_dot`], [`Drawing::to_mermaid`]). The same drawing gives the same
//! text every time.
//!
//! ```
//! use dmaflow_pipelines::drawing::{Drawing, Edge, Node, NodeStyle};
//!
//! let mut drawing = Drawing::new("camera to display");
//! drawing.node(Node::new("camera", NodeStyle::Source).line("v4l2-src"));
//! drawing.node(Node::new("screen", NodeStyle::Sink).line("kms-sink"));
//! drawing.edge(Edge::new("camera", "screen").line("1280×720 NV12, stride 1280"));
//! assert!(drawing.to_svg().starts_with("<svg"));
//! ```

mod described;
mod dot;
mod heights;
mod layers;
mod layout;
mod mermaid;
mod order;
mod planned;
mod route;
mod running;
mod shape;
mod svg;
#[cfg(test)]
mod tests;
mod text;

/// Nodes, the edges between them, and what belongs together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawing {
    title: String,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    groups: Vec<Group>,
}

/// A box with a title: a stage, a media entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    id: String,
    title: String,
    lines: Vec<String>,
    style: NodeStyle,
    emphasis: Emphasis,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

/// What a node is, which its colour and form show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeStyle {
    /// Makes frames.
    Source,
    /// Passes frames on.
    Filter,
    /// Makes frames of frames.
    Transform,
    /// Passes frames between several links.
    Router,
    /// Uses frames up.
    Sink,
    /// A piece of hardware.
    #[default]
    Device,
    /// A heap, a pool.
    Memory,
}

/// An arrow from a node to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    from: End,
    to: End,
    lines: Vec<String>,
    style: EdgeStyle,
    emphasis: Emphasis,
}

/// Where an edge begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    node: String,
    /// `None` for the node itself.
    port: Option<String>,
}

/// What an edge is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EdgeStyle {
    /// Frames pass.
    #[default]
    Frames,
    /// Nothing passes, and something could.
    Disabled,
    /// It is there and nobody can change it.
    Immutable,
}

/// How much a node or an edge asks to be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emphasis {
    /// As little as any other.
    #[default]
    Plain,
    /// Something is to be known of it: frames were dropped.
    Notice,
    /// It does not work.
    Fault,
}

/// Nodes that belong together, drawn in a frame of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    title: String,
    members: Vec<String>,
}

impl Drawing {
    /// An empty drawing.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// Adds a node, or replaces the one that has its id.
    pub fn node(&mut self, node: Node) -> &mut Self {
        match self.nodes.iter_mut().find(|known| known.id == node.id) {
            Some(known) => {
                let ports = [
                    std::mem::take(&mut known.inputs),
                    std::mem::take(&mut known.outputs),
                ];
                *known = node;
                let [inputs, outputs] = ports;
                inputs.iter().for_each(|port| add(&mut known.inputs, port));
                outputs
                    .iter()
                    .for_each(|port| add(&mut known.outputs, port));
            }
            None => self.nodes.push(node),
        }
        self
    }

    /// Adds an edge. Nodes and ports it names that are not there yet are added, bare.
    pub fn edge(&mut self, edge: Edge) -> &mut Self {
        if let (node, Some(port)) = (self.known(&edge.from.node), &edge.from.port) {
            add(&mut node.outputs, port);
        }
        if let (node, Some(port)) = (self.known(&edge.to.node), &edge.to.port) {
            add(&mut node.inputs, port);
        }
        self.edges.push(edge);
        self
    }

    /// Draws a frame around nodes. A node is in one group at most: the first that names it.
    pub fn group<I>(&mut self, title: impl Into<String>, members: I) -> &mut Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.groups.push(Group {
            title: title.into(),
            members: members.into_iter().map(Into::into).collect(),
        });
        self
    }

    /// What it is called.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The node of this id, added bare where there is none.
    fn known(&mut self, id: &str) -> &mut Node {
        let index = self.index(id).unwrap_or_else(|| {
            self.nodes.push(Node::new(id, NodeStyle::default()));
            self.nodes.len() - 1
        });
        &mut self.nodes[index]
    }

    fn index(&self, id: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }

    /// The edges with the places of their nodes.
    fn ends(&self) -> impl Iterator<Item = (&Edge, usize, usize)> {
        self.edges.iter().filter_map(|edge| {
            Some((
                edge,
                self.index(&edge.from.node)?,
                self.index(&edge.to.node)?,
            ))
        })
    }

    /// The group a node is in.
    fn group_of(&self, node: &Node) -> Option<usize> {
        self.groups
            .iter()
            .position(|group| group.members.contains(&node.id))
    }
}

impl Node {
    /// A node whose title is its id.
    #[must_use]
    pub fn new(id: impl Into<String>, style: NodeStyle) -> Self {
        let id = id.into();
        Self {
            title: id.clone(),
            id,
            lines: Vec::new(),
            style,
            emphasis: Emphasis::Plain,
            inputs: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// Gives it another title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Adds a line below its title.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Adds a port on its left, below those it has.
    #[must_use]
    pub fn input(mut self, port: impl Into<String>) -> Self {
        add(&mut self.inputs, &port.into());
        self
    }

    /// Adds a port on its right, below those it has.
    #[must_use]
    pub fn output(mut self, port: impl Into<String>) -> Self {
        add(&mut self.outputs, &port.into());
        self
    }

    /// Makes it more visible than others.
    #[must_use]
    pub fn emphasis(mut self, emphasis: Emphasis) -> Self {
        self.emphasis = emphasis;
        self
    }
}

impl Edge {
    /// An arrow between two nodes, by their ids.
    #[must_use]
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        let end = |node: String| End { node, port: None };
        Self {
            from: end(from.into()),
            to: end(to.into()),
            lines: Vec::new(),
            style: EdgeStyle::default(),
            emphasis: Emphasis::Plain,
        }
    }

    /// Lets it begin at a port.
    #[must_use]
    pub fn from_port(mut self, port: impl Into<String>) -> Self {
        self.from.port = Some(port.into());
        self
    }

    /// Lets it end at a port.
    #[must_use]
    pub fn to_port(mut self, port: impl Into<String>) -> Self {
        self.to.port = Some(port.into());
        self
    }

    /// Adds a line to its label.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Gives it a style.
    #[must_use]
    pub fn style(mut self, style: EdgeStyle) -> Self {
        self.style = style;
        self
    }

    /// Makes it more visible than others.
    #[must_use]
    pub fn emphasis(mut self, emphasis: Emphasis) -> Self {
        self.emphasis = emphasis;
        self
    }
}

fn add(ports: &mut Vec<String>, port: &str) {
    if !ports.iter().any(|known| known == port) {
        ports.push(port.to_owned());
    }
}
