//! The words of a line, and where each stands.

use std::borrow::Cow;
use std::ops::Range;

/// Text without blanks outside quotes and brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'s> {
    pub(super) text: &'s str,
    /// Where it begins among all texts.
    pub(super) at: usize,
}

/// Splits a line that begins at `start` into words.
pub(super) fn words(line: &str, start: usize) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let (mut begin, mut quote, mut depth) = (None, None, 0_usize);
    for (at, c) in line.char_indices() {
        if quote.is_none() && depth == 0 && c.is_whitespace() {
            words.extend(begin.take().map(|begin| (begin, at)));
            continue;
        }
        begin.get_or_insert(at);
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    words.extend(begin.map(|begin| (begin, line.len())));
    let word = |(begin, end): (usize, usize)| Word {
        text: &line[begin..end],
        at: start + begin,
    };
    words.into_iter().map(word).collect()
}

impl<'s> Word<'s> {
    pub(super) fn span(&self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    /// The two parts of `key=value`.
    pub(super) fn key_value(&self) -> Option<(Self, Self)> {
        let (key, value) = self.text.split_once('=')?;
        let value = Self {
            text: value,
            at: self.at + key.len() + 1,
        };
        Some((Self { text: key, ..*self }, value))
    }

    /// Its text without quotes around it.
    pub(super) fn unquoted(&self) -> Cow<'s, str> {
        let inner = ['"', '\'']
            .iter()
            .find_map(|quote| self.text.strip_prefix(*quote)?.strip_suffix(*quote));
        Cow::Borrowed(inner.unwrap_or(self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_brackets_keep_words_together() {
        let line = r#" a b="c d" ! heap=["x", "y"]  e='ä "f'"#;
        let words: Vec<_> = words(line, 100)
            .iter()
            .map(|word| (word.text, word.at))
            .collect();
        assert_eq!(
            words,
            [
                ("a", 101),
                ("b=\"c d\"", 103),
                ("!", 111),
                (r#"heap=["x", "y"]"#, 113),
                ("e='ä \"f'", 130),
            ]
        );
    }
}
