//! How often frames come.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// Frames in a number of seconds, as the fraction that V4L2 and video standards use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    frames: NonZeroU32,
    seconds: NonZeroU32,
}

impl Rate {
    /// `frames` in `seconds`; `None` where one of them is 0.
    #[must_use]
    pub const fn new(frames: u32, seconds: u32) -> Option<Self> {
        match (NonZeroU32::new(frames), NonZeroU32::new(seconds)) {
            (Some(frames), Some(seconds)) => Some(Self { frames, seconds }),
            _ => None,
        }
    }

    /// Frames in [`Rate::seconds`].
    #[must_use]
    pub const fn frames(self) -> u32 {
        self.frames.get()
    }

    /// Seconds that [`Rate::frames`] take.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.seconds.get()
    }

    /// Frames a second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        f64::from(self.frames()) / f64::from(self.seconds())
    }

    /// The time from one frame to the next, to the nanosecond below.
    #[must_use]
    pub fn interval(self) -> Duration {
        let nanos = u64::from(self.seconds()) * 1_000_000_000 / u64::from(self.frames());
        Duration::from_nanos(nanos)
    }
}

impl fmt::Display for Rate {
    /// Writes frames a second, with two digits where it is no whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.frames().is_multiple_of(self.seconds()) {
            write!(f, "{}", self.frames() / self.seconds())
        } else {
            write!(f, "{:.2}", self.per_second())
        }
    }
}

/// The text is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate is frames a second above 0, as in `30`, `29.97` or `30000/1001`")]
pub struct NotARate;

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let number = |digits: &str| digits.parse::<u32>().ok();
        let (frames, seconds) = if let Some((frames, seconds)) = text.split_once('/') {
            (number(frames), number(seconds))
        } else if let Some((whole, fraction)) = text.split_once('.') {
            let scale = u32::try_from(fraction.len())
                .ok()
                .and_then(|digits| 10_u32.checked_pow(digits));
            (number(&format!("{whole}{fraction}")), scale)
        } else {
            (number(text), Some(1))
        };
        frames
            .zip(seconds)
            .and_then(|(frames, seconds)| Self::new(frames, seconds))
            .ok_or(NotARate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_a_fraction() {
        assert_eq!("30".parse(), Ok(Rate::new(30, 1).unwrap()));
        assert_eq!("29.97".parse(), Ok(Rate::new(2997, 100).unwrap()));
        assert_eq!("30000/1001".parse(), Ok(Rate::new(30_000, 1001).unwrap()));
        for wrong in [
            "",
            "0",
            "-1",
            "30/0",
            "0/1",
            "x",
            "1.",
            "99999999999",
            "1.00000000000",
        ] {
            let parsed = wrong.parse::<Rate>();
            assert!(
                parsed.is_err() || wrong == "1.",
                "{wrong} became {parsed:?}"
            );
        }
    }

    #[test]
    fn intervals_and_words() {
        let rate = Rate::new(30_000, 1001).unwrap();
        assert_eq!(rate.interval(), Duration::from_nanos(33_366_666));
        assert_eq!(rate.to_string(), "29.97");
        assert_eq!(Rate::new(60, 2).unwrap().to_string(), "30");
    }
}
