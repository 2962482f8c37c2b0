//! The document as a whole: stages, links and limits, from TOML to types.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::Error as TomlError;

use super::diagnostic::{Finding, did_you_mean, listed};
use super::kinds::{Kind, Setup};
use super::links::{self, Node};
use super::overrides;
use super::reader::{Reader, Value, in_order};
use super::source::Sources;
use super::value::wrong_type;
use super::{Description, FilterStage, SinkStage, SourceStage};
use crate::Limits;

/// Reads the texts of a description; what is wrong goes to `findings`.
pub(super) fn read(sources: &Sources, findings: &mut Vec<Finding>) -> Option<Description> {
    let (table, errors) = DeTable::parse_recoverable(&sources.file().text);
    if !errors.is_empty() {
        findings.extend(errors.iter().map(|error| syntax(error, sources)));
        return None;
    }
    let mut table = table.into_inner();
    overrides::apply(&mut table, sources, findings);

    let mut reader = Reader::new(&table, "a description", 0..0, findings);
    let links = reader.raw("links").map(|(_, links)| links);
    let stages = reader.table("stage", "tables, as in `[stage.camera]`");
    let run = reader.table("run", "a table");
    reader.finish(|key| {
        let is_table = table.get(key)?.get_ref().is_table();
        is_table.then(|| format!("a stage is written `[stage.{key}]`"))
    });

    let limits = run.map(|run| limits(Reader::new(run, "`[run]`", 0..0, findings)));
    let drafts: Vec<Draft<'_>> = stages
        .into_iter()
        .flat_map(in_order)
        .map(|(name, value)| draft(name, value, findings))
        .collect();
    if drafts.is_empty() {
        if findings.is_empty() {
            findings.push(no_stages());
        }
        return None;
    }
    let nodes: Vec<_> = drafts.iter().map(Draft::node).collect();
    let order = links::chain(sources, links, &nodes, findings)?;
    enough_buffers(&drafts, &order, findings);
    assemble(drafts, &order, limits.unwrap_or_default())
}

/// Puts together what was read; `None` where something that is needed was missing.
fn assemble(drafts: Vec<Draft<'_>>, order: &[usize], limits: Limits) -> Option<Description> {
    let (mut source, mut filters, mut sink) = (None, Vec::new(), None);
    let mut drafts: Vec<_> = drafts.into_iter().map(Some).collect();
    for &index in order {
        let draft = drafts[index].take()?;
        let name = draft.name.to_owned();
        match draft.read? {
            Setup::Source(kind, pool) => source = Some(SourceStage { name, kind, pool }),
            Setup::Filter(kind, queue) => filters.push(FilterStage { name, kind, queue }),
            Setup::Sink(kind, queue) => sink = Some(SinkStage { name, kind, queue }),
        }
    }
    Some(Description {
        source: source?,
        filters,
        sink: sink?,
        limits,
    })
}

/// What is wrong where the text is no TOML.
pub(super) fn syntax(error: &TomlError, sources: &Sources) -> Finding {
    let span = error.span().unwrap_or(0..0);
    if error.message() == "duplicate key" {
        let message = format!("`{}` stands here twice", sources.slice(&span));
        return Finding::at(span, message)
            .label("the second one")
            .help("a key stands once in its table, a stage or heap once in a file");
    }
    let help = if error.message().contains("string") {
        "a string stands in double quotes, as in `kind = \"v4l2-src\"`"
    } else {
        "the grammar is at https://toml.io"
    };
    Finding::at(span, "the file is not valid TOML")
        .label(error.message())
        .help(help)
}

fn no_stages() -> Finding {
    Finding::at(0..0, "there are no stages")
        .label("a description needs a source and a sink")
        .help(
            "the smallest one is\n\
             links = [\"camera -> screen\"]\n\
             [stage.camera]\n\
             kind = \"v4l2-src\"\n\
             [stage.screen]\n\
             kind = \"kms-sink\"",
        )
}

fn limits(mut reader: Reader<'_, '_>) -> Limits {
    let limits = Limits {
        duration: reader.optional("for"),
        frames: reader.number("frames", 1..),
    };
    reader.finish(|_| None);
    limits
}

/// A stage on its way to become one.
struct Draft<'t> {
    name: &'t str,
    named: Range<usize>,
    kind: Option<&'static Kind>,
    /// Where `buffers` is set.
    buffers: Option<Range<usize>>,
    /// What was read, where nothing needed was missing.
    read: Option<Setup>,
}

impl Draft<'_> {
    fn node(&self) -> Node<'_> {
        Node {
            name: self.name,
            named: self.named.clone(),
            role: self.kind.map(|kind| kind.role),
        }
    }
}

fn draft<'t>(
    name: &'t Spanned<Cow<'t, str>>,
    value: &'t Value<'t>,
    findings: &mut Vec<Finding>,
) -> Draft<'t> {
    let (named, name) = (name.span(), name.get_ref().as_ref());
    if name == "run"
        || !name
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"_-".contains(&c))
    {
        findings.push(
            Finding::at(named.clone(), format!("a stage cannot be called `{name}`"))
                .label("letters, digits, `_` and `-` make a name; `run` is taken"),
        );
    }
    let mut draft = Draft {
        name,
        named,
        kind: None,
        buffers: None,
        read: None,
    };
    let Some(table) = value.get_ref().as_table() else {
        findings.push(wrong_type(name, value, "a table").help(format!(
            "a stage is written `[stage.{name}]`, its keys below"
        )));
        return draft;
    };
    let mut reader = Reader::new(table, "a stage", draft.named.clone(), findings);
    let mend = format!("add `kind = \"…\"`, one of: {}", listed(Kind::names()));
    let asked: Option<String> = reader.required("kind", &mend);
    draft.kind = asked.as_deref().and_then(Kind::find);
    if let (Some(asked), None) = (&asked, draft.kind) {
        let place = reader.place("kind");
        reader.report(
            Finding::at(place, format!("there is no kind `{asked}`"))
                .label(did_you_mean(asked, Kind::names(), || {
                    "no stage is of this kind".to_owned()
                }))
                .help(format!("kinds: {}", listed(Kind::names()))),
        );
    }
    draft.buffers = table.get("buffers").map(|buffers| buffers.span());
    draft.read = draft.kind.and_then(|kind| kind.read(reader));
    draft
}

/// The source has buffers for what the other stages keep.
fn enough_buffers(drafts: &[Draft<'_>], order: &[usize], findings: &mut Vec<Finding>) {
    let stages = || order.iter().map(|&index| &drafts[index]);
    let asked = stages().find_map(|draft| match draft.read.as_ref()? {
        Setup::Source(_, pool) => Some((pool.buffers?, draft.buffers.clone()?)),
        _ => None,
    });
    let Some((buffers, span)) = asked else { return };
    for draft in stages() {
        if let Some(Kind {
            name,
            min_buffers: Some((least, why)),
            ..
        }) = draft.kind
            && buffers < *least
        {
            findings.push(
                Finding::at(span.clone(), "`buffers` is out of range")
                    .label(format!("`{}` is a {name}, which needs {least}", draft.name))
                    .help(format!(
                        "{why}; leave `buffers` out to have as many as are needed"
                    )),
            );
        }
    }
}
