//! The texts that make a description up, laid over each other: its file lies on what that
//! includes, and all of it on its board's profile.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Finding;
use super::document::syntax;
use super::reader::Value;
use super::source::{Source, Sources};
use super::value::{FromToml, wrong_type};
use super::{boards, line, version};

/// Which texts there are, by their places among the sources.
#[derive(Debug)]
pub(super) struct Layers {
    root: usize,
    /// What each includes, in its order.
    includes: Vec<Vec<usize>>,
    /// The board's profile.
    board: Option<usize>,
}

impl Layers {
    /// Reads all that the first source asks for into the sources.
    pub(super) fn gather(sources: &mut Sources, findings: &mut Vec<Finding>) -> Option<Self> {
        let mut gatherer = Gatherer {
            sources,
            findings,
            known: Vec::new(),
            includes: Vec::new(),
            board: None,
        };
        let before = gatherer.findings.len();
        gatherer.visit(0, &mut Vec::new());
        let board = gatherer
            .board
            .take()
            .and_then(|board| gatherer.profile(&board));
        let includes = gatherer.includes;
        (findings.len() == before).then_some(Self {
            root: 0,
            includes,
            board,
        })
    }

    /// All texts as one table.
    pub(super) fn merged<'s>(&self, sources: &'s Sources) -> DeTable<'s> {
        let mut whole = match self.board {
            Some(board) => parsed(&sources.all()[board]),
            None => DeTable::new(),
        };
        lay_over(&mut whole, self.layer(self.root, sources));
        whole
    }

    /// A text over what it includes.
    fn layer<'s>(&self, index: usize, sources: &'s Sources) -> DeTable<'s> {
        let mut below = DeTable::new();
        for &included in self.includes.get(index).into_iter().flatten() {
            lay_over(&mut below, self.layer(included, sources));
        }
        lay_over(&mut below, parsed(&sources.all()[index]));
        below
    }
}

/// What a text says of others.
#[derive(Default)]
struct Head {
    includes: Vec<(String, Range<usize>)>,
    board: Option<(String, Range<usize>)>,
}

struct Gatherer<'a> {
    sources: &'a mut Sources,
    findings: &'a mut Vec<Finding>,
    /// Files that were read, by their canonical paths.
    known: Vec<(PathBuf, usize)>,
    includes: Vec<Vec<usize>>,
    board: Option<(String, Range<usize>)>,
}

impl Gatherer<'_> {
    /// Reads what a text includes; `way` leads from the description's file to it.
    fn visit(&mut self, index: usize, way: &mut Vec<usize>) {
        self.includes.resize(self.sources.all().len(), Vec::new());
        let Some(head) = self.head(index) else { return };
        // The nearest to the description's own file counts.
        self.board = self.board.take().or(head.board);
        way.push(index);
        for (path, span) in head.includes {
            if let Some(included) = self.include(index, &path, &span, way) {
                self.includes[index].push(included);
            }
        }
        way.pop();
    }

    fn head(&mut self, index: usize) -> Option<Head> {
        let source = &self.sources.all()[index];
        let findings = &mut *self.findings;
        let before = findings.len();
        if source.is_line {
            line::read(source, findings);
            return (findings.len() == before).then(Head::default);
        }
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        if !errors.is_empty() {
            let found = errors
                .iter()
                .map(|error| syntax(error, source.start, self.sources));
            findings.extend(found);
            return None;
        }
        let table = moved_table(table.into_inner(), source.start);
        if let Some(finding) = table.get("version").and_then(version::check) {
            findings.push(finding);
            return None;
        }
        let board = table.get("board").map(|value| {
            let name = String::from_toml("board", value);
            name.map(|name| (name, value.span()))
        });
        let includes = table
            .get("include")
            .map_or_else(|| Ok(Vec::new()), include_list);
        let read = board.transpose().and_then(|board| {
            Ok(Head {
                includes: includes?,
                board,
            })
        });
        read.map_err(|finding| findings.push(finding)).ok()
    }

    fn include(
        &mut self,
        by: usize,
        path: &str,
        span: &Range<usize>,
        way: &mut Vec<usize>,
    ) -> Option<usize> {
        let by = Path::new(&self.sources.all()[by].name);
        let path = by.parent().unwrap_or(Path::new("")).join(path);
        let canonical = path.canonicalize().unwrap_or_else(|_missing| path.clone());
        let known = self.known.iter().find(|(known, _)| *known == canonical);
        let known = known.map(|(_, index)| *index).or_else(|| {
            let root = Path::new(&self.sources.all()[0].name).canonicalize().ok()?;
            (root == canonical).then_some(0)
        });
        if let Some(index) = known {
            if !way.contains(&index) {
                return Some(index);
            }
            let names = way.iter().skip_while(|at| **at != index).chain([&index]);
            let names: Vec<_> = names.map(|&at| self.name(at)).collect();
            self.findings.push(
                Finding::at(span.clone(), "files that include each other")
                    .label("this file is being read already")
                    .help(names.join(" includes ")),
            );
            return None;
        }
        match super::file::read(&path) {
            Ok(text) => {
                let index = self.sources.add(&path.display().to_string(), text);
                self.known.push((canonical, index));
                self.visit(index, way);
                Some(index)
            }
            Err(failure) => {
                let names: Vec<_> = way.iter().map(|&at| self.name(at)).collect();
                let missing = format!("`{}`", path.display());
                let chain = format!("{} includes {missing}", names.join(" includes "));
                let finding = failure.named_at(span, &path, chain, self.sources);
                self.findings.push(finding);
                None
            }
        }
    }

    fn name(&self, index: usize) -> String {
        format!("`{}`", self.sources.all()[index].name)
    }

    /// Reads a board's profile.
    fn profile(&mut self, (name, span): &(String, Range<usize>)) -> Option<usize> {
        let index = boards::find(name, span, self.sources)
            .map_err(|finding| self.findings.push(finding))
            .ok()?;
        let source = &self.sources.all()[index];
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        let found = errors
            .iter()
            .map(|error| syntax(error, source.start, self.sources));
        self.findings.extend(found);
        let table = moved_table(table.into_inner(), source.start);
        self.findings.extend(boards::check(&table));
        Some(index)
    }
}

fn include_list(value: &Value<'_>) -> Result<Vec<(String, Range<usize>)>, Finding> {
    const WANTED: &str = "a list of files, as in `[\"common.toml\"]`";
    let list = value.get_ref().as_array();
    let list = list.ok_or_else(|| wrong_type("include", value, WANTED))?;
    let paths = list.iter().map(|path| match path.get_ref() {
        DeValue::String(text) if !text.is_empty() => Ok((text.to_string(), path.span())),
        _ => Err(wrong_type("include", path, WANTED)),
    });
    paths.collect()
}

/// A text that is known to be right.
fn parsed(source: &Source) -> DeTable<'_> {
    if source.is_line {
        return line::read(source, &mut Vec::new());
    }
    let (table, _none) = DeTable::parse_recoverable(&source.text);
    moved_table(table.into_inner(), source.start)
}

/// Puts a table's entries over those of another, tables key by key.
fn lay_over<'s>(below: &mut DeTable<'s>, above: DeTable<'s>) {
    for (key, value) in above {
        let old = below.remove(key.get_ref().as_ref());
        let span = value.span();
        let value = match (old.map(Spanned::into_inner), value.into_inner()) {
            (Some(DeValue::Table(mut under)), DeValue::Table(over)) => {
                lay_over(&mut under, over);
                DeValue::Table(under)
            }
            (_, value) => value,
        };
        below.insert(key, Spanned::new(span, value));
    }
}

/// A table parsed by itself, moved to where it stands among all texts.
pub(super) fn moved_table(table: DeTable<'_>, to: usize) -> DeTable<'_> {
    let entries = table.into_iter().map(|(key, value)| {
        let span = by(key.span(), to);
        (Spanned::new(span, key.into_inner()), moved(value, to))
    });
    entries.collect()
}

/// A value parsed by itself, moved to where it stands among all texts.
pub(super) fn moved(value: Value<'_>, to: usize) -> Value<'_> {
    let span = by(value.span(), to);
    let value = match value.into_inner() {
        DeValue::Array(list) => {
            DeValue::Array(list.into_iter().map(|value| moved(value, to)).collect())
        }
        DeValue::Table(table) => DeValue::Table(moved_table(table, to)),
        plain => plain,
    };
    Spanned::new(span, value)
}

/// A span moved.
pub(super) fn by(span: Range<usize>, offset: usize) -> Range<usize> {
    span.start + offset..span.end + offset
}
