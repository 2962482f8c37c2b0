//! Descriptions in the usual order and way of writing: `dmaflow fmt`.
//!
//! Keys stand in the order of the docs' tables, tables in the order variables, defaults, stages
//! as the links name them, limits. Comments stay with what they stand above or behind.

mod order;
mod same;
mod scan;
mod value;

use toml::de::DeTable;

use super::diagnostic::{Diagnostics, Finding};
use super::document::syntax;
use super::kinds::{KINDS, Kind};
use super::source::Sources;
use order::{joined, order, path};
use same::same_tables;
use scan::{Line, Statement, lines, tidy};

/// Writes a description's text in the usual order, with the usual blanks and lines. What was
/// written so stays as it is.
///
/// # Errors
/// What is no TOML. Whether it is a right description is not asked.
pub fn format(text: &str, file_name: &str) -> Result<String, Diagnostics> {
    let text = text.replace("\r\n", "\n");
    let sources = Sources::new(file_name, text.clone());
    let (table, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        let findings = errors.iter().map(|error| syntax(error, 0, &sources));
        let findings = findings.collect();
        return Err(Diagnostics::new(sources, findings));
    }
    let formatted = Sections::of(&text).written();
    // Nobody's description is to be spoilt, whatever is in it that was not thought of here.
    match DeTable::parse(&formatted) {
        Ok(again) if same_tables(table.get_ref(), again.get_ref()) => Ok(formatted),
        _ => Err(Diagnostics::new(
            sources,
            vec![
                Finding::anywhere("this file cannot be put in order without changing what it says")
                    .help("it was left as it is"),
            ],
        )),
    }
}

/// A heading and what is below it.
struct Section<'t> {
    /// `None` for what stands above the first one.
    heading: Option<Line<'t>>,
    /// The heading's names.
    path: Vec<String>,
    entries: Vec<Line<'t>>,
    /// Comments below the last entry.
    below: Vec<Option<&'t str>>,
    has_blank_above_these: bool,
}

struct Sections<'t> {
    /// Comments on the file as a whole.
    head: Vec<Option<&'t str>>,
    all: Vec<Section<'t>>,
}

impl<'t> Sections<'t> {
    fn of(text: &'t str) -> Self {
        let (lines, below) = lines(text);
        let mut head = Vec::new();
        let mut all = vec![Section::new(None)];
        for (at, mut line) in lines.into_iter().enumerate() {
            if at == 0 {
                head = directives(&mut line);
            }
            let (Some(section), is_heading) = (
                all.last_mut(),
                matches!(line.statement, Statement::Heading { .. }),
            ) else {
                continue;
            };
            // What is parted from a heading by a blank line belongs to what is before it.
            let parted = line.above.iter().rposition(Option::is_none);
            if let (Some(blank), true) = (parted, at == 0 || is_heading) {
                let above = line.above.split_off(blank + 1);
                let before = std::mem::replace(&mut line.above, above);
                match at {
                    0 => head = tidy(&[head, before].concat()),
                    _ => section.end(&before),
                }
            }
            line.above = tidy(&line.above);
            if is_heading {
                all.push(Section::new(Some(line)));
            } else {
                section.entries.push(line);
            }
        }
        if let Some(last) = all.last_mut() {
            last.end(&below);
        }
        Self { head, all }
    }

    fn written(mut self) -> String {
        let kinds = self.kinds();
        for section in &mut self.all {
            section.sort(&kinds);
        }
        let lists = |section: &Section<'_>| {
            let heading = section.heading.as_ref().map(|line| &line.statement);
            matches!(heading, Some(Statement::Heading { is_list: true, .. }))
        };
        // Lists of tables, which no description has, depend on their order.
        if !self.all.iter().any(lists) {
            let stages = self.stages();
            self.all.sort_by_key(|section| section.rank(&stages));
        }
        let mut blocks = Vec::new();
        if !self.head.is_empty() {
            blocks.push(comments(&self.head));
        }
        let sections = self.all.iter().map(Section::written);
        blocks.extend(sections.filter(|section| !section.is_empty()));
        blocks.join("\n")
    }

    /// The kind of each stage.
    fn kinds(&self) -> Vec<(String, &'static Kind)> {
        let kind = |section: &Section<'_>| {
            let [stage, name] = &section.path[..] else {
                return None;
            };
            let value = section
                .entries
                .iter()
                .find_map(|line| match line.statement {
                    Statement::Entry { key: "kind", value } => Some(value),
                    _ => None,
                });
            let kind = Kind::find(value?.trim_matches(['"', '\'']))?;
            (stage == "stage").then(|| (name.clone(), kind))
        };
        self.all.iter().filter_map(kind).collect()
    }

    /// The words of the links, in which stages are named in their order.
    fn stages(&self) -> Vec<String> {
        let root = self.all.iter().filter(|section| section.heading.is_none());
        let links =
            root.flat_map(|section| &section.entries)
                .find_map(|line| match line.statement {
                    Statement::Entry {
                        key: "links",
                        value,
                    } => Some(value),
                    _ => None,
                });
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let words = links.unwrap_or_default().replace("->", " ");
        let words = words.split(|c| !is_name(c)).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    }
}

impl<'t> Section<'t> {
    fn new(heading: Option<Line<'t>>) -> Self {
        let path = match heading.as_ref().map(|line| &line.statement) {
            Some(Statement::Heading { name, .. }) => path(name),
            _ => Vec::new(),
        };
        Self {
            heading,
            path,
            entries: Vec::new(),
            below: Vec::new(),
            has_blank_above_these: false,
        }
    }

    /// Takes the comments below it.
    fn end(&mut self, below: &[Option<&'t str>]) {
        self.below = tidy(below);
        self.has_blank_above_these = below.first() == Some(&None);
    }

    /// Where it stands among all: above the first heading; then by what it is, stages as the
    /// links name them.
    fn rank(&self, stages: &[String]) -> (usize, usize, String) {
        let first = self.path.first().map(String::as_str);
        let group = match first {
            None => 0,
            Some("vars") => 1,
            Some("defaults") => 2,
            Some("stage") => 3,
            Some("run") => 4,
            Some(_) => 5,
        };
        let name = self.path.get(1);
        let within = match (first, name) {
            (Some("stage"), Some(name)) => stages.iter().position(|stage| stage == name),
            (Some("defaults"), Some(name)) => KINDS.iter().position(|kind| kind.name == name),
            _ => return (group, 0, String::new()),
        };
        let name = name.cloned().unwrap_or_default();
        match within {
            Some(within) => (group, within + 1, name),
            // Tables of one stage stay together.
            None => (group, usize::MAX, name),
        }
    }

    fn sort(&mut self, kinds: &[(String, &'static Kind)]) {
        let Some(order) = order(&self.path, kinds) else {
            return;
        };
        let rank = |line: &Line<'_>| {
            let Statement::Entry { key, .. } = &line.statement else {
                return usize::MAX;
            };
            let first = path(key).into_iter().next().unwrap_or_default();
            order
                .iter()
                .position(|known| *known == first)
                .unwrap_or(order.len())
        };
        if !self.entries.is_sorted_by_key(rank) {
            self.entries.sort_by_key(rank);
            // Blank lines parted what stands elsewhere now.
            for line in &mut self.entries {
                line.has_blank_above = false;
            }
        }
    }

    fn written(&self) -> String {
        let mut text = String::new();
        if let Some(line) = &self.heading
            && let Statement::Heading { name, is_list } = &line.statement
        {
            let name = joined(name);
            let heading = if *is_list {
                format!("[[{name}]]")
            } else {
                format!("[{name}]")
            };
            text.push_str(&comments(&line.above));
            text.push_str(&with_comment(heading, line.behind));
        }
        for (at, line) in self.entries.iter().enumerate() {
            let Statement::Entry { key, value } = &line.statement else {
                continue;
            };
            if at > 0 && line.has_blank_above {
                text.push('\n');
            }
            text.push_str(&comments(&line.above));
            let key = joined(key);
            let value = value::formatted(value, key.chars().count() + 3);
            text.push_str(&with_comment(format!("{key} = {value}"), line.behind));
        }
        if !self.below.is_empty() {
            if !text.is_empty() && self.has_blank_above_these {
                text.push('\n');
            }
            text.push_str(&comments(&self.below));
        }
        text
    }
}

/// Takes the comments that speak to editors, as `#:schema PATH`, off a file's first statement:
/// they are the file's, and count at its top only.
fn directives<'t>(first: &mut Line<'t>) -> Vec<Option<&'t str>> {
    let blanks = first.above.iter().take_while(|above| above.is_none());
    first.above.drain(..blanks.count());
    let speaks = |comment: &Option<&str>| comment.is_some_and(|text| text.starts_with("#:"));
    let those = first.above.iter().take_while(|above| speaks(above));
    let rest = first.above.split_off(those.count());
    std::mem::replace(&mut first.above, rest)
}

fn with_comment(statement: String, comment: Option<&str>) -> String {
    match comment {
        Some(comment) => format!("{statement} {comment}\n"),
        None => format!("{statement}\n"),
    }
}

fn comments(comments: &[Option<&str>]) -> String {
    let lines = comments.iter().map(|comment| comment.unwrap_or_default());
    lines.map(|line| format!("{line}\n")).collect()
}
