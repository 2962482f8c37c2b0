//! `[defaults.KIND]`: what stages of a kind have unless they say otherwise.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Finding, did_you_mean, listed};
use super::kinds::Kind;
use super::reader::in_order;
use super::value::wrong_type;

/// Keys that a default does not fill in where a stage says the other itself: half of what it
/// says would be the default's.
const NOT_BESIDE: [(&str, &str); 3] =
    [("width", "height"), ("height", "width"), ("depth", "queue")];

/// Fills what stages leave out.
pub(super) fn apply(description: &mut DeTable<'_>, findings: &mut Vec<Finding>) {
    let Some(defaults) = description.get("defaults") else {
        return;
    };
    let Some(defaults) = defaults.get_ref().as_table().cloned() else {
        return; // Reported when the description is read.
    };
    for (kind, value) in in_order(&defaults) {
        check(kind, value, findings);
    }
    let stages = description.get_mut("stage").map(Spanned::get_mut);
    let Some(DeValue::Table(stages)) = stages else {
        return;
    };
    for (_, stage) in stages.iter_mut() {
        let DeValue::Table(stage) = stage.get_mut() else {
            continue;
        };
        let kind = stage.get("kind").and_then(|kind| kind.get_ref().as_str());
        let Some(of_kind) = kind.and_then(|kind| defaults.get(kind)) else {
            continue;
        };
        let of_kind = of_kind.get_ref().as_table().into_iter().flatten();
        // All are chosen before the first is put in, which is no word of the stage's own.
        let filled: Vec<_> = of_kind
            .filter(|(key, _)| lacks(stage, key.get_ref()))
            .collect();
        for (key, value) in filled {
            stage.insert(key.clone(), value.clone());
        }
    }
}

/// Whether a stage leaves a key to the defaults.
fn lacks(stage: &DeTable<'_>, key: &str) -> bool {
    let beside = NOT_BESIDE.iter().filter(|(default, _)| *default == key);
    let mut said = beside.map(|(_, own)| *own).chain([key]);
    !said.any(|own| stage.contains_key(own))
}

/// Reports kinds and keys that there are none of; values are looked at where they are used.
fn check(kind: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>, findings: &mut Vec<Finding>) {
    let Some(known) = Kind::find(kind.get_ref()) else {
        findings.push(
            Finding::at(
                kind.span(),
                format!("there is no kind `{}`", kind.get_ref()),
            )
            .label(did_you_mean(kind.get_ref(), Kind::names(), || {
                "no stage is of this kind".to_owned()
            }))
            .help(format!("kinds: {}", listed(Kind::names()))),
        );
        return;
    };
    let Some(keys) = value.get_ref().as_table() else {
        findings.push(
            wrong_type(kind.get_ref(), value, "a table")
                .help(format!("as in `[defaults.{}]`", known.name)),
        );
        return;
    };
    let names = known.key_names();
    for (key, _) in in_order(keys) {
        if names.contains(&key.get_ref().as_ref()) {
            continue;
        }
        let names = || names.iter().copied();
        findings.push(
            Finding::at(key.span(), format!("unknown key `{}`", key.get_ref()))
                .label(did_you_mean(key.get_ref(), names(), || {
                    format!("a {} has no such key", known.name)
                }))
                .help(format!("keys of a {}: {}", known.name, listed(names()))),
        );
    }
}
