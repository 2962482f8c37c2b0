//! Pipelines in one line: `v4l2-src device=/dev/video0 width=1280 height=720 ! kms-sink`.
//!
//! A stage is its kind and `key=value`s; `!` links it to the next. `name=` names a stage, and
//! `NAME.` begins or ends a link there: `test-src name=t ! kms-sink t. ! null-sink`.

mod words;

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Finding, did_you_mean, listed, nearest};
use super::kinds::Kind;
use super::overrides;
use super::reader::Value;
use super::source::Source;
use words::{Word, words};

const EXAMPLE: &str = "as in `v4l2-src device=/dev/video0 ! kms-sink`";

/// What people who come from GStreamer may look for, and what it is here.
const ELSEWHERE: [(&str, &str); 13] = [
    (
        "tee",
        "no stage is needed: name the one before, `name=t`, and begin each branch with `t.`",
    ),
    (
        "queue",
        "every link has one: write `queue=fifo depth=3` behind the stage that it leads to",
    ),
    ("videotestsrc", "here it is `test-src`"),
    ("fakesink", "here it is `null-sink`"),
    ("autovideosink", "here it is `kms-sink`"),
    (
        "filesink",
        "here it is `file-sink`, for pictures `picture-sink`",
    ),
    ("filesrc", "here it is `file-src`"),
    ("pngenc", "for pictures there is `picture-sink`"),
    ("videorate", "here it is `rate-limit` or `decimate`"),
    ("input-selector", "here it is `selector`"),
    (
        "videoconvert",
        "here it is `v4l2-convert`, where the machine has a converter",
    ),
    (
        "compositor",
        "a `kms-sink` shows several: end each link there, as in `! screen.`",
    ),
    (
        "capsfilter",
        "write `format=`, `width=` and `height=` behind the source",
    ),
];

/// Whether a text is a pipeline in a line, and no file's name.
pub(super) fn is_one(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    let known = Kind::find(first).is_some() || ELSEWHERE.iter().any(|(kind, _)| *kind == first);
    known || text.split_whitespace().any(|word| word == "!")
}

/// A stage of the line.
struct Stage<'s> {
    name: Spanned<Cow<'s, str>>,
    keys: DeTable<'s>,
}

/// A stage as an end of a link.
#[derive(Clone)]
struct End<'s>(Spanned<Cow<'s, str>>);

/// Reads a line as the table that a file would be.
pub(super) fn read<'s>(source: &'s Source, findings: &mut Vec<Finding>) -> DeTable<'s> {
    let mut reader = Line {
        stages: Vec::new(),
        links: Vec::new(),
        findings,
    };
    reader.words(&words(&source.text, source.start), source);
    reader.into_table(source)
}

struct Line<'s, 'f> {
    stages: Vec<Stage<'s>>,
    links: Vec<(End<'s>, End<'s>)>,
    findings: &'f mut Vec<Finding>,
}

/// What may follow.
enum State<'s> {
    /// A new chain, or the end.
    Begin,
    /// Keys of the stage, a link, or a new chain.
    Stage(End<'s>),
    /// A link out of a stage that was named before.
    Reference(End<'s>),
    /// What a link leads to.
    Link(End<'s>, Range<usize>),
    /// Something wrong came; what follows is left alone up to the next stage.
    Lost,
}

impl<'s> Line<'s, '_> {
    fn words(&mut self, words: &[Word<'s>], source: &'s Source) {
        let mut state = State::Begin;
        for word in words {
            state = self.word(word, state);
        }
        let end = source.start + source.text.trim_end().len();
        match state {
            State::Link(_, bang) => self.findings.push(
                Finding::at(bang, "a link with one end")
                    .label("no stage follows")
                    .help(EXAMPLE),
            ),
            State::Reference(branch) => self.findings.push(goes_nowhere(&branch)),
            State::Begin if self.stages.is_empty() => self.findings.push(
                Finding::at(end..end, "there are no stages")
                    .label("the line is empty")
                    .help(EXAMPLE),
            ),
            State::Begin | State::Stage(_) | State::Lost => {}
        }
    }

    fn word(&mut self, word: &Word<'s>, state: State<'s>) -> State<'s> {
        if word.text == "!" {
            return match state {
                State::Stage(from) | State::Reference(from) => State::Link(from, word.span()),
                State::Lost => State::Lost,
                State::Begin | State::Link(..) => {
                    self.findings.push(
                        Finding::at(word.span(), "a link with one end")
                            .label("a stage is missing before it")
                            .help(EXAMPLE),
                    );
                    State::Lost
                }
            };
        }
        if let Some((key, value)) = word.key_value() {
            return self.key(&key, &value, state);
        }
        if let State::Reference(branch) = &state {
            self.findings.push(goes_nowhere(branch));
        }
        if let Some((name, port)) = word.text.split_once('.') {
            let whole = if port.is_empty() { name } else { word.text };
            let end = End(Spanned::new(
                word.at..word.at + whole.len(),
                Cow::Borrowed(whole),
            ));
            return match state {
                State::Link(from, _) => {
                    self.links.push((from, end));
                    State::Begin
                }
                _ => State::Reference(end),
            };
        }
        let end = self.stage(word);
        if let State::Link(from, _) = state {
            self.links.push((from, end.clone()));
        }
        State::Stage(end)
    }

    /// A stage of a kind.
    fn stage(&mut self, word: &Word<'s>) -> End<'s> {
        if Kind::find(word.text).is_none() {
            self.findings.push(unknown_kind(word));
        }
        let same = self.stages.iter().filter(|stage| {
            let kind = stage
                .keys
                .get("kind")
                .and_then(|kind| kind.get_ref().as_str());
            kind == Some(word.text)
        });
        let name = match same.count() {
            0 => Cow::Borrowed(word.text),
            others => Cow::Owned(format!("{}-{}", word.text, others + 1)),
        };
        let name = Spanned::new(word.span(), name);
        let kind = Spanned::new(word.span(), DeValue::String(Cow::Borrowed(word.text)));
        let key = Spanned::new(word.span(), Cow::Borrowed("kind"));
        self.stages.push(Stage {
            name: name.clone(),
            keys: DeTable::from_iter([(key, kind)]),
        });
        End(name)
    }

    /// A key of the stage before it.
    fn key(&mut self, key: &Word<'s>, value: &Word<'s>, state: State<'s>) -> State<'s> {
        let State::Stage(end) = state else {
            if !matches!(state, State::Lost) {
                self.findings.push(
                    Finding::at(key.span(), "a key without a stage")
                        .label("a stage's keys follow its kind")
                        .help(EXAMPLE),
                );
            }
            return State::Lost;
        };
        let Some(stage) = self.stages.last_mut() else {
            return State::Lost;
        };
        if key.text == "name" {
            let name = Spanned::new(value.span(), value.unquoted());
            stage.name = name.clone();
            // The link that leads here knows it by the name it would have had.
            for (_, to) in &mut self.links {
                if to.0 == end.0 {
                    *to = End(name.clone());
                }
            }
            return State::Stage(End(name));
        }
        let put = overrides::parse(value.text, value.at)
            .and_then(|value| put(&mut stage.keys, key, value));
        if let Err(finding) = put {
            self.findings.push(finding);
        }
        State::Stage(end)
    }

    fn into_table(self, source: &Source) -> DeTable<'s> {
        let whole = source.start..source.start + source.text.len();
        let mut stages = DeTable::new();
        for Stage { name, keys } in self.stages {
            if let Some(twice) = stages.get_key_value(name.get_ref().as_ref()) {
                let finding = Finding::at(
                    name.span(),
                    format!("two stages are called `{}`", twice.0.get_ref()),
                );
                self.findings.push(
                    finding
                        .label("the second one")
                        .help("give each a name of its own, as in `name=left`"),
                );
                continue;
            }
            let span = name.span();
            stages.insert(name, Spanned::new(span, DeValue::Table(keys)));
        }
        let links = self.links.into_iter().map(|(from, to)| {
            let span = from.0.span().start.min(to.0.span().start)..to.0.span().end;
            let ends = [("from", from), ("to", to)].map(|(key, End(name))| {
                let span = name.span();
                let key = Spanned::new(span.clone(), Cow::Borrowed(key));
                (key, Spanned::new(span, DeValue::String(name.into_inner())))
            });
            Spanned::new(span, DeValue::Table(DeTable::from_iter(ends)))
        });
        let links: Vec<Value<'s>> = links.collect();
        let key = |key| Spanned::new(whole.clone(), Cow::Borrowed(key));
        let mut table = DeTable::new();
        if !stages.is_empty() {
            table.insert(
                key("stage"),
                Spanned::new(whole.clone(), DeValue::Table(stages)),
            );
        }
        if !links.is_empty() {
            table.insert(
                key("links"),
                Spanned::new(whole.clone(), DeValue::Array(links.into_iter().collect())),
            );
        }
        table
    }
}

/// Puts a value where a key says, in tables within where it has points.
fn put<'s>(keys: &mut DeTable<'s>, key: &Word<'s>, value: Value<'s>) -> Result<(), Finding> {
    let mut table = keys;
    let mut at = key.at;
    let mut parts = key.text.split('.').peekable();
    while let Some(part) = parts.next() {
        let name = Spanned::new(at..at + part.len(), Cow::Borrowed(part));
        at += part.len() + 1;
        if parts.peek().is_none() {
            if table.contains_key(part) {
                return Err(
                    Finding::at(name.span(), format!("`{part}` stands here twice"))
                        .label("the second one")
                        .help("a key stands once in its stage"),
                );
            }
            table.insert(name, value);
            break;
        }
        table = overrides::table_within(table, name)?;
    }
    Ok(())
}

/// The finding that nothing is linked to a stage that is named for that.
fn goes_nowhere(End(name): &End<'_>) -> Finding {
    Finding::at(name.span(), "a branch without stages")
        .label("`!` and a stage are missing behind it")
        .help(format!("as in `{}. ! null-sink`", name.get_ref()))
}

fn unknown_kind(word: &Word<'_>) -> Finding {
    let finding = Finding::at(word.span(), format!("there is no kind `{}`", word.text));
    if let Some((_, instead)) = ELSEWHERE.iter().find(|(kind, _)| *kind == word.text) {
        return finding.label("this word is GStreamer's").help(*instead);
    }
    let near_key = || {
        let keys = super::kinds::KINDS.iter().flat_map(Kind::key_names);
        nearest(word.text, keys).map(|key| format!("for the key `{key}` write `{key}=…`"))
    };
    finding
        .label(did_you_mean(word.text, Kind::names(), || {
            near_key().unwrap_or_else(|| "no stage is of this kind".to_owned())
        }))
        .help(format!("kinds: {}", listed(Kind::names())))
}
