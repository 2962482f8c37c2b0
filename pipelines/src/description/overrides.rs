//! Values that take the place of what a description's file says.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Finding, did_you_mean, listed};
use super::layers::{by, moved};
use super::reader::{Value, in_order};
use super::source::{Source, Sources};

/// A value for one key, written `stage.key=value`, `run.key=value`, `var.name=value`,
/// `zero-copy=value` or `control=value`.
///
/// The value is TOML; what is no TOML is taken as a string, so that quotes may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override(pub String);

impl<T: Into<String>> From<T> for Override {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

/// Puts every override into the description's table.
pub(super) fn apply<'s>(
    description: &mut DeTable<'s>,
    sources: &'s Sources,
    findings: &mut Vec<Finding>,
) {
    for source in sources.overrides() {
        if let Err(finding) = apply_one(description, source) {
            findings.push(finding);
        }
    }
}

/// Keys that stand above the stages.
const ALONE: [&str; 2] = ["zero-copy", "control"];

fn apply_one<'s>(description: &mut DeTable<'s>, source: &'s Source) -> Result<(), Finding> {
    let whole = source.start..source.start + source.text.len();
    let malformed = || {
        Finding::at(whole.clone(), "an override is written `stage.key=value`")
            .label("this is not")
            .help("as in `--set screen.mode=1280x720`, `--set run.frames=300` or `--set var.width=640`")
    };
    let (path, value) = source.text.split_once('=').ok_or_else(malformed)?;
    let value = parse(value, source.start + path.len() + 1)?;

    let mut at = source.start;
    let mut path = path.split('.').map(|part| {
        let span = trimmed(part, at);
        at += part.len() + 1;
        Spanned::new(span, Cow::Borrowed(part.trim()))
    });
    let owner = path.next().ok_or_else(malformed)?;
    let Some(mut key) = path.next() else {
        if ALONE.contains(&owner.get_ref().as_ref()) {
            put(description, owner, value);
            return Ok(());
        }
        return Err(malformed());
    };
    let is_variable = owner.get_ref() == "var";
    let Some(mut table) = owner_table(description, owner, &key)? else {
        return Ok(()); // What the file has there is no table, which is reported when it is read.
    };
    for inner in path {
        let within = table_within(table, key);
        table = within.map_err(|finding| match is_variable {
            true => finding.help("a variable has one value, as in `--set var.width=640`"),
            false => finding,
        })?;
        key = inner;
    }
    put(table, key, value);
    Ok(())
}

/// Puts an entry into a table, with the key's own place.
fn put<'s>(table: &mut DeTable<'s>, key: Spanned<Cow<'s, str>>, value: Value<'s>) {
    table.remove(key.get_ref().as_ref());
    table.insert(key, value);
}

/// The table of `[run]`, of `[vars]` or of a stage, in which there is to be `key`.
fn owner_table<'d, 's>(
    description: &'d mut DeTable<'s>,
    owner: Spanned<Cow<'s, str>>,
    key: &Spanned<Cow<'s, str>>,
) -> Result<Option<&'d mut DeTable<'s>>, Finding> {
    if owner.get_ref() == "run" {
        return Ok(child(description, owner));
    }
    if owner.get_ref() == "var" {
        return variables(description, owner.span(), key);
    }
    let stages = Spanned::new(owner.span(), Cow::Borrowed("stage"));
    let Some(stages) = child(description, stages) else {
        return Ok(None);
    };
    if !stages.contains_key(owner.get_ref().as_ref()) {
        let names = || in_order(stages).map(|(name, _)| name.get_ref().as_ref());
        let message = format!("no stage is called `{}`", owner.get_ref());
        return Err(Finding::at(owner.span(), message)
            .label(did_you_mean(owner.get_ref(), names(), || {
                "there is no such stage".to_owned()
            }))
            .help(format!("it has: {}", listed(names().chain(["run", "var"])))));
    }
    Ok(child(stages, owner))
}

/// The table of `[vars]`, where it has this one.
fn variables<'d, 's>(
    description: &'d mut DeTable<'s>,
    span: Range<usize>,
    name: &Spanned<Cow<'s, str>>,
) -> Result<Option<&'d mut DeTable<'s>>, Finding> {
    let Some(vars) = child(description, Spanned::new(span, Cow::Borrowed("vars"))) else {
        return Ok(None);
    };
    if vars.contains_key(name.get_ref().as_ref()) {
        return Ok(Some(vars));
    }
    let names = || in_order(vars).map(|(name, _)| name.get_ref().as_ref());
    let message = format!("no variable is called `{}`", name.get_ref());
    let finding =
        Finding::at(name.span(), message).label(did_you_mean(name.get_ref(), names(), || {
            "nothing below `[vars]` is called so".to_owned()
        }));
    Err(match vars.is_empty() {
        true => finding.help("variables get a value to begin with below `[vars]`"),
        false => finding.help(format!("variables: {}", listed(names()))),
    })
}

/// A table in a table, made where it is missing; `None` where something else is there.
fn child<'d, 's>(
    table: &'d mut DeTable<'s>,
    key: Spanned<Cow<'s, str>>,
) -> Option<&'d mut DeTable<'s>> {
    let span = key.span();
    let value = table
        .entry(key)
        .or_insert_with(|| Spanned::new(span, DeValue::Table(DeTable::new())));
    match value.get_mut() {
        DeValue::Table(entries) => Some(entries),
        _ => None,
    }
}

/// The table that a key is to have for what is set in it.
pub(super) fn table_within<'d, 's>(
    table: &'d mut DeTable<'s>,
    key: Spanned<Cow<'s, str>>,
) -> Result<&'d mut DeTable<'s>, Finding> {
    let (span, name) = (key.span(), key.get_ref().clone());
    child(table, key).ok_or_else(|| {
        Finding::at(span, format!("`{name}` is no table here"))
            .label("it has a plain value, so nothing can be set in it")
            .help(format!("write all of it, as in `{name}={{ … }}`"))
    })
}

/// Reads a value that begins at `at`.
pub(super) fn parse(text: &str, at: usize) -> Result<Value<'_>, Finding> {
    let span = trimmed(text, at);
    let text = text.trim();
    match DeValue::parse(text) {
        Ok(value) => Ok(moved(value, span.start)),
        Err(error) if text.starts_with(['"', '\'', '[', '{']) => {
            let within = error.span().unwrap_or(0..text.len());
            Err(
                Finding::at(by(within, span.start), "the value is not valid TOML")
                    .label(error.message()),
            )
        }
        Err(_bare) => Ok(Spanned::new(span, DeValue::String(Cow::Borrowed(text)))),
    }
}

/// Where a text that begins at `at` stands without the blanks around it.
fn trimmed(text: &str, at: usize) -> Range<usize> {
    let start = at + text.len() - text.trim_start().len();
    start..start + text.trim().len()
}
