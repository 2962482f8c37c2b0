//! Links, and the chain that they must make.

use std::ops::Range;

use toml::de::DeValue;

use super::diagnostic::{Finding, did_you_mean, listed};
use super::kinds::Role;
use super::reader::Value;
use super::source::Sources;
use super::value::wrong_type;

/// A stage as far as links are concerned.
pub(super) struct Node<'t> {
    pub(super) name: &'t str,
    /// Where it is named.
    pub(super) named: Range<usize>,
    /// `None` where its kind is not known.
    pub(super) role: Option<Role>,
}

/// A link between two stages, by their places among the nodes.
struct Link {
    from: usize,
    to: usize,
    span: Range<usize>,
}

const ARROW: &str = "->";
const CHAIN: &str = "a pipeline is a chain for now: one source, any filters, one sink";

/// The stages in the order in which a frame passes them.
///
/// What is wrong goes to `findings`. Errors that may follow from others are not looked for
/// before those are mended.
pub(super) fn chain(
    sources: &Sources,
    links: Option<&Value<'_>>,
    nodes: &[Node<'_>],
    findings: &mut Vec<Finding>,
) -> Option<Vec<usize>> {
    let before = findings.len();
    ends(nodes, findings);
    let links = match links {
        Some(links) => read(sources, links, nodes, findings),
        None => {
            findings.push(missing(nodes));
            return None;
        }
    };
    if findings.len() > before {
        return None;
    }
    for link in &links {
        findings.extend(directions(link, nodes));
    }
    if findings.len() > before {
        return None;
    }
    findings.extend(branches(&links, nodes));
    if findings.len() > before {
        return None;
    }
    let order = follow(&links, nodes, findings);
    (findings.len() == before).then_some(order)
}

/// One source and one sink are there.
fn ends(nodes: &[Node<'_>], findings: &mut Vec<Finding>) {
    for (role, word) in [(Role::Source, "source"), (Role::Sink, "sink")] {
        let mut ends = nodes.iter().filter(|node| node.role == Some(role));
        let kinds_known = nodes.iter().all(|node| node.role.is_some());
        match (ends.next(), ends.next()) {
            (None, _) if kinds_known => {
                if let Some(last) = nodes.last() {
                    let kinds = super::kinds::KINDS.iter().filter(|kind| kind.role == role);
                    findings.push(
                        Finding::at(last.named.clone(), format!("there is no {word}"))
                            .label(format!("no stage here is a {word}"))
                            .help(format!("add one: {}", listed(kinds.map(|kind| kind.name)))),
                    );
                }
            }
            (Some(first), Some(second)) => findings.push(
                Finding::at(second.named.clone(), format!("there are two {word}s"))
                    .label(format!("`{}` is a {word} already", first.name))
                    .help(CHAIN),
            ),
            _ => {}
        }
    }
}

/// The finding that there are no links at all.
fn missing(nodes: &[Node<'_>]) -> Finding {
    let rank = |node: &&Node<'_>| node.role.map(|role| role as u8);
    let mut ordered: Vec<_> = nodes.iter().collect();
    ordered.sort_by_key(rank);
    let names: Vec<_> = ordered.iter().map(|node| node.name).collect();
    Finding::at(nodes[0].named.clone(), "`links` is missing")
        .label("nothing says where its frames go")
        .help(format!(
            "add `links = [\"{}\"]` above the stages",
            names.join(" -> ")
        ))
}

fn read(
    sources: &Sources,
    links: &Value<'_>,
    nodes: &[Node<'_>],
    findings: &mut Vec<Finding>,
) -> Vec<Link> {
    const WANTED: &str = "a list of strings, as in `[\"camera -> screen\"]`";
    let Some(list) = links.get_ref().as_array() else {
        findings.push(wrong_type("links", links, WANTED));
        return Vec::new();
    };
    if list.is_empty() {
        findings.push(
            Finding::at(links.span(), "`links` is empty")
                .label("nothing is linked")
                .help(format!("`links` is {WANTED}")),
        );
    }
    let mut read = Vec::new();
    for value in list {
        let DeValue::String(text) = value.get_ref() else {
            findings.push(wrong_type("links", value, WANTED));
            continue;
        };
        if !text.contains(ARROW) {
            findings.push(
                Finding::at(value.span(), "this is no link")
                    .label(format!("two stages with `{ARROW}` between them are one"))
                    .help("as in `\"camera -> screen\"`"),
            );
            continue;
        }
        let ends: Vec<_> = parts(sources, value, text)
            .map(|(name, span)| {
                let found = find(name, span.clone(), nodes);
                found
                    .map(|node| (node, span))
                    .map_err(|finding| findings.push(finding))
                    .ok()
            })
            .collect();
        read.extend(ends.windows(2).filter_map(|pair| {
            let (from, to) = (pair[0].as_ref()?, pair[1].as_ref()?);
            Some(Link {
                from: from.0,
                to: to.0,
                span: from.1.start..to.1.end,
            })
        }));
    }
    read
}

/// The names in a link, and where each stands.
fn parts<'v>(
    sources: &Sources,
    value: &Value<'_>,
    text: &'v str,
) -> impl Iterator<Item = (&'v str, Range<usize>)> {
    let whole = value.span();
    // With escapes in the string, places in it say nothing about the file.
    let quoted = sources.slice(&whole);
    let plain = quoted.get(1..quoted.len() - 1) == Some(text);
    let mut at = whole.start + 1;
    text.split(ARROW).map(move |part| {
        let start = at + part.len() - part.trim_start().len();
        at += part.len() + ARROW.len();
        let name = part.trim();
        let span = if plain {
            start..start + name.len()
        } else {
            whole.clone()
        };
        (name, span)
    })
}

fn find(name: &str, span: Range<usize>, nodes: &[Node<'_>]) -> Result<usize, Finding> {
    if name.is_empty() {
        return Err(Finding::at(span, "a link with one end")
            .label("the name of a stage is missing here")
            .help("as in `\"camera -> screen\"`"));
    }
    let names = || nodes.iter().map(|node| node.name);
    names().position(|known| known == name).ok_or_else(|| {
        Finding::at(span, format!("no stage is called `{name}`"))
            .label(did_you_mean(name, names(), || {
                "there is no such stage".to_owned()
            }))
            .help(format!("stages here: {}", listed(names())))
    })
}

/// A link goes out of what makes frames and into what takes them.
fn directions(link: &Link, nodes: &[Node<'_>]) -> Option<Finding> {
    let (from, to) = (&nodes[link.from], &nodes[link.to]);
    let at = |message: String| Finding::at(link.span.clone(), message);
    if link.from == link.to {
        Some(at(format!("`{}` is linked to itself", from.name)).label("a frame would never leave"))
    } else if from.role == Some(Role::Sink) {
        Some(
            at(format!("a link out of `{}`", from.name))
                .label("this is a sink: frames end there")
                .help(format!("did you mean `{} {ARROW} {}`?", to.name, from.name)),
        )
    } else if to.role == Some(Role::Source) {
        Some(
            at(format!("a link into `{}`", to.name))
                .label("this is a source: it takes no frames")
                .help(format!("did you mean `{} {ARROW} {}`?", to.name, from.name)),
        )
    } else {
        None
    }
}

/// No stage is linked twice on one side.
fn branches(links: &[Link], nodes: &[Node<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (later, link) in links.iter().enumerate() {
        let twice = |message: String| {
            Finding::at(link.span.clone(), message)
                .label("a second link")
                .help(CHAIN)
        };
        if let Some(first) = links[..later].iter().find(|first| first.from == link.from) {
            let from = nodes[link.from].name;
            findings.push(twice(if first.to == link.to {
                format!("`{from}` is linked to `{}` twice", nodes[link.to].name)
            } else {
                format!("`{from}` branches")
            }));
        } else if links[..later].iter().any(|first| first.to == link.to) {
            findings.push(twice(format!(
                "two links lead into `{}`",
                nodes[link.to].name
            )));
        }
    }
    findings
}

/// Walks from the source; what is not met on the way is reported.
fn follow(links: &[Link], nodes: &[Node<'_>], findings: &mut Vec<Finding>) -> Vec<usize> {
    let next = |from: usize| {
        links
            .iter()
            .find(|link| link.from == from)
            .map(|link| link.to)
    };
    let source = nodes
        .iter()
        .position(|node| node.role == Some(Role::Source));
    let order: Vec<usize> = std::iter::successors(source, |&stage| next(stage)).collect();
    for (index, node) in nodes.iter().enumerate() {
        let gets = links.iter().any(|link| link.to == index);
        let gives = next(index).is_some();
        let (message, label) = match (node.role, gets, gives) {
            (_, false, false) => ("is not linked", "in no link"),
            (Some(Role::Filter | Role::Source), _, false) => ("leads nowhere", "no link goes on"),
            (Some(Role::Filter | Role::Sink), false, _) => ("gets no frames", "no link comes in"),
            _ if !order.contains(&index) && in_cycle(index, next) => {
                ("is in a cycle", "its frames come back to it")
            }
            _ => continue,
        };
        findings.push(
            Finding::at(node.named.clone(), format!("`{}` {message}", node.name))
                .label(label)
                .help(CHAIN),
        );
    }
    order
}

/// Whether the way from a stage comes back to it; each stage has one way on at most.
fn in_cycle(stage: usize, next: impl Fn(usize) -> Option<usize>) -> bool {
    let mut at = next(stage);
    while let Some(here) = at.filter(|&here| here != stage) {
        at = next(here);
    }
    at.is_some()
}
