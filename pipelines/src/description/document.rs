//! The document as a whole: stages, links and limits, from TOML to types.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::Error as TomlError;

use super::diagnostic::{Finding, did_you_mean, listed};
use super::kinds::{Kind, Read};
use super::layers::{Layers, by};
use super::links::{self, Ends, Link, Node};
use super::reader::{Reader, Value, in_order, keys};
use super::shape::{Key, Shape};
use super::source::Sources;
use super::value::{Socket, wrong_type};
use super::{Description, Stage, ZeroCopy};
use super::{buffers, defaults, inputs, overrides, variables};
use crate::{Limits, QueuePolicy};

/// Reads the texts of a description; what is wrong goes to `findings`.
pub(super) fn read(
    sources: &Sources,
    layers: &Layers,
    ends: Ends,
    findings: &mut Vec<Finding>,
) -> Option<Description> {
    let mut table = layers.merged(sources);
    overrides::apply(&mut table, sources, findings);
    let before = findings.len();
    variables::apply(&mut table, findings);
    if findings.len() > before {
        return None; // What stands there would be wrong for that alone.
    }
    defaults::apply(&mut table, findings);

    let mut reader = Reader::new(&table, "a description", 0..0, findings);
    let Top {
        zero_copy,
        control,
        links,
        stages,
        run,
    } = Top::read(&mut reader);
    reader.finish(|key| {
        let is_table = table.get(key)?.get_ref().is_table();
        is_table.then(|| format!("a stage is written `[stage.{key}]`"))
    });

    let limits = run.map(|run| {
        let mut reader = Reader::new(run, "`[run]`", 0..0, findings);
        let limits = limits(&mut reader);
        reader.finish(|_| None);
        limits
    });
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
    let links = links::read(sources, links, &nodes, ends, findings)?;
    let order = links::order(&links, &nodes, ends, findings)?;
    buffers::enough(&drafts, &links, findings);
    let queues: Vec<_> = drafts.iter().map(Draft::queue).collect();
    Some(Description {
        stages: in_this_order(drafts, &order, &links, findings)?,
        links: links::described(&links, &order, &queues),
        limits: limits.unwrap_or_default(),
        zero_copy,
        control: control.map(|Socket(path)| path),
    })
}

/// What stands above the first stage, or has a heading of its own.
struct Top<'t> {
    zero_copy: ZeroCopy,
    control: Option<Socket>,
    links: Option<&'t Value<'t>>,
    stages: Option<&'t DeTable<'t>>,
    run: Option<&'t DeTable<'t>>,
}

impl<'t> Top<'t> {
    fn read(reader: &mut Reader<'t, '_>) -> Self {
        // These were read when the texts were put together.
        let text = || Shape::Text("text");
        reader
            .doc("the version of the language that it is written in; 1 without it")
            .shaped("version", Shape::Integer(Some(1), Some(1)));
        reader
            .doc("files, beside this one, that it lies over key by key; the last one on top")
            .shaped("include", Shape::List(Box::new(text())));
        reader
            .doc("the board, whose profile says what stages leave out")
            .shaped("board", text());
        let zero_copy = reader
            .doc("whether ways will do on which the CPU copies; `require` without it")
            .optional("zero-copy");
        let control = reader
            .doc("where a socket is made that `dmaflow ctl` talks to")
            .optional("control");
        let links = reader
            .doc("which stage's frames go where: `\"a -> b -> c\"`, or tables of one link")
            .shaped("links", links::shape());
        let links = links.map(|(_, links)| links);
        reader
            .doc("variables: `\"${name}\"` stands for a value, `--set var.name=…` replaces it")
            .table("vars", "a table, as in `[vars]`");
        reader
            .doc("`[defaults.KIND]`: what stages of a kind have unless they say otherwise")
            .table("defaults", "tables, as in `[defaults.v4l2-src]`");
        reader
            .doc("`[stage.NAME]`: the stages")
            .doc("when a run ends by itself");
        Self {
            zero_copy: zero_copy.unwrap_or_default(),
            control,
            links,
            stages: reader.table("stage", "tables, as in `[stage.camera]`"),
            run: {
                reader.shaped("run", Shape::Table(keys(limits)));
                reader.table("run", "a table")
            },
        }
    }
}

/// What a description as a whole can say.
pub(super) fn described() -> Vec<Key> {
    // What is given out borrows from an empty table.
    keys(|reader| {
        Top::read(reader);
    })
}

/// Puts the stages together, now that links name their inputs; `None` where something that is
/// needed was missing.
fn in_this_order(
    drafts: Vec<Draft<'_>>,
    order: &[usize],
    links: &[Link],
    findings: &mut Vec<Finding>,
) -> Option<Vec<Stage>> {
    let mut drafts: Vec<_> = drafts.into_iter().map(Some).collect();
    let stages = order.iter().map(|&index| {
        let draft = drafts[index].take()?;
        let read = draft.read?;
        let inputs: Vec<_> = links.iter().filter(|link| link.to == index).collect();
        Some(Stage {
            name: draft.name.to_owned(),
            kind: inputs::join(read.setup?, draft.name, &inputs, findings),
            restart: read.restart,
        })
    });
    stages.collect()
}

/// What is wrong where a text that begins at `start` is no TOML.
pub(super) fn syntax(error: &TomlError, start: usize, sources: &Sources) -> Finding {
    let span = by(error.span().unwrap_or(0..0), start);
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

fn limits(reader: &mut Reader<'_, '_>) -> Limits {
    Limits {
        duration: reader.doc("after this time").optional("for"),
        frames: reader
            .doc("after so many captured frames")
            .number("frames", 1_u64..),
    }
}

/// A stage on its way to become one.
pub(super) struct Draft<'t> {
    pub(super) name: &'t str,
    named: Range<usize>,
    pub(super) kind: Option<&'static Kind>,
    /// Where `buffers` is set.
    pub(super) buffers: Option<Range<usize>>,
    pub(super) read: Option<Read>,
}

impl Draft<'_> {
    fn node(&self) -> Node<'_> {
        Node {
            name: self.name,
            named: self.named.clone(),
            role: self.kind.map(|kind| kind.role),
        }
    }

    fn queue(&self) -> QueuePolicy {
        let queue = self.read.as_ref().and_then(|read| read.queue);
        queue.unwrap_or_default()
    }
}

fn draft<'t>(
    name: &'t Spanned<Cow<'t, str>>,
    value: &'t Value<'t>,
    findings: &mut Vec<Finding>,
) -> Draft<'t> {
    let (named, name) = (name.span(), name.get_ref().as_ref());
    if ["run", "var"].contains(&name)
        || !name
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"_-".contains(&c))
    {
        findings.push(
            Finding::at(named.clone(), format!("a stage cannot be called `{name}`"))
                .label("letters, digits, `_` and `-` make a name; `run` and `var` are taken"),
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
    draft.read = draft.kind.map(|kind| kind.read(reader));
    draft
}
