//! A description as a drawing, with what its devices agreed on.

use dmaflow_core::layout::Layout;

use super::{Drawing, Edge, Node, NodeStyle};
use crate::description::Description;
use crate::{Agreement, LinkAgreement, PoolAgreement};

impl Description {
    /// The same as [`drawing`](Self::drawing), with what was agreed on: devices, pools, the
    /// frames of each link, and the stages that were put in.
    #[must_use]
    pub fn planned(&self, title: impl Into<String>, agreement: &Agreement) -> Drawing {
        let mut drawing = self.drawing(title);
        drawing.edges.clear();
        for (stage, device) in &agreement.devices {
            if !self.stages.iter().any(|known| known.name == *stage) {
                drawing.node(Node::new(stage, NodeStyle::Transform).line("put in"));
            }
            drawing.add_line(stage, device);
        }
        for (stage, how) in &agreement.copies {
            drawing.add_line(stage, &format!("copies: {how}"));
        }
        for pool in &agreement.pools {
            drawing.add_line(&pool.stage, &frames(pool));
        }
        for link in &agreement.links {
            let edge = link.layouts.iter().fold(self.link(link), |edge, layout| {
                let [picture, memory] = lies(layout);
                edge.line(picture).line(memory)
            });
            drawing.edge(edge);
        }
        drawing
    }

    /// A link as it was described, or one that was put in.
    fn link(&self, link: &LinkAgreement) -> Edge {
        let name = |stage: usize| self.stages[stage].name.as_str();
        let mut described = self.links.iter();
        let same = described.find(|known| {
            (name(known.from.stage), name(known.to.stage)) == (link.from.as_str(), link.to.as_str())
        });
        same.map_or_else(|| Edge::new(&link.from, &link.to), |known| self.edge(known))
    }
}

impl Drawing {
    fn add_line(&mut self, node: &str, line: &str) {
        if let Some(node) = self.nodes.iter_mut().find(|known| known.id == node) {
            node.lines.push(line.to_owned());
        }
    }
}

fn frames(pool: &PoolAgreement) -> String {
    format!("{} frames of heap {}", pool.buffers, pool.heap)
}

/// What a frame is, and where its pixels lie.
fn lies(layout: &Layout) -> [String; 2] {
    let picture = format!("{}×{} {}", layout.width(), layout.height(), layout.format());
    let strides = layout.planes().iter().map(|plane| plane.stride.to_string());
    let strides: Vec<_> = strides.collect();
    let memory = format!("{}, stride {}", layout.modifier(), strides.join(" + "));
    [picture, memory]
}
