//! Links as they are written: `"a -> b -> c"`, or tables.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::{ARROW, Link, Node};
use crate::QueuePolicy;
use crate::description::diagnostic::{Finding, did_you_mean, listed};
use crate::description::kinds;
use crate::description::reader::{Reader, Value, keys};
use crate::description::shape::Shape;
use crate::description::source::Sources;
use crate::description::value::wrong_type;

const WANTED: &str = "a list of links, as in `[\"camera -> screen\"]`";
const EXAMPLE: &str = "as in `\"camera -> screen\"`";

/// Reads the list of links.
pub(super) fn read(
    sources: &Sources,
    links: &Value<'_>,
    nodes: &[Node<'_>],
    findings: &mut Vec<Finding>,
) -> Vec<Link> {
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
        match value.get_ref() {
            DeValue::String(text) => read.extend(chain(sources, value, text, nodes, findings)),
            DeValue::Table(link) => {
                read.extend(table(sources, link, value.span(), nodes, findings));
            }
            _ => findings.push(wrong_type("links", value, WANTED)),
        }
    }
    read
}

/// `a -> b -> c`
fn chain(
    sources: &Sources,
    value: &Value<'_>,
    text: &str,
    nodes: &[Node<'_>],
    findings: &mut Vec<Finding>,
) -> Vec<Link> {
    if !text.contains(ARROW) {
        findings.push(
            Finding::at(value.span(), "this is no link")
                .label(format!("two stages with `{ARROW}` between them are one"))
                .help(EXAMPLE),
        );
        return Vec::new();
    }
    let last = text.matches(ARROW).count();
    let ends: Vec<_> = parts(sources, value, text)
        .enumerate()
        .map(|(place, (name, span))| {
            let found = End::find(name, span, place == last, nodes);
            found.map_err(|finding| findings.push(finding)).ok()
        })
        .collect();
    let pairs = ends.windows(2);
    pairs
        .filter_map(|pair| Some(End::link(pair[0].as_ref()?, pair[1].as_ref()?)))
        .collect()
}

/// `{ from = "a", to = "b", queue = "fifo" }`
fn table(
    sources: &Sources,
    link: &DeTable<'_>,
    span: Range<usize>,
    nodes: &[Node<'_>],
    findings: &mut Vec<Finding>,
) -> Option<Link> {
    let mut reader = Reader::new(link, "a link", span, findings);
    let (names, queue) = keys_of_link(&mut reader);
    let ends = ["from", "to"].into_iter().zip(names);
    let ends: Vec<_> = ends
        .map(|(key, name)| {
            let (_, value) = reader.raw(key)?;
            let name = name?;
            let mut parts = parts(sources, value, &name);
            let found = match (parts.next()?, parts.next()) {
                ((name, span), None) => End::find(name, span, key == "to", nodes),
                (_, Some(_)) => Err(
                    Finding::at(value.span(), format!("`{key}` names one stage"))
                        .label("this is a chain")
                        .help(format!("`\"{name}\"` is a link of its own in `links`")),
                ),
            };
            found.map_err(|finding| reader.report(finding)).ok()
        })
        .collect();
    reader.finish(|_| None);
    let [Some(from), Some(to)] = &ends[..] else {
        return None;
    };
    Some(Link {
        queue,
        ..End::link(from, to)
    })
}

/// The names of both ends, and what the link says of its frames.
fn keys_of_link(reader: &mut Reader<'_, '_>) -> ([Option<String>; 2], Option<QueuePolicy>) {
    const MEND: &str = "as in `{ from = \"camera\", to = \"screen\" }`";
    let from = reader
        .doc("the stage that it begins at")
        .required("from", MEND);
    let to = reader
        .doc("the stage that it leads to")
        .required("to", MEND);
    ([from, to], kinds::queue(reader))
}

/// What `links` may be.
pub(in crate::description) fn shape() -> Shape {
    let chain = Shape::Text("text, as `\"camera -> screen\"`");
    Shape::List(Box::new(chain.or(Shape::Table(keys(keys_of_link)))))
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
    let inner = quoted.get(1..quoted.len().saturating_sub(1));
    let plain = inner == Some(text);
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

/// An end of a link.
struct End {
    node: usize,
    /// Which output.
    port: usize,
    text: String,
    span: Range<usize>,
}

impl End {
    fn find(
        text: &str,
        span: Range<usize>,
        is_last: bool,
        nodes: &[Node<'_>],
    ) -> Result<Self, Finding> {
        if text.is_empty() {
            return Err(Finding::at(span, "a link with one end")
                .label("the name of a stage is missing here")
                .help(EXAMPLE));
        }
        let (name, port) = match text.split_once('.') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        };
        let names = || nodes.iter().map(|node| node.name);
        let Some(node) = names().position(|known| known == name) else {
            return Err(Finding::at(span, format!("no stage is called `{name}`"))
                .label(did_you_mean(name, names(), || {
                    "there is no such stage".to_owned()
                }))
                .help(format!("stages here: {}", listed(names()))));
        };
        if let Some(port) = port.filter(|port| is_last || *port != "0") {
            let finding = Finding::at(
                span,
                format!(
                    "`{name}` has no {} `{port}`",
                    if is_last { "input" } else { "output" }
                ),
            );
            return Err(if is_last {
                finding
                    .label("inputs are called by the stages that lead there")
                    .help(format!("leave `.{port}` out"))
            } else {
                finding
                    .label("it has one output, which any number of links may begin at")
                    .help(format!("leave `.{port}` out"))
            });
        }
        Ok(Self {
            node,
            port: 0,
            text: name.to_owned(),
            span,
        })
    }

    fn link(from: &Self, to: &Self) -> Link {
        Link {
            from: from.node,
            output: from.port,
            to: to.node,
            name: from.text.clone(),
            span: from.span.start.min(to.span.start)..from.span.end.max(to.span.end),
            queue: None,
        }
    }
}
