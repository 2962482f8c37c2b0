//! Passing on so many frames a second at most.

use std::time::Duration;

use dmaflow_core::frame::{Frame, FrameMeta};
use dmaflow_core::stage::{Filter, StageError};
use dmaflow_core::time::{Clock, Rate, Timestamp};

/// Lets so many frames a second pass at most, evenly, by when they were captured.
///
/// A frame may come a quarter of the interval too soon, so that a camera of the very rate loses
/// none to its jitter; the next one's turn comes no sooner for it.
#[derive(Clone, Debug)]
pub struct RateLimit {
    interval: Duration,
    /// When the next frame's turn is.
    due: Option<Timestamp>,
}

impl RateLimit {
    /// Passes `rate` at most; the first frame in any case.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            interval: rate.interval(),
            due: None,
        }
    }

    /// Whether a frame of this moment has its turn.
    fn turn(&mut self, at: Timestamp) -> bool {
        let next = match self.due {
            // A quarter of the interval is forgiven.
            Some(due) if at + self.interval / 4 >= due => {
                let late = at.since(due).unwrap_or_default();
                // After a pause nobody makes up for what did not come.
                if late < self.interval {
                    due + self.interval
                } else {
                    at + self.interval
                }
            }
            // The moments begin anew: another source, or another run.
            Some(due) if at + self.interval * 2 < due => at + self.interval,
            Some(_) => return false,
            None => at + self.interval,
        };
        self.due = Some(next);
        true
    }
}

impl Filter for RateLimit {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        let passes = self.turn(moment(&frame.meta()));
        Ok(passes.then_some(frame))
    }
}

/// When a picture was captured, or where its source does not say, when it came.
fn moment(meta: &FrameMeta) -> Timestamp {
    let captured = meta.capture.map(|stamp| stamp.at);
    captured
        .or(meta.dequeued)
        .unwrap_or_else(|| Clock::Monotonic.now())
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    fn passed(limit: &mut RateLimit, moments: impl IntoIterator<Item = u64>) -> usize {
        let moments = moments.into_iter();
        moments.filter(|&moment| limit.turn(at(moment))).count()
    }

    fn limit(frames: u32) -> RateLimit {
        RateLimit::new(Rate::new(frames, 1).unwrap())
    }

    #[test]
    fn so_many_pass_and_no_more() {
        for (comes, most, expected) in [(100, 10, 10), (25, 10, 10), (30, 7, 7), (20, 50, 20)] {
            let moments = (0..10 * comes).map(|frame| frame * 1000 / comes);
            // One more has its turn a little early.
            let passed = passed(&mut limit(most), moments);
            let expected = 10 * expected;
            assert!(
                (expected..=expected + 1).contains(&passed),
                "{comes}: {passed}"
            );
        }
    }

    #[test]
    fn jitter_costs_no_frame_of_the_very_rate() {
        let moments = (0..500).map(|frame| 100 + frame * 20 + (frame * 7) % 5 - 2);
        assert_eq!(passed(&mut limit(50), moments), 500);
    }

    #[test]
    fn after_a_pause_frames_pass_no_faster() {
        let mut limit = limit(10);
        passed(&mut limit, [0, 100]);
        let burst = (0..50).map(|frame| 5000 + frame * 10);
        assert!(passed(&mut limit, burst) <= 6);
    }

    #[test]
    fn moments_that_begin_anew_pass() {
        let mut limit = limit(10);
        passed(&mut limit, [1_000_000]);
        assert_eq!(passed(&mut limit, [0, 10, 100]), 2);
    }
}
