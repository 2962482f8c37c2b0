//! What a client calls itself and its pipelines.

use std::fmt;

/// The longest label, in bytes.
pub const LABEL_MOST: usize = 63;

/// What a client calls itself, or one of its pipelines: at most [`LABEL_MOST`] bytes without
/// control characters, so that it can be logged and listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label(String);

impl Label {
    /// Makes a label of any text: what has no place in one is left out.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut label = String::with_capacity(text.len().min(LABEL_MOST));
        for shown in text.chars().filter(|c| !c.is_control()) {
            if label.len() + shown.len_utf8() > LABEL_MOST {
                break;
            }
            label.push(shown);
        }
        Self(label)
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
