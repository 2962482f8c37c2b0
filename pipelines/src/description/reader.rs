//! Reading a table key by key, remembering which keys were asked for.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Finding, did_you_mean, listed};
use super::value::{FromToml, integer, wrong_type};

/// A value of the description and where it stands.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// Reads a table into typed values. What is wrong goes to the findings, so that one look at a
/// description finds all of it.
pub(super) struct Reader<'t, 'f> {
    table: &'t DeTable<'t>,
    /// What has these keys: "a kms-sink".
    owner: String,
    /// Where the owner is named, to point at when something is missing.
    named: Range<usize>,
    asked: Vec<&'static str>,
    findings: &'f mut Vec<Finding>,
}

impl<'t, 'f> Reader<'t, 'f> {
    pub(super) fn new(
        table: &'t DeTable<'t>,
        owner: impl Into<String>,
        named: Range<usize>,
        findings: &'f mut Vec<Finding>,
    ) -> Self {
        Self {
            table,
            owner: owner.into(),
            named,
            asked: Vec::new(),
            findings,
        }
    }

    /// Names the owner better, once it is known.
    pub(super) fn rename(&mut self, owner: impl Into<String>) {
        self.owner = owner.into();
    }

    /// The key and the value as they stand there.
    pub(super) fn raw(&mut self, key: &'static str) -> Option<(Range<usize>, &'t Value<'t>)> {
        self.asked.push(key);
        let (key, value) = self.table.get_key_value(key)?;
        Some((key.span(), value))
    }

    /// A value that may be left out.
    pub(super) fn optional<T: FromToml>(&mut self, key: &'static str) -> Option<T> {
        let (_, value) = self.raw(key)?;
        self.note(T::from_toml(key, value))
    }

    /// A value that must be there; `example` is the line that is missing.
    pub(super) fn required<T: FromToml>(&mut self, key: &'static str, example: &str) -> Option<T> {
        let value = self.optional(key);
        if !self.table.contains_key(key) {
            self.report(
                Finding::at(self.named.clone(), format!("`{key}` is missing"))
                    .label(format!("{} needs it", self.owner))
                    .help(format!("add `{example}`")),
            );
        }
        value
    }

    /// A whole number of a range that may be left out.
    pub(super) fn number<T>(&mut self, key: &'static str, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + Display,
    {
        let (_, value) = self.raw(key)?;
        self.note(integer(key, value, range))
    }

    /// The entries of a table that may be left out, in the order of the text.
    pub(super) fn entries<T: FromToml>(&mut self, key: &'static str) -> Vec<(String, T)> {
        let Some((_, value)) = self.raw(key) else {
            return Vec::new();
        };
        let Some(table) = value.get_ref().as_table() else {
            self.report(wrong_type(key, value, "a table, as in `{ brightness = 128 }`"));
            return Vec::new();
        };
        in_order(table)
            .filter_map(|(name, value)| {
                let read = self.note(T::from_toml(name.get_ref(), value))?;
                Some((name.get_ref().to_string(), read))
            })
            .collect()
    }

    /// Takes note of something wrong.
    pub(super) fn report(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn note<T>(&mut self, read: Result<T, Finding>) -> Option<T> {
        read.map_err(|finding| self.report(finding)).ok()
    }

    /// The keys that were asked for so far.
    pub(super) fn asked(&self) -> &[&'static str] {
        &self.asked
    }

    /// Reports every key that nobody asked for. `elsewhere` may know who else has such a key.
    pub(super) fn finish(self, elsewhere: impl Fn(&str) -> Option<String>) {
        for (key, _) in in_order(self.table) {
            let (span, key) = (key.span(), key.get_ref());
            if self.asked.contains(&key.as_ref()) {
                continue;
            }
            let known = || self.asked.iter().copied();
            self.findings.push(
                Finding::at(span, format!("unknown key `{key}`"))
                    .label(elsewhere(key).unwrap_or_else(|| {
                        did_you_mean(key, known(), format!("{} has no such key", self.owner))
                    }))
                    .help(format!("keys of {}: {}", self.owner, listed(known()))),
            );
        }
    }
}

/// A table's entries in the order of the text.
pub(super) fn in_order<'t>(
    table: &'t DeTable<'t>,
) -> impl Iterator<Item = (&'t Spanned<std::borrow::Cow<'t, str>>, &'t Value<'t>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter()
}
