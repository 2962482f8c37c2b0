//! What is wrong with a description, where, and how to mend it.

use std::fmt;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::source::Sources;

/// Everything that is wrong with a description, in the order of its text.
///
/// [`fmt::Display`] writes it as [`Diagnostics::render`] does without colours.
#[derive(Debug)]
pub struct Diagnostics {
    sources: Sources,
    findings: Vec<Finding>,
}

/// One thing that is wrong with a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnostic<'d> {
    /// What is wrong.
    pub message: &'d str,
    /// The file's name as it was given, or `--set` for an override.
    pub file: &'d str,
    /// Line and column, both from 1, the column in characters; `None` where the file as a whole
    /// is meant.
    pub line_column: Option<(usize, usize)>,
    /// What is to be said of that place; may be empty.
    pub label: &'d str,
    /// How to mend it; may be empty.
    pub help: &'d str,
}

impl Diagnostics {
    pub(super) fn new(sources: Sources, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.span.as_ref().map(|span| span.start));
        // What several stages have from one place is wrong once.
        findings.dedup_by(|one, other| one.span == other.span && one.message == other.message);
        Self { sources, findings }
    }

    /// What is wrong, one by one.
    pub fn iter(&self) -> impl Iterator<Item = Diagnostic<'_>> {
        self.findings.iter().map(|finding| {
            let place = finding.span.as_ref().map(|span| self.sources.find(span));
            let file = self.sources.file();
            Diagnostic {
                message: &finding.message,
                file: place
                    .as_ref()
                    .map_or(&file.name, |(source, _)| &source.name),
                line_column: place.map(|(source, span)| source.line_column(span.start)),
                label: &finding.label,
                help: &finding.help,
            }
        })
    }

    /// Writes each with the lines at fault, for a terminal with or without colours.
    #[must_use]
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let renderer = renderer.decor_style(DecorStyle::Unicode);
        let rendered = self.findings.iter().map(|finding| {
            let mut group =
                Level::ERROR
                    .primary_title(&*finding.message)
                    .elements(finding.span.as_ref().map(|span| {
                        let (source, span) = self.sources.find(span);
                        let annotation = AnnotationKind::Primary.span(span);
                        Snippet::source(&*source.text)
                            .path(&*source.name)
                            .annotation(annotation.label(not_empty(&finding.label)))
                    }));
            if let Some(help) = not_empty(&finding.help) {
                group = group.element(Level::HELP.message(help));
            }
            renderer.render(&[group])
        });
        rendered.collect::<Vec<_>>().join("\n\n")
    }
}

fn not_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// One thing that is wrong, as its finder says it.
#[derive(Debug)]
pub(super) struct Finding {
    span: Option<Range<usize>>,
    message: String,
    label: String,
    help: String,
}

impl Finding {
    /// Something wrong at a place.
    pub(super) fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span: Some(span),
            ..Self::anywhere(message)
        }
    }

    /// Something wrong with the file as a whole.
    pub(super) fn anywhere(message: impl Into<String>) -> Self {
        Self {
            span: None,
            message: message.into(),
            label: String::new(),
            help: String::new(),
        }
    }

    /// What is to be said of the place.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// How to mend it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// How to mend it, where nothing is said of that yet.
    pub(super) fn or_help(self, help: impl FnOnce() -> String) -> Self {
        match self.help.as_str() {
            "" => self.help(help()),
            _ => self,
        }
    }
}

/// The candidate that a mistyped word most likely means.
pub(super) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let word = word.to_lowercase();
    let distance = |candidate: &&str| strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
    candidates
        .into_iter()
        .map(|candidate| (distance(&candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= (word.chars().count() / 3).max(1))
        .map(|(_, candidate)| candidate)
}

/// "did you mean …?" where a word comes near one, otherwise what `other` says.
pub(super) fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    other: impl FnOnce() -> String,
) -> String {
    nearest(word, candidates).map_or_else(other, |near| format!("did you mean `{near}`?"))
}

/// A list for people to read.
pub(super) fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let keys = ["card", "connector", "mode", "plane"];
        assert_eq!(nearest("conector", keys), Some("connector"));
        assert_eq!(nearest("PLAN", keys), Some("plane"));
        assert_eq!(nearest("path", ["rate"]), None);
        assert_eq!(nearest("x", keys), None);
        assert_eq!(nearest("brightness", keys), None);
        assert_eq!(nearest("card", []), None);
    }
}
