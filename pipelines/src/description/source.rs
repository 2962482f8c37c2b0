//! The texts of a description: its file, and each override.

use std::ops::Range;

/// Texts laid one behind the other, so that one span says which text and where in it.
#[derive(Debug)]
pub(super) struct Sources(Vec<Source>);

/// One text.
#[derive(Debug)]
pub(super) struct Source {
    /// What people call it: a path, or `--set`.
    pub(super) name: String,
    pub(super) text: String,
    /// Where it begins among all texts.
    pub(super) start: usize,
    /// It is a pipeline in one line, not TOML.
    pub(super) is_line: bool,
    is_override: bool,
}

impl Sources {
    pub(super) fn new(name: &str, text: String) -> Self {
        let mut sources = Self(Vec::new());
        sources.add(name, text);
        sources
    }

    /// A pipeline in one line.
    pub(super) fn of_line(text: &str) -> Self {
        let mut sources = Self::new("pipeline", text.to_owned());
        sources.0[0].is_line = true;
        sources
    }

    /// Adds a file's text, and tells its place.
    pub(super) fn add(&mut self, name: &str, text: String) -> usize {
        self.0.push(Source {
            name: name.to_owned(),
            text,
            start: self.0.last().map_or(0, Source::end),
            is_line: false,
            is_override: false,
        });
        self.0.len() - 1
    }

    /// Adds an override.
    pub(super) fn add_override(&mut self, text: &str) {
        let index = self.add("--set", text.to_owned());
        self.0[index].is_override = true;
    }

    /// The description's own text.
    pub(super) fn file(&self) -> &Source {
        &self.0[0]
    }

    /// All texts, the description's own first.
    pub(super) fn all(&self) -> &[Source] {
        &self.0
    }

    /// What takes the place of what files say.
    pub(super) fn overrides(&self) -> impl Iterator<Item = &Source> {
        self.0.iter().filter(|source| source.is_override)
    }

    /// The text that holds a span, and the span in it.
    pub(super) fn find(&self, span: &Range<usize>) -> (&Source, Range<usize>) {
        let after = self.0.partition_point(|source| source.start <= span.start);
        let source = &self.0[after.saturating_sub(1)];
        let within = |at: usize| (at - source.start).min(source.text.len());
        (source, within(span.start)..within(span.end))
    }

    /// What stands at a span.
    pub(super) fn slice(&self, span: &Range<usize>) -> &str {
        let (source, within) = self.find(span);
        source.text.get(within).unwrap_or_default()
    }
}

impl Source {
    /// Behind its last byte, with room for a span that points at its end.
    fn end(&self) -> usize {
        self.start + self.text.len() + 1
    }

    /// Line and column, both from 1, the column in characters.
    pub(super) fn line_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_finds_its_text() {
        let mut sources = Sources::new("file", "abc\n".to_owned());
        sources.add("first", "de".to_owned());
        sources.add("second", String::new());
        let names: Vec<_> = (0..=8)
            .map(|at| sources.find(&(at..at)).0.name.as_str())
            .collect();
        assert_eq!(names[..5], ["file"; 5]);
        assert_eq!(names[5..8], ["first"; 3]);
        assert_eq!(names[8], "second");
        assert_eq!(sources.slice(&(5..7)), "de");
        assert_eq!(sources.slice(&(5..99)), "de");
    }

    #[test]
    fn columns_count_characters() {
        let sources = Sources::new("file", "a = 1\nä = 2\n".to_owned());
        assert_eq!(sources.file().line_column(0), (1, 1));
        assert_eq!(sources.file().line_column(9), (2, 3));
        assert_eq!(sources.file().line_column(13), (3, 1));
    }
}
