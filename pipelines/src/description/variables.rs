//! `[vars]`, and `"${name}"` where their values are wanted.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Finding, did_you_mean, listed};
use super::reader::{Value, in_order};
use super::value::wrong_type;

/// Where a variable's name begins, and where it ends.
const OPEN: &str = "${";
const CLOSE: char = '}';

/// Puts values in the place of variables.
///
/// A string that is one variable becomes that variable's value, whatever its type; a variable
/// within a string becomes text. `$${` stands for `${` itself.
pub(super) fn apply(description: &mut DeTable<'_>, findings: &mut Vec<Finding>) {
    let vars = description.get("vars").map(|vars| vars.get_ref());
    let vars = match vars {
        None => DeTable::new(),
        Some(DeValue::Table(vars)) => vars.clone(),
        Some(_) => return, // Reported when the description is read.
    };
    for (name, value) in in_order(&vars) {
        if matches!(value.get_ref(), DeValue::Table(_)) {
            findings.push(
                wrong_type(name.get_ref(), value, "a value")
                    .help(format!("as in `{} = 1280` in `[vars]`", name.get_ref())),
            );
        }
    }
    let vars = Vars(&vars);
    for (key, value) in description.iter_mut() {
        if key.get_ref() != "vars" {
            vars.fill(value, &mut Vec::new(), findings);
        }
    }
}

struct Vars<'v, 's>(&'v DeTable<'s>);

impl<'s> Vars<'_, 's> {
    /// Fills a value in; `way` are the variables that led there.
    fn fill(&self, value: &mut Value<'s>, way: &mut Vec<String>, findings: &mut Vec<Finding>) {
        let span = value.span();
        let filled = match value.get_mut() {
            DeValue::Array(list) => {
                for item in list.iter_mut() {
                    self.fill(item, way, findings);
                }
                return;
            }
            DeValue::Table(table) => {
                for (_, item) in table.iter_mut() {
                    self.fill(item, way, findings);
                }
                return;
            }
            DeValue::String(text) if text.contains(OPEN) => self.text(text, &span, way),
            _ => return,
        };
        match filled {
            Ok(filled) => *value = filled,
            Err(finding) => findings.push(finding),
        }
    }

    /// A string with its variables filled in.
    fn text(
        &self,
        text: &str,
        span: &Range<usize>,
        way: &mut Vec<String>,
    ) -> Result<Value<'s>, Finding> {
        if let Some(name) = only_variable(text) {
            return self.value(name, span, way);
        }
        let (mut whole, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once(OPEN) {
            if let Some(before) = before.strip_suffix('$') {
                whole.push_str(before);
                whole.push_str(OPEN);
                rest = after;
                continue;
            }
            whole.push_str(before);
            let (name, after) = after.split_once(CLOSE).ok_or_else(|| {
                Finding::at(span.clone(), "a variable without its end")
                    .label("a `}` is missing behind `${`")
                    .help("a variable is written `${name}`; for `${` itself write `$${`")
            })?;
            let value = self.value(name, span, way)?;
            whole.push_str(&plain(value.get_ref()).ok_or_else(|| {
                Finding::at(span.clone(), format!("`{name}` does not fit into a text"))
                    .label("it is a list or a table")
                    .help(format!("write `\"${{{name}}}\"` with nothing around it"))
            })?);
            rest = after;
        }
        whole.push_str(rest);
        Ok(Spanned::new(
            span.clone(),
            DeValue::String(Cow::Owned(whole)),
        ))
    }

    /// What a variable stands for.
    fn value(
        &self,
        name: &str,
        span: &Range<usize>,
        way: &mut Vec<String>,
    ) -> Result<Value<'s>, Finding> {
        let names = || in_order(self.0).map(|(name, _)| name.get_ref().as_ref());
        let value = self.0.get(name).ok_or_else(|| {
            let finding = Finding::at(span.clone(), format!("no variable is called `{name}`"));
            finding
                .label(did_you_mean(name, names(), || {
                    "it stands for nothing".to_owned()
                }))
                .help(match self.0.is_empty() {
                    true => format!("add `{name} = …` below `[vars]`"),
                    false => format!("variables here: {}", listed(names())),
                })
        })?;
        if way.iter().any(|before| before == name) {
            way.push(name.to_owned());
            return Err(
                Finding::at(span.clone(), "variables that stand for each other")
                    .label(way.join(" stands for "))
                    .help("one of them must have a value"),
            );
        }
        let mut value = value.clone();
        way.push(name.to_owned());
        let mut findings = Vec::new();
        self.fill(&mut value, way, &mut findings);
        way.pop();
        findings.pop().map_or(Ok(value), Err)
    }
}

/// The variable's name, where a text is one variable and nothing else.
fn only_variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
    (!name.contains([CLOSE, '$'])).then_some(name)
}

/// A plain value as text.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Datetime(value) => Some(value.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
