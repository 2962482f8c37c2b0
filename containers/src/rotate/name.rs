//! Names of files by number and time.

use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;

use super::Opening;

/// How the files of a recording are called: text with `{number}`, which has five digits or more,
/// or `{time}`, which is UTC as in `20261123T224500Z`, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Number,
    Time,
}

/// A pattern that cannot be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PatternError {
    /// What is between braces is nothing known.
    #[error("{0:?} is not known: {{number}} and {{time}} are")]
    Unknown(String),
    /// A brace is not closed.
    #[error("{{ at byte {0} is not closed")]
    NotClosed(usize),
    /// Every file would have the same name.
    #[error("neither {{number}} nor {{time}} is in it: all files would have one name")]
    AllTheSame,
}

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let at = text.len() - behind.len() - 1;
            let (name, after) = behind.split_once('}').ok_or(PatternError::NotClosed(at))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(match name {
                "number" => Part::Number,
                "time" => Part::Time,
                _ => return Err(PatternError::Unknown(name.to_owned())),
            });
            rest = after;
        }
        if parts.iter().all(|part| matches!(part, Part::Text(_))) {
            return Err(PatternError::AllTheSame);
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// The name of a file.
    #[must_use]
    pub fn name(&self, opening: &Opening) -> String {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Number => name.push_str(&format!("{:05}", opening.number)),
                Part::Time => name.push_str(&utc(opening.time)),
            }
        }
        name
    }

    /// The same, with the number behind it where it is nowhere in it: before the ending.
    pub(super) fn numbered(&self, opening: &Opening) -> String {
        let name = self.name(opening);
        if self.0.contains(&Part::Number) {
            return name;
        }
        match name.rsplit_once('.') {
            Some((stem, ending)) => format!("{stem}-{:05}.{ending}", opening.number),
            None => format!("{name}-{:05}", opening.number),
        }
    }
}

/// A time as ISO 8601 writes it in short; before 1970 it is 1970.
fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// The date so many days after 1 January 1970: years of 400 are all alike, and those that begin
/// with March have their odd day at the end.
const fn date(days: u64) -> (u64, u64, u64) {
    const OF_400_YEARS: u64 = 146_097;
    // Days since 1 March 0000.
    let days = days + 719_468;
    let era = days / OF_400_YEARS;
    let of_era = days % OF_400_YEARS;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    // Months since March have 153 days in five.
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_have_number_and_time() {
        let pattern = NamePattern::parse("a/{time}-{number}.ivf").unwrap();
        for (seconds, expected) in [
            (0, "a/19700101T000000Z-00007.ivf"),
            (951_782_399, "a/20000228T235959Z-00007.ivf"),
            (951_782_400, "a/20000229T000000Z-00007.ivf"),
            (1_794_786_305, "a/20261115T234505Z-00007.ivf"),
            (4_107_542_400, "a/21000301T000000Z-00007.ivf"),
            (4_107_455_999, "a/21000227T235959Z-00007.ivf"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            let opening = Opening { number: 7, time };
            let name = pattern.name(&opening);
            assert_eq!(name, expected, "{seconds}");
        }
        let long = Opening {
            number: 123_456,
            time: UNIX_EPOCH,
        };
        let pattern = NamePattern::parse("{number}").unwrap();
        assert_eq!(pattern.name(&long), "123456");
        assert_eq!(pattern.numbered(&long), "123456");
        let pattern = NamePattern::parse("{time}.mkv").unwrap();
        assert_eq!(pattern.numbered(&long), "19700101T000000Z-123456.mkv");
    }

    #[test]
    fn patterns_that_cannot_be_are_told() {
        for (text, expected) in [
            ("a.ivf", PatternError::AllTheSame),
            ("a{n}.ivf", PatternError::Unknown("n".to_owned())),
            ("ab{number", PatternError::NotClosed(2)),
        ] {
            assert_eq!(NamePattern::parse(text), Err(expected));
        }
    }
}
