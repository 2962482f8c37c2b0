//! When a picture is due.

use dmaflow_core::time::{Rate, Timestamp};

/// Pictures at a rate, each at its own time: an early or late one does not move the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    start: Timestamp,
    rate: Rate,
}

impl Pace {
    pub(super) const fn new(start: Timestamp, rate: Rate) -> Self {
        Self { start, rate }
    }

    /// When picture `number` is due.
    pub(super) fn due(&self, number: u64) -> Timestamp {
        let seconds = u128::from(number) * u128::from(self.rate.seconds());
        let nanos = seconds * 1_000_000_000 / u128::from(self.rate.frames());
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Timestamp::from_nanos(self.start.as_nanos().saturating_add(nanos))
    }

    /// The last picture that is due at `now`, which is not before the start.
    pub(super) fn newest(&self, now: Timestamp) -> u64 {
        let passed = now.since(self.start).unwrap_or_default().as_nanos();
        let frames = passed * u128::from(self.rate.frames());
        let number = frames / (u128::from(self.rate.seconds()) * 1_000_000_000);
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        // `due` rounds down: the next one may be due in this very nanosecond.
        if self.due(number + 1) <= now {
            number + 1
        } else {
            number
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_due_without_drift() {
        let start = Timestamp::from_nanos(7);
        let pace = Pace::new(start, Rate::new(30_000, 1001).unwrap());
        assert_eq!(pace.due(0), start);
        // A hundred hours of them.
        assert_eq!(
            pace.due(30_000 * 360),
            Timestamp::from_nanos(7 + 360_360_000_000_000)
        );
        for number in [0, 1, 2, 1000, 12_345_678] {
            let due = pace.due(number);
            assert_eq!(pace.newest(due), number, "at its time");
            let before = Timestamp::from_nanos(pace.due(number + 1).as_nanos() - 1);
            assert_eq!(pace.newest(before), number, "until the next");
        }
    }
}
