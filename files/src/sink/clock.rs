//! When frames are shown, in a file's time.

use std::time::Duration;

use dmaflow_core::time::Timestamp;

/// Units a second of what is written: what video is counted in since MPEG.
pub(super) const TIMESCALE: u32 = 90_000;

/// Times of a packet in a file, in units of [`TIMESCALE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) presented: i64,
    pub(super) decoded: i64,
    pub(super) duration: u32,
}

/// Makes a file's time of the stamps of frames: the first is 0.
#[derive(Debug, Default)]
pub(super) struct MediaClock {
    first: Option<Timestamp>,
    last: Option<Times>,
}

impl MediaClock {
    /// Of the next frame in the order of decoding. Frames are decoded when they are shown, or one
    /// unit after the one before where that would be earlier.
    pub(super) fn times(&mut self, at: Timestamp) -> Times {
        let first = *self.first.get_or_insert(at);
        let presented = match at.since(first) {
            Some(later) => signed(later),
            None => -signed(first.since(at).unwrap_or_default()),
        };
        let before = self.last.map(|last| last.decoded);
        let decoded = before.map_or(presented, |before| presented.max(before + 1));
        let step = before.map_or(0, |before| decoded - before);
        let times = Times {
            presented,
            decoded,
            duration: u32::try_from(step).unwrap_or(u32::MAX),
        };
        self.last = Some(times);
        times
    }
}

fn signed(time: Duration) -> i64 {
    i64::try_from(units(time)).unwrap_or(i64::MAX)
}

/// A time in units of [`TIMESCALE`], to the nearest.
pub(super) fn units(time: Duration) -> u64 {
    let units = (time.as_nanos() * u128::from(TIMESCALE) + 500_000_000) / 1_000_000_000;
    u64::try_from(units).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_time_begins_with_its_first_frame_and_never_goes_back() {
        let mut clock = MediaClock::default();
        let mut times = |millis: u64| clock.times(Timestamp::from_nanos(millis * 1_000_000));
        let first = times(5000);
        assert_eq!((first.presented, first.decoded, first.duration), (0, 0, 0));
        let second = times(5100);
        assert_eq!((second.presented, second.duration), (9000, 9000));
        // One that is shown before the one before is decoded after it all the same.
        let third = times(5050);
        assert_eq!((third.presented, third.decoded), (4500, 9001));
        assert_eq!(times(4999).presented, -90);
    }
}
