//! Values, written anew.

use super::scan::{key_end, part_end};

/// How long a line may get.
const WIDTH: usize = 100;
const INDENT: &str = "    ";

/// A value as far as its writing is concerned.
enum Value<'t> {
    /// As it stands.
    Plain(&'t str),
    /// Keys and values.
    Table(Vec<(&'t str, Value<'t>)>),
    List(List<'t>),
}

struct List<'t> {
    items: Vec<Item<'t>>,
    /// Comments below the last item.
    below: Vec<&'t str>,
    /// Its writer gave each item a line, as the comma behind the last one says.
    is_open: bool,
}

struct Item<'t> {
    above: Vec<&'t str>,
    value: Value<'t>,
    behind: Option<&'t str>,
}

/// A value in the usual way of writing, which begins at a column.
pub(super) fn formatted(value: &str, column: usize) -> String {
    parse(value).written(0, column)
}

fn parse(text: &str) -> Value<'_> {
    let inner = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    if let Some(inner) = inner('[', ']') {
        return Value::List(list(inner));
    }
    inner('{', '}')
        .and_then(table)
        .map_or(Value::Plain(text), Value::Table)
}

/// `None` where there are comments or lines in it: then it stays as it is.
fn table(inner: &str) -> Option<Vec<(&str, Value<'_>)>> {
    let (mut entries, mut at) = (Vec::new(), 0);
    while !inner[at..].trim().is_empty() {
        let equals = key_end(inner, at);
        let start = equals + 1;
        let start = start + inner[start..].len() - inner[start..].trim_start().len();
        let end = part_end(inner, start, true);
        let key = inner[at..equals].trim();
        let comma = inner[end..].trim_start();
        if key.contains(['\n', '#']) || !(comma.is_empty() || comma.starts_with(',')) {
            return None;
        }
        entries.push((key, parse(inner[start..end].trim_end())));
        at = inner.len() - comma.len() + usize::from(!comma.is_empty());
        if inner[at..].starts_with('\n') {
            return None;
        }
    }
    Some(entries)
}

fn list(inner: &str) -> List<'_> {
    let mut list = List {
        items: Vec::new(),
        below: Vec::new(),
        is_open: inner.trim_end().ends_with(',') && inner.contains('\n'),
    };
    let (mut at, mut is_new_line) = (0, true);
    while let Some(c) = inner[at..].chars().next() {
        match c {
            '\n' => is_new_line = true,
            ',' => {}
            '#' => {
                let end = inner[at..]
                    .find('\n')
                    .map_or(inner.len(), |newline| at + newline);
                let comment = inner[at..end].trim_end();
                match list.items.last_mut() {
                    Some(item) if !is_new_line && item.behind.is_none() => {
                        item.behind = Some(comment);
                    }
                    _ => list.below.push(comment),
                }
                at = end;
                continue;
            }
            c if c.is_whitespace() => {}
            _ => {
                let end = part_end(inner, at, true);
                list.items.push(Item {
                    above: std::mem::take(&mut list.below),
                    value: parse(inner[at..end].trim_end()),
                    behind: None,
                });
                is_new_line = false;
                at = end;
                continue;
            }
        }
        at += c.len_utf8();
    }
    list
}

impl Value<'_> {
    /// In one line, where it may be.
    fn in_a_line(&self) -> Option<String> {
        match self {
            Self::Plain(text) => Some((*text).to_owned()),
            Self::Table(entries) if entries.is_empty() => Some("{}".to_owned()),
            Self::Table(entries) => {
                let entries = entries.iter().map(|(key, value)| {
                    // Lines may break in a list within it.
                    let value = value.in_a_line().unwrap_or_else(|| value.written(0, 0));
                    format!("{key} = {value}")
                });
                Some(format!("{{ {} }}", entries.collect::<Vec<_>>().join(", ")))
            }
            Self::List(list) => {
                let has_comments =
                    |item: &Item<'_>| item.behind.is_some() || !item.above.is_empty();
                if list.is_open || !list.below.is_empty() || list.items.iter().any(has_comments) {
                    return None;
                }
                let items = list.items.iter().map(|item| item.value.in_a_line());
                let items: Vec<_> = items.collect::<Option<_>>()?;
                Some(format!("[{}]", items.join(", ")))
            }
        }
    }

    /// Indented so many steps, in a line if that fits.
    fn written(&self, steps: usize, column: usize) -> String {
        let line = self.in_a_line();
        let list = match (self, line) {
            (Self::List(list), Some(line)) if column + line.chars().count() > WIDTH => list,
            (Self::List(list), None) => list,
            (_, line) => return line.unwrap_or_default(),
        };
        let indent = INDENT.repeat(steps + 1);
        let mut text = String::from("[\n");
        let mut put = |parts: &[&str]| {
            text.push_str(&indent);
            text.extend(parts.iter().copied());
            text.push('\n');
        };
        for item in &list.items {
            item.above.iter().for_each(|comment| put(&[comment]));
            let value = item.value.written(steps + 1, indent.len());
            match item.behind {
                Some(comment) => put(&[&value, ", ", comment]),
                None => put(&[&value, ","]),
            }
        }
        list.below.iter().for_each(|comment| put(&[comment]));
        text.push_str(&INDENT.repeat(steps));
        text.push(']');
        text
    }
}
