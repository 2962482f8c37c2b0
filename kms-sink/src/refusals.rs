//! Refusals of ways to show pictures, for people.

use dmaflow_core::Errno;

use crate::error::KmsSinkError;

/// Why a test was refused, in short.
pub(crate) fn reason(error: &KmsSinkError) -> String {
    match error {
        KmsSinkError::Commit {
            source: Errno::ERANGE,
            ..
        } => "cannot scale so".to_owned(),
        KmsSinkError::Commit { source, .. } => format!("{source:?}"),
        other => other.to_string(),
    }
}

/// Refusals in the order they came, those for the same reason as one.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    attempts: usize,
    /// The way, the reason, and how many planes gave it.
    reasons: Vec<(String, String, usize)>,
}

impl Refusals {
    pub(crate) fn add(&mut self, way: String, error: &KmsSinkError) {
        let reason = reason(error);
        self.attempts += 1;
        match self.reasons.last_mut() {
            Some((last, same, planes)) if *last == way && *same == reason => *planes += 1,
            _ => self.reasons.push((way, reason, 1)),
        }
    }

    /// How many there are.
    pub(crate) fn attempts(&self) -> usize {
        self.attempts
    }

    /// The first few, for people.
    pub(crate) fn in_short(&self) -> Vec<String> {
        let short = |(way, reason, planes): &(String, String, usize)| match planes {
            1 => format!("{way}: {reason}"),
            planes => format!("{way}: {reason}, {planes} planes"),
        };
        self.reasons.iter().take(4).map(short).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_that_refuse_alike_are_told_once() {
        let refused = |source| KmsSinkError::Commit {
            card: String::new(),
            what: "a test",
            source,
        };
        let mut refusals = Refusals::default();
        for _plane in 0..9 {
            refusals.add("scaled".to_owned(), &refused(Errno::ERANGE));
        }
        refusals.add("centred".to_owned(), &refused(Errno::EINVAL));
        assert_eq!(refusals.attempts, 10);
        let expected = ["scaled: cannot scale so, 9 planes", "centred: EINVAL"];
        assert_eq!(refusals.in_short(), expected);
    }
}
