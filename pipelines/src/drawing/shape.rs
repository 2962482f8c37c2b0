//! How large a node is, and where on its border each edge touches it.

use super::text::width;
use super::{Drawing, Node};

/// Font size and line height of a node's title.
pub(super) const TITLE: (f64, f64) = (13.0, 18.0);
/// Of the lines below it, and of an edge's label.
pub(super) const LINE: (f64, f64) = (11.0, 15.0);
/// Of a port.
pub(super) const PORT: (f64, f64) = (10.0, 16.0);
/// From a node's border to its text.
pub(super) const PADDING: (f64, f64) = (14.0, 9.0);
/// From a port's text to the border.
pub(super) const PORT_PADDING: f64 = 7.0;

/// Between the points of edges on a border without named ports.
const POINTS_APART: f64 = 12.0;

/// A node's size, and the points on its sides.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) width: f64,
    pub(super) height: f64,
    /// From the top to the first port.
    pub(super) header: f64,
    pub(super) inputs: Side,
    pub(super) outputs: Side,
}

/// The points of one side of a node.
#[derive(Clone, Debug)]
pub(super) struct Side {
    named: usize,
    /// Points of edges that name no port.
    unnamed: usize,
}

impl Shape {
    /// The shape of a node at whose left side `unnamed_inputs` edges end without naming a port.
    pub(super) fn new(node: &Node, unnamed_inputs: usize, unnamed_output: bool) -> Self {
        let inputs = Side {
            named: node.inputs.len(),
            unnamed: unnamed_inputs,
        };
        let outputs = Side {
            named: node.outputs.len(),
            unnamed: usize::from(unnamed_output),
        };
        let rows = inputs.rows().max(outputs.rows());
        let text = node
            .lines
            .iter()
            .map(|line| width(line, LINE.0, false))
            .fold(width(&node.title, TITLE.0, true), f64::max);
        let ports = |ports: &[String]| {
            let widths = ports.iter().map(|port| width(port, PORT.0, false));
            widths.fold(0.0, f64::max)
        };
        let ports = ports(&node.inputs) + ports(&node.outputs) + PORT_PADDING * 2.0 + 16.0;
        let header = PADDING.1 + TITLE.1 + LINE.1 * node.lines.len() as f64;
        let body = PADDING.1.max(PORT.1 * rows as f64 + 5.0);
        let points = inputs.points().max(outputs.points()) + 1;
        Self {
            width: (text + PADDING.0 * 2.0).max(ports).max(64.0),
            height: (header + body).max(POINTS_APART * points as f64),
            header,
            inputs,
            outputs,
        }
    }

    /// Whether text of ports stands below its own.
    pub(super) fn has_ports(&self) -> bool {
        self.inputs.named + self.outputs.named > 0
    }

    /// From the node's top to a point of one of its sides.
    pub(super) fn point(&self, side: &Side, index: usize) -> f64 {
        let index = index as f64;
        if side.named > 0 {
            self.header + PORT.1 * (index + 0.5)
        } else {
            self.height * (index + 1.0) / (side.points() as f64 + 1.0)
        }
    }
}

impl Side {
    fn points(&self) -> usize {
        self.named + self.unnamed
    }

    /// Rows that ports take below the header.
    fn rows(&self) -> usize {
        if self.named == 0 { 0 } else { self.points() }
    }

    /// How far down a point is, of the whole side.
    pub(super) fn share(&self, index: usize) -> f64 {
        (index as f64 + 1.0) / (self.points() as f64 + 1.0)
    }
}

/// The shapes of all nodes of a drawing.
pub(super) fn shapes(drawing: &Drawing) -> Vec<Shape> {
    let shape = |(index, node)| {
        let unnamed = |port: &Option<String>| port.is_none();
        let into = drawing
            .ends()
            .filter(|(edge, _, to)| *to == index && unnamed(&edge.to.port));
        let mut out = drawing
            .ends()
            .filter(|(edge, from, _)| *from == index && unnamed(&edge.from.port));
        Shape::new(node, into.count(), out.next().is_some())
    };
    drawing.nodes.iter().enumerate().map(shape).collect()
}

/// The point where an edge leaves its node: one for all edges that name no port.
pub(super) fn output_index(node: &Node, port: Option<&str>) -> usize {
    let named = port.and_then(|port| node.outputs.iter().position(|known| known == port));
    named.unwrap_or(node.outputs.len())
}

/// The port where an edge ends; `None` where it names none and has a point of its own.
pub(super) fn input_index(node: &Node, port: Option<&str>) -> Option<usize> {
    port.and_then(|port| node.inputs.iter().position(|known| known == port))
}
