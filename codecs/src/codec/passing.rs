//! What is known of frames, past a device that changes their order.

use std::sync::{Mutex, PoisonError};

use dmaflow_core::frame::FrameMeta;

/// Frames that are remembered; more than any device has in work (`VIDEO_MAX_FRAME` twice).
const REMEMBERED: usize = 64;

/// What is known of the frames in work, by the stamps that they went in with, which come out with
/// what was made of them (`V4L2_BUF_FLAG_TIMESTAMP_COPY`).
#[derive(Debug)]
pub(super) struct Passing(Mutex<Ring>);

#[derive(Debug)]
struct Ring {
    known: [(u64, FrameMeta); REMEMBERED],
    next: usize,
    last: u64,
}

impl Passing {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Ring {
            known: [(0, FrameMeta::default()); REMEMBERED],
            next: 0,
            last: 0,
        }))
    }

    /// Remembers a frame and gives it a stamp in microseconds: when it was captured, as far as
    /// that makes it later than the one before. Never 0, which is what unstamped frames have.
    pub(super) fn enter(&self, known: FrameMeta) -> u64 {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let captured = known.capture.map_or(0, |stamp| stamp.at.as_nanos() / 1000);
        let stamp = captured.max(ring.last + 1);
        let place = ring.next;
        ring.known[place] = (stamp, known);
        ring.next = (place + 1) % REMEMBERED;
        ring.last = stamp;
        stamp
    }

    /// What was known of the frame with this stamp; `None` of one that never went in, or so long
    /// ago that it is forgotten. A frame may come out in several pictures.
    pub(super) fn leave(&self, stamp: u64) -> Option<FrameMeta> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = ring.known.iter();
        let found = known.find(|(known, _meta)| *known == stamp && stamp != 0);
        found.map(|(_stamp, meta)| *meta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::frame::{CaptureStamp, StampPoint};
    use dmaflow_core::time::{Clock, Timestamp};

    fn frame(sequence: u64, at: u64) -> FrameMeta {
        FrameMeta {
            sequence,
            capture: Some(CaptureStamp {
                at: Timestamp::from_nanos(at),
                clock: Clock::Monotonic,
                point: StampPoint::EndOfFrame,
            }),
            ..FrameMeta::default()
        }
    }

    #[test]
    fn frames_are_known_again_in_whatever_order_they_come() {
        let passing = Passing::new();
        let stamps: Vec<_> = (0..4)
            .map(|n| passing.enter(frame(n, 5_000_000 + n * 40_000_000)))
            .collect();
        assert_eq!(stamps, [5000, 45_000, 85_000, 125_000]);
        for n in [2, 0, 3, 1] {
            let known = passing.leave(stamps[n]).unwrap();
            assert_eq!(known.sequence, n as u64);
        }
        assert_eq!(passing.leave(6000), None);
        assert_eq!(passing.leave(0), None);
    }

    #[test]
    fn frames_of_one_moment_or_of_none_have_stamps_of_their_own() {
        let passing = Passing::new();
        let stamps = [
            passing.enter(FrameMeta::default()),
            passing.enter(frame(1, 9_000_000)),
            passing.enter(frame(2, 9_000_000)),
            passing.enter(frame(3, 1_000_000)),
        ];
        assert_eq!(stamps, [1, 9000, 9001, 9002]);
        assert_eq!(passing.leave(9001).map(|meta| meta.sequence), Some(2));
    }

    #[test]
    fn what_never_came_out_is_forgotten_in_time() {
        let passing = Passing::new();
        let first = passing.enter(frame(0, 0));
        for n in 0..REMEMBERED as u64 {
            passing.enter(frame(n, 0));
        }
        assert_eq!(passing.leave(first), None);
    }
}
