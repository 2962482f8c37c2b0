//! Mermaid, which forges and documentation tools draw.

use std::fmt::Write;

use super::text::mermaid;
use super::{Drawing, Edge, EdgeStyle, Emphasis, Node, NodeStyle};

impl Drawing {
    /// The drawing as a Mermaid flowchart.
    ///
    /// Mermaid has no ports: an edge's label names those it has.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut out = String::new();
        if !self.title.is_empty() {
            // The head is YAML: a string in double quotes takes what JSON takes.
            let title = serde_json::Value::from(super::text::line(&self.title));
            line(&mut out, 0, &format!("---\ntitle: {title}\n---"));
        }
        line(&mut out, 0, "flowchart LR");
        for (number, group) in self.groups.iter().enumerate() {
            let members = || {
                let nodes = self.nodes.iter().enumerate();
                nodes.filter(move |(_, node)| self.group_of(node) == Some(number))
            };
            if members().next().is_none() {
                continue;
            }
            let title = quoted([&group.title].into_iter());
            line(&mut out, 1, &format!("subgraph g{number}[{title}]"));
            for (index, node) in members() {
                line(&mut out, 2, &node_text(index, node));
            }
            line(&mut out, 1, "end");
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if self.group_of(node).is_none() {
                line(&mut out, 1, &node_text(index, node));
            }
        }
        for (edge, from, to) in self.ends() {
            line(&mut out, 1, &format!("n{from} {} n{to}", arrow(edge)));
        }
        for (index, edge) in self.edges.iter().enumerate() {
            if let Some(colour) = colour(edge.emphasis) {
                line(
                    &mut out,
                    1,
                    &format!("linkStyle {index} stroke:{colour},stroke-width:3px"),
                );
            }
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some(colour) = colour(node.emphasis) {
                line(
                    &mut out,
                    1,
                    &format!("style n{index} stroke:{colour},stroke-width:3px"),
                );
            }
        }
        out
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    // Writing to a string cannot fail.
    writeln!(out, "{:1$}{text}", "", depth * 2).ok();
}

/// Lines as a quoted label. An empty one is not taken.
fn quoted<'t>(lines: impl Iterator<Item = &'t String>) -> String {
    let lines: Vec<String> = lines.map(|line| mermaid(line)).collect();
    let text = lines.join("<br/>");
    format!(
        "\"{}\"",
        if text.trim().is_empty() {
            "#160;"
        } else {
            &text
        }
    )
}

fn node_text(index: usize, node: &Node) -> String {
    let text = quoted(std::iter::once(&node.title).chain(&node.lines));
    let (open, close) = match node.style {
        NodeStyle::Source => ("([", "])"),
        NodeStyle::Filter => ("(", ")"),
        NodeStyle::Transform => ("[/", "/]"),
        NodeStyle::Router => ("{{", "}}"),
        NodeStyle::Sink => ("[[", "]]"),
        NodeStyle::Device => ("[", "]"),
        NodeStyle::Memory => ("[(", ")]"),
    };
    format!("n{index}{open}{text}{close}")
}

fn arrow(edge: &Edge) -> String {
    let arrow = match edge.style {
        EdgeStyle::Frames => "-->",
        EdgeStyle::Disabled => "-.->",
        EdgeStyle::Immutable => "==>",
    };
    let ports = match (&edge.from.port, &edge.to.port) {
        (None, None) => None,
        (Some(from), None) => Some(format!("from {from}")),
        (None, Some(to)) => Some(format!("to {to}")),
        (Some(from), Some(to)) => Some(format!("{from} to {to}")),
    };
    let mut lines = ports.iter().chain(&edge.lines).peekable();
    if lines.peek().is_none() {
        arrow.to_owned()
    } else {
        format!("{arrow}|{}|", quoted(lines))
    }
}

fn colour(emphasis: Emphasis) -> Option<&'static str> {
    match emphasis {
        Emphasis::Plain => None,
        Emphasis::Notice => Some("#d4730b"),
        Emphasis::Fault => Some("#cf222e"),
    }
}
