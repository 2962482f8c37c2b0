//! Text in drawings: how wide it is, and how each language takes any of it.

use std::fmt::Write;

/// Pixels that a text of this size takes at most in the fonts that systems have.
///
/// Measured generously: a box that is a little wide looks right, one that is narrow does not.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let ems: f64 = text.chars().map(em).sum();
    (ems * size * if bold { 1.1 } else { 1.0 }).ceil()
}

/// A character's width for a font size of 1, as in DejaVu Sans, which is among the widest.
fn em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '\'' | '|' | '.' | ',' | ':' | ';' | ' ' => 0.36,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' | '"' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 1.0,
        'A'..='Z' => 0.77,
        '×' | '→' | '+' | '=' | '<' | '>' | '~' => 0.84,
        '\u{1100}'.. => 1.1,
        _ => 0.64,
    }
}

/// The text on one line, without what XML has no way to write.
pub(super) fn line(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        // Marks that turn the direction would reach beyond the text.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(shown).collect()
}

/// For XML's text and attributes.
pub(super) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// For a quoted string of DOT.
pub(super) fn dot(text: &str) -> String {
    line(text).replace('\\', "\\\\").replace('"', "\\\"")
}

/// For a field of a DOT record, where more characters have a meaning.
pub(super) fn dot_field(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '{' | '}' | '|' | '<' | '>' | '\\' => escaped.extend(['\\', c]),
            '"' => escaped.push_str("\\\""),
            c => escaped.push(c),
        }
    }
    escaped
}

/// For a quoted label of Mermaid, which knows characters by their number.
pub(super) fn mermaid(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let text = line(text);
    // What begins like an item of a list, as in `1. `, is taken for one.
    let head = text.split_once(' ').map_or("", |(head, _)| head);
    let mark = head
        .strip_suffix(['.', ')', '-'])
        .filter(|number| number.chars().all(|c| c.is_ascii_digit()))
        .map(str::len);
    for (at, c) in text.char_indices() {
        let plain = matches!(c, '.' | ',' | '-' | '_' | '/' | '(' | ')' | ':');
        if c.is_ascii_punctuation() && (!plain || mark == Some(at)) {
            // Writing to a string cannot fail.
            write!(escaped, "#{};", u32::from(c)).ok();
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_is_escaped() {
        let nasty = "a<b>&\"'\\{|}#;\n\u{0}\u{1b}";
        assert_eq!(
            xml(nasty),
            "a&lt;b&gt;&amp;&quot;&#39;\\{|}#; \u{fffd}\u{fffd}"
        );
        assert_eq!(dot("say \"\\N\"\n"), "say \\\"\\\\N\\\" ");
        assert_eq!(dot_field("a|{b}<c>"), "a\\|\\{b\\}\\<c\\>");
        assert_eq!(mermaid("\"]#"), "#34;#93;#35;");
        assert_eq!(mermaid("1. a-b"), "1#46; a-b");
        assert_eq!(mermaid("- a"), "#45; a");
        assert_eq!(mermaid("30.0 fps"), "30.0 fps");
    }

    #[test]
    fn longer_text_is_wider() {
        assert!(width("default_cma_region", 11.0, false) > width("system", 11.0, false));
        assert!(width("camera", 13.0, true) > width("camera", 11.0, false));
        assert!(width("", 13.0, false).abs() < f64::EPSILON);
    }
}
