//! DOT, for Graphviz to lay out.

use std::fmt::Write;

use super::text::{dot, dot_field};
use super::{Drawing, Edge, EdgeStyle, Emphasis, Node, NodeStyle};

impl Drawing {
    /// The drawing in DOT, the language of Graphviz.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut out = format!("digraph \"{}\" {{\n", dot(&self.title));
        out.push_str("  rankdir=LR;\n");
        out.push_str("  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n");
        out.push_str("  edge [fontname=\"sans-serif\", fontsize=10];\n");
        if !self.title.is_empty() {
            line(
                &mut out,
                &format!("label=\"{}\"; labelloc=t;", dot(&self.title)),
            );
        }
        for (index, node) in self.nodes.iter().enumerate() {
            line(&mut out, &format!("n{index} [{}];", node_attributes(node)));
        }
        for (number, group) in self.groups.iter().enumerate() {
            let members = self.nodes.iter().enumerate();
            let members = members.filter(|(_, node)| self.group_of(node) == Some(number));
            let members: String = members.map(|(index, _)| format!(" n{index};")).collect();
            let title = dot(&group.title);
            line(
                &mut out,
                &format!(
                    "subgraph cluster_{number} {{ label=\"{title}\"; style=dashed;{members} }}"
                ),
            );
        }
        for (edge, from, to) in self.ends() {
            let out_port = port(&self.nodes[from].outputs, edge.from.port.as_deref(), "o");
            let in_port = port(&self.nodes[to].inputs, edge.to.port.as_deref(), "i");
            let attributes = edge_attributes(edge);
            line(
                &mut out,
                &format!("n{from}{out_port} -> n{to}{in_port}{attributes};"),
            );
        }
        out.push_str("}\n");
        out
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    writeln!(out, "  {text}").ok();
}

fn node_attributes(node: &Node) -> String {
    let text = |escape: fn(&str) -> String| {
        let lines = std::iter::once(&node.title).chain(&node.lines);
        lines
            .map(|line| escape(line))
            .collect::<Vec<_>>()
            .join("\\n")
    };
    let mut attributes = if node.inputs.is_empty() && node.outputs.is_empty() {
        format!("label=\"{}\"", text(dot))
    } else {
        let columns = [
            fields(&node.inputs, "i"),
            Some(text(dot_field)),
            fields(&node.outputs, "o"),
        ];
        let columns: Vec<String> = columns.into_iter().flatten().collect();
        format!("shape=record, label=\"{{{}}}\"", columns.join("|"))
    };
    let fill = match node.style {
        NodeStyle::Source => "#e6f6ea",
        NodeStyle::Filter | NodeStyle::Router => "#f3edfd",
        NodeStyle::Transform => "#fdf3e0",
        NodeStyle::Sink => "#e4f1fd",
        NodeStyle::Device => "#f3f4f6",
        NodeStyle::Memory => "#e2f5f3",
    };
    // Writing to a string cannot fail.
    write!(attributes, ", fillcolor=\"{fill}\"").ok();
    if let Some(colour) = colour(node.emphasis) {
        write!(attributes, ", color=\"{colour}\", penwidth=2").ok();
    }
    attributes
}

/// The ports of one side as fields of a record, one below the other.
fn fields(ports: &[String], side: &str) -> Option<String> {
    let fields = ports.iter().enumerate();
    let fields = fields.map(|(index, port)| format!("<{side}{index}> {}", dot_field(port)));
    let fields: Vec<String> = fields.collect();
    (!fields.is_empty()).then(|| format!("{{{}}}", fields.join("|")))
}

/// How an edge names the field of its port.
fn port(ports: &[String], port: Option<&str>, side: &str) -> String {
    let found = port.and_then(|port| ports.iter().position(|known| known == port));
    found.map_or_else(String::new, |index| format!(":{side}{index}"))
}

fn edge_attributes(edge: &Edge) -> String {
    let mut attributes = Vec::new();
    if !edge.lines.is_empty() {
        let lines: Vec<String> = edge.lines.iter().map(|line| dot(line)).collect();
        attributes.push(format!("label=\"{}\"", lines.join("\\n")));
    }
    match edge.style {
        EdgeStyle::Frames => {}
        EdgeStyle::Disabled => attributes.push("style=dashed".to_owned()),
        EdgeStyle::Immutable => attributes.push("style=bold".to_owned()),
    }
    if let Some(colour) = colour(edge.emphasis) {
        attributes.push(format!("color=\"{colour}\", fontcolor=\"{colour}\""));
    }
    if attributes.is_empty() {
        String::new()
    } else {
        format!(" [{}]", attributes.join(", "))
    }
}

fn colour(emphasis: Emphasis) -> Option<&'static str> {
    match emphasis {
        Emphasis::Plain => None,
        Emphasis::Notice => Some("#d4730b"),
        Emphasis::Fault => Some("#cf222e"),
    }
}
