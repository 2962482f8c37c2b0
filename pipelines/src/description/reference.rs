//! The keys of descriptions as tables for the docs.

use std::fmt::Write;

use super::document;
use super::kinds::{KINDS, Kind};
use super::shape::{Key, Shape};

/// Keys that stages share; they stand in a table of their own.
const SHARED: [&str; 3] = ["queue", "depth", "restart"];

/// Every key of a description with what it may be and what it does, as Markdown, made from what
/// the reader of descriptions asks for.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from("### Description\n\n");
    table(&mut text, &document::described());
    let run = document::described()
        .into_iter()
        .find(|key| key.name == "run");
    if let Some(Shape::Table(keys)) = run.map(|run| run.shape) {
        text.push_str("\n### `[run]`\n\n");
        table(&mut text, &keys);
    }
    for kind in &KINDS {
        section(&mut text, kind);
    }
    shared(&mut text);
    text
}

fn section(text: &mut String, kind: &Kind) {
    write!(text, "\n### `{}`\n\n{}\n", kind.name, kind.doc).unwrap_or_default();
    let own: Vec<_> = kind
        .described()
        .into_iter()
        .filter(|key| !SHARED.contains(&key.name))
        .collect();
    if !own.is_empty() {
        text.push('\n');
        table(text, &own);
    }
    for key in &own {
        let (lead, keys) = match &key.shape {
            Shape::Tables(keys) => ("Each table of", keys),
            Shape::Table(keys) => ("The table", keys),
            shape => {
                as_tables(text, key.name, shape);
                continue;
            }
        };
        write!(text, "\n{lead} `{}`:\n\n", key.name).unwrap_or_default();
        table(text, keys);
    }
}

/// The keys of what may be a table and need not.
fn as_tables(text: &mut String, name: &str, shape: &Shape) {
    let Shape::OneOf(shapes) = shape else {
        return;
    };
    for shape in shapes {
        if let Shape::Table(keys) = shape {
            write!(text, "\n`{name}` as a table:\n\n").unwrap_or_default();
            table(text, keys);
        }
    }
}

/// What several kinds have.
fn shared(text: &mut String) {
    let all = KINDS.iter().flat_map(Kind::described);
    let mut keys: Vec<Key> = Vec::new();
    for key in all.filter(|key| SHARED.contains(&key.name)) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    text.push_str(
        "\n### Keys of every stage\n\n`queue` and `depth` are for stages that take frames, and \
         hold for links that do not say otherwise.\n\n",
    );
    table(text, &keys);
    for key in &keys {
        as_tables(text, key.name, &key.shape);
    }
}

fn table(text: &mut String, keys: &[Key]) {
    text.push_str("| key | value | what it does |\n|--|--|--|\n");
    for key in keys {
        let value = match (&key.shape, key.name) {
            (Shape::Other, _) => "table".to_owned(),
            (shape, _) => shape.text(),
        };
        let needed = if key.is_required { " (needed)" } else { "" };
        writeln!(text, "| `{}` | {value} | {}{needed} |", key.name, key.doc).unwrap_or_default();
    }
}
