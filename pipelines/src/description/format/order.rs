//! The order of keys, and their names.

use crate::description::document;
use crate::description::kinds::Kind;
use crate::description::shape::{Key, Shape};

/// The order of the keys in a table; `None` for tables whose keys are the user's.
pub(super) fn order(
    path: &[String],
    kinds: &[(String, &'static Kind)],
) -> Option<Vec<&'static str>> {
    let names = |keys: Vec<Key>| keys.into_iter().map(|key| key.name).collect::<Vec<_>>();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let kind_of = |name: &str| kinds.iter().find(|(stage, _)| stage == name);
    match path[..] {
        [] => Some(names(document::described())),
        ["run"] => {
            let run = document::described()
                .into_iter()
                .find(|key| key.name == "run")?;
            match run.shape {
                Shape::Table(keys) => Some(names(keys)),
                _ => None,
            }
        }
        ["defaults", kind] => Some(names(Kind::find(kind)?.described())),
        ["stage", name] => {
            let keys = kind_of(name)
                .map(|(_, kind)| kind.described())
                .unwrap_or_default();
            Some([vec!["kind"], names(keys)].concat())
        }
        ["stage", stage, key, ..] => {
            let (_, kind) = kind_of(stage)?;
            let key = kind
                .described()
                .into_iter()
                .find(|known| known.name == key)?;
            inner_order(key.shape)
        }
        _ => None,
    }
}

/// The order of the keys in a table that is a stage's value.
fn inner_order(shape: Shape) -> Option<Vec<&'static str>> {
    match shape {
        Shape::Table(keys) | Shape::Tables(keys) => {
            Some(keys.into_iter().map(|key| key.name).collect())
        }
        Shape::OneOf(shapes) => shapes.into_iter().find_map(inner_order),
        _ => None,
    }
}

/// The names in a dotted key, without quotes.
pub(super) fn path(key: &str) -> Vec<String> {
    let names = parts(key).into_iter();
    names
        .map(|part| part.trim_matches(['"', '\'']).to_owned())
        .collect()
}

/// A dotted key without blanks.
pub(super) fn joined(key: &str) -> String {
    parts(key).join(".")
}

fn parts(key: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quote) = (Vec::new(), 0, None);
    for (at, c) in key.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '.') => {
                parts.push(key[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(key[start..].trim());
    parts
}
