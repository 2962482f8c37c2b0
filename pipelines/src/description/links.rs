//! Links, and the graph that they must make.

mod graph;
mod text;

use std::ops::Range;

use super::diagnostic::{Finding, listed};
use super::kinds::{KINDS, Role};
use super::reader::Value;
use super::source::Sources;
use super::{LinkDescription, Port};
use crate::QueuePolicy;

pub(super) use graph::order;
pub(super) use text::shape;

const ARROW: &str = "->";

/// Whether every stage's frames have to go somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// They have to.
    Closed,
    /// More stages are to follow.
    Open,
}

/// A stage as far as links are concerned.
pub(super) struct Node<'t> {
    pub(super) name: &'t str,
    /// Where it is named.
    pub(super) named: Range<usize>,
    /// `None` where its kind is not known.
    pub(super) role: Option<Role>,
}

/// A link between two stages, by their places among the nodes.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) from: usize,
    /// Which output of the stage it begins at.
    output: usize,
    pub(super) to: usize,
    /// What the input is called that it leads to.
    pub(super) name: String,
    pub(super) span: Range<usize>,
    /// What it says of its frames itself.
    queue: Option<QueuePolicy>,
}

/// Reads the links. What is wrong goes to `findings`; errors that may follow from others are
/// not looked for before those are mended.
pub(super) fn read(
    sources: &Sources,
    links: Option<&Value<'_>>,
    nodes: &[Node<'_>],
    ends: Ends,
    findings: &mut Vec<Finding>,
) -> Option<Vec<Link>> {
    let before = findings.len();
    source_and_sink(nodes, ends, findings);
    let Some(links) = links else {
        if ends == Ends::Open && nodes.len() == 1 {
            return (findings.len() == before).then(Vec::new);
        }
        findings.push(missing(nodes, sources.file().is_line));
        return None;
    };
    let links = text::read(sources, links, nodes, findings);
    (findings.len() == before).then_some(links)
}

/// The links as a description has them, of stages that were put into an order.
pub(super) fn described(
    links: &[Link],
    order: &[usize],
    queues: &[QueuePolicy],
) -> Vec<LinkDescription> {
    let place = |node: usize| order.iter().position(|&at| at == node).unwrap_or(node);
    let input = |at: usize| {
        let earlier = links[..at].iter();
        earlier.filter(|link| link.to == links[at].to).count()
    };
    let described = links.iter().enumerate().map(|(at, link)| LinkDescription {
        from: Port {
            stage: place(link.from),
            port: link.output,
        },
        to: Port {
            stage: place(link.to),
            port: input(at),
        },
        queue: link.queue.unwrap_or(queues[link.to]),
    });
    described.collect()
}

/// A source and a sink are there.
fn source_and_sink(nodes: &[Node<'_>], ends: Ends, findings: &mut Vec<Finding>) {
    let is_source = |role: Role| !role.takes();
    let is_sink = |role: Role| !role.gives();
    let wanted: [(&str, &dyn Fn(Role) -> bool); 2] = [("source", &is_source), ("sink", &is_sink)];
    let wanted = match ends {
        Ends::Closed => &wanted[..],
        Ends::Open => &wanted[..1],
    };
    for (word, is_one) in wanted {
        // What is not known may be one.
        let found = nodes.iter().any(|node| node.role.is_none_or(is_one));
        if let (false, Some(last)) = (found, nodes.last()) {
            let kinds = KINDS.iter().filter(|kind| is_one(kind.role));
            findings.push(
                Finding::at(last.named.clone(), format!("there is no {word}"))
                    .label(format!("no stage here is a {word}"))
                    .help(format!("add one: {}", listed(kinds.map(|kind| kind.name)))),
            );
        }
    }
}

/// The finding that there are no links at all.
fn missing(nodes: &[Node<'_>], in_a_line: bool) -> Finding {
    let mut ordered: Vec<_> = nodes.iter().collect();
    ordered.sort_by_key(|node| node.role);
    let is_sink = |node: &&&Node<'_>| node.role.is_some_and(|role| !role.gives());
    let (sinks, mut others): (Vec<_>, Vec<_>) =
        ordered.into_iter().partition(|node| is_sink(&node));
    others.extend(sinks.first());
    let names: Vec<_> = others.iter().map(|node| node.name).collect();
    let missing = |message: &str| {
        Finding::at(nodes[0].named.clone(), message).label("nothing says where its frames go")
    };
    if in_a_line {
        missing("no stage is linked").help(format!("link them: `{}`", names.join(" ! ")))
    } else {
        missing("`links` is missing").help(format!(
            "add `links = [\"{}\"]` above the stages",
            names.join(" -> ")
        ))
    }
}
