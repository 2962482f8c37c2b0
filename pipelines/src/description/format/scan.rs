//! A TOML text cut into what stands in its lines, comments with what they belong to.

/// What stands between comments: a heading or a key with its value.
#[derive(Clone, Debug)]
pub(super) enum Statement<'t> {
    /// `[a.b]` or `[[a.b]]`, without the brackets.
    Heading { name: &'t str, is_list: bool },
    /// `key = value`
    Entry { key: &'t str, value: &'t str },
}

/// A statement and the comments around it.
#[derive(Clone, Debug)]
pub(super) struct Line<'t> {
    /// Comments above it; `None` for blank lines among them.
    pub(super) above: Vec<Option<&'t str>>,
    pub(super) has_blank_above: bool,
    pub(super) statement: Statement<'t>,
    /// The comment behind it.
    pub(super) behind: Option<&'t str>,
}

/// The lines of a text that is right TOML, and the comments below the last one.
pub(super) fn lines(text: &str) -> (Vec<Line<'_>>, Vec<Option<&str>>) {
    let mut lines = Vec::new();
    let (mut above, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let rest = &text[at..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
        let start = at + blanks;
        match text[start..].chars().next() {
            None => break,
            Some('\n') => {
                above.push(None);
                at = start + 1;
                continue;
            }
            Some('#') => {
                let end = line_end(text, start);
                above.push(Some(text[start..end].trim_end()));
                at = end + 1;
                continue;
            }
            Some(_) => {}
        }
        let (statement, end) = statement(text, start);
        let line_end = line_end(text, end);
        let behind = text[end..line_end].trim();
        let has_blank_above = above.first() == Some(&None);
        lines.push(Line {
            above: std::mem::take(&mut above),
            has_blank_above,
            statement,
            behind: Some(behind).filter(|behind| !behind.is_empty()),
        });
        at = line_end + 1;
    }
    (lines, above)
}

fn statement(text: &str, start: usize) -> (Statement<'_>, usize) {
    if text[start..].starts_with('[') {
        let end = part_end(text, start, false);
        let whole = text[start..end].trim_end();
        let is_list = whole.starts_with("[[");
        let brackets = if is_list { 2 } else { 1 };
        let name = whole.get(brackets..whole.len().saturating_sub(brackets));
        let name = name.unwrap_or_default().trim();
        return (Statement::Heading { name, is_list }, end);
    }
    let equals = key_end(text, start);
    let value = equals + 1 + text[equals + 1..].len() - text[equals + 1..].trim_start().len();
    let end = part_end(text, value, false);
    let statement = Statement::Entry {
        key: text[start..equals].trim(),
        value: text[value..end].trim_end(),
    };
    (statement, end)
}

/// Without blank lines at both ends, and with one in a row at most.
pub(super) fn tidy<'t>(comments: &[Option<&'t str>]) -> Vec<Option<&'t str>> {
    let mut tidy: Vec<Option<&str>> = Vec::new();
    for comment in comments {
        if comment.is_some() || tidy.last().is_some_and(Option::is_some) {
            tidy.push(*comment);
        }
    }
    tidy.pop_if(|last| last.is_none());
    tidy
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..]
        .find('\n')
        .map_or(text.len(), |newline| at + newline)
}

/// Where the `=` behind a key stands.
pub(super) fn key_end(text: &str, start: usize) -> usize {
    let mut at = start;
    while let Some(c) = text[at..].chars().next() {
        match c {
            '=' => return at,
            '"' | '\'' => at = string_end(text, at),
            _ => at += c.len_utf8(),
        }
    }
    at.saturating_sub(1)
}

/// Where a value ends: at the end of its line, at a comment, and in a list or table also at a
/// comma or closing bracket.
pub(super) fn part_end(text: &str, start: usize, is_inside: bool) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(c) = text[at..].chars().next() {
        match c {
            '"' | '\'' => {
                at = string_end(text, at);
                continue;
            }
            '#' if depth == 0 => return at,
            '#' => {
                at = line_end(text, at);
                continue;
            }
            '\n' if depth == 0 => return at,
            ',' | ']' | '}' if depth == 0 && is_inside => return at,
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += c.len_utf8();
    }
    at
}

/// Where a string ends that begins here.
fn string_end(text: &str, start: usize) -> usize {
    let quote = &text[start..=start];
    let thrice = quote.repeat(3);
    let end = if text[start..].starts_with(&thrice) {
        thrice.as_str()
    } else {
        quote
    };
    let mut at = start + end.len();
    while at < text.len() {
        if text[at..].starts_with(end) {
            at += end.len();
            // Quotes may stand right before the closing ones.
            while end.len() > 1 && text[at..].starts_with(quote) {
                at += 1;
            }
            return at;
        }
        let escaped = quote == "\"" && text[at..].starts_with('\\');
        let mut rest = text[at..].chars();
        at += rest.next().map_or(0, char::len_utf8);
        if escaped {
            at += rest.next().map_or(0, char::len_utf8);
        }
    }
    at
}
