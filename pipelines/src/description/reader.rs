//! Reading a table key by key, remembering which keys were asked for.

use std::collections::VecDeque;
use std::fmt::Display;
use std::ops::{Range, RangeBounds};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Finding, did_you_mean, listed};
use super::shape::{Key, Shape};
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
    asked: Vec<Key>,
    /// What the next keys do, as they are asked for.
    docs: VecDeque<&'static str>,
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
            docs: VecDeque::new(),
            findings,
        }
    }

    /// Names the owner better, once it is known.
    pub(super) fn rename(&mut self, owner: impl Into<String>) {
        self.owner = owner.into();
    }

    /// Says what the next key does that is asked for; several in a row go to as many keys.
    pub(super) fn doc(&mut self, doc: &'static str) -> &mut Self {
        self.docs.push_back(doc);
        self
    }

    /// The key and the value as they stand there.
    pub(super) fn raw(&mut self, key: &'static str) -> Option<(Range<usize>, &'t Value<'t>)> {
        self.shaped(key, Shape::Other)
    }

    /// The same of a value that may look like this.
    pub(super) fn shaped(
        &mut self,
        name: &'static str,
        shape: Shape,
    ) -> Option<(Range<usize>, &'t Value<'t>)> {
        match self.asked.iter_mut().find(|key| key.name == name) {
            Some(known) => known.shape = known.shape.clone().or(shape),
            None => self.asked.push(Key {
                name,
                shape,
                is_required: false,
                doc: self.docs.pop_front().unwrap_or_default(),
            }),
        }
        let (key, value) = self.table.get_key_value(name)?;
        Some((key.span(), value))
    }

    /// A value that may be left out.
    pub(super) fn optional<T: FromToml>(&mut self, key: &'static str) -> Option<T> {
        self.read(key, || format!("leave `{key}` out to have one chosen"))
    }

    /// A value that is there; `mend` tells what to do where nothing is in it.
    fn read<T: FromToml>(&mut self, key: &'static str, mend: impl FnOnce() -> String) -> Option<T> {
        let (_, value) = self.shaped(key, T::shape())?;
        let is_empty = value.get_ref().as_str() == Some("");
        let read = T::from_toml(key, value).map_err(|finding| match is_empty {
            true => finding.or_help(mend),
            false => finding,
        });
        self.note(read)
    }

    /// A value that must be there; `mend` tells what to do where it is not.
    pub(super) fn required<T: FromToml>(&mut self, key: &'static str, mend: &str) -> Option<T> {
        let value = self.read(key, || mend.to_owned());
        for asked in self.asked.iter_mut().filter(|asked| asked.name == key) {
            asked.is_required = true;
        }
        if !self.table.contains_key(key) {
            self.report(
                Finding::at(self.named.clone(), format!("`{key}` is missing"))
                    .label(format!("{} needs it", self.owner))
                    .help(mend),
            );
        }
        value
    }

    /// A whole number of a range that may be left out.
    pub(super) fn number<T>(&mut self, key: &'static str, range: impl RangeBounds<T>) -> Option<T>
    where
        T: TryFrom<i128> + TryInto<i128> + PartialOrd + Display + Copy,
    {
        let (_, value) = self.shaped(key, Shape::integer(&range))?;
        self.note(integer(key, value, range))
    }

    /// Two whole numbers of a range that go together, or may both be left out.
    pub(super) fn pair<T>(
        &mut self,
        keys: [&'static str; 2],
        range: impl RangeBounds<T> + Clone,
    ) -> Option<(T, T)>
    where
        T: TryFrom<i128> + TryInto<i128> + PartialOrd + Display + Copy,
    {
        let [first, second] = keys;
        for (given, missing) in [(first, second), (second, first)] {
            if let Some((key, _)) = self.table.get_key_value(given)
                && !self.table.contains_key(missing)
            {
                self.report(
                    Finding::at(key.span(), format!("`{given}` without `{missing}`"))
                        .label("these two go together")
                        .help(format!("add `{missing}`, or leave both out")),
                );
            }
        }
        let values = keys.map(|key| self.number(key, range.clone()));
        values[0].zip(values[1])
    }

    /// A table that may be left out.
    pub(super) fn table(&mut self, key: &'static str, wanted: &str) -> Option<&'t DeTable<'t>> {
        let (_, value) = self.raw(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.report(wrong_type(key, value, wanted));
        }
        table
    }

    /// The entries of a table that may be left out, in the order of the text.
    pub(super) fn entries<T: FromToml>(&mut self, key: &'static str) -> Vec<(String, T)> {
        self.shaped(key, Shape::Map(Box::new(T::shape())));
        let table = self.table(key, "a table, as in `{ brightness = 128 }`");
        table
            .into_iter()
            .flat_map(in_order)
            .filter_map(|(name, value)| {
                let read = self.note(T::from_toml(name.get_ref(), value))?;
                Some((name.get_ref().to_string(), read))
            })
            .collect()
    }

    /// The tables in a table that may be left out, in the order of the text, each read by
    /// `read`; `example` is one's heading.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&str, &mut Reader<'_, '_>) -> T,
    ) -> Vec<T> {
        self.shaped(key, Shape::Tables(keys(|reader| read("", reader))));
        let tables = self.table(key, &format!("tables, as in {example}"));
        let mut found = Vec::new();
        for (name, value) in tables.into_iter().flat_map(in_order) {
            let Some(table) = value.get_ref().as_table() else {
                self.report(
                    wrong_type(name.get_ref(), value, "a table").help(format!("as in {example}")),
                );
                continue;
            };
            let owner = format!("a {key}");
            let mut reader = Reader::new(table, owner, name.span(), self.findings);
            found.push(read(name.get_ref(), &mut reader));
            reader.finish(|_| None);
        }
        found
    }

    /// Where the owner is named.
    pub(super) fn named(&self) -> Range<usize> {
        self.named.clone()
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Reads a key's value, where that is a table, with a reader of its own.
    pub(super) fn within<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&mut Reader<'_, '_>) -> T,
    ) -> Option<T> {
        let (_, value) = self.shaped(key, Shape::Table(keys(&read)))?;
        let table = value.get_ref().as_table()?;
        let mut reader = Reader::new(table, format!("`{key}`"), value.span(), self.findings);
        let within = read(&mut reader);
        reader.finish(|_| None);
        Some(within)
    }

    /// Where a key's value stands, or the owner's name where it was left out.
    pub(super) fn place(&self, key: &str) -> Range<usize> {
        let value = self.table.get(key);
        value.map_or_else(|| self.named.clone(), Spanned::span)
    }

    /// Takes note of something wrong.
    pub(super) fn report(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn note<T>(&mut self, read: Result<T, Finding>) -> Option<T> {
        read.map_err(|finding| self.report(finding)).ok()
    }

    /// Reports every key that nobody asked for. `elsewhere` may know who else has such a key.
    pub(super) fn finish(self, elsewhere: impl Fn(&str) -> Option<String>) {
        for (key, _) in in_order(self.table) {
            let (span, key) = (key.span(), key.get_ref());
            let known = || self.asked.iter().map(|key| key.name);
            if known().any(|known| known == key) {
                continue;
            }
            self.findings.push(
                Finding::at(span, format!("unknown key `{key}`"))
                    .label(elsewhere(key).unwrap_or_else(|| {
                        did_you_mean(key, known(), || format!("{} has no such key", self.owner))
                    }))
                    .help(format!("keys of {}: {}", self.owner, listed(known()))),
            );
        }
    }
}

/// The keys that `read` asks for.
pub(super) fn keys<T>(read: impl Fn(&mut Reader<'_, '_>) -> T) -> Vec<Key> {
    let (empty, mut ignored) = (DeTable::new(), Vec::new());
    let mut reader = Reader::new(&empty, "", 0..0, &mut ignored);
    read(&mut reader);
    reader.asked
}

/// A table's entries in the order of the text.
pub(super) fn in_order<'t>(
    table: &'t DeTable<'t>,
) -> impl Iterator<Item = (&'t Spanned<std::borrow::Cow<'t, str>>, &'t Value<'t>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter()
}
