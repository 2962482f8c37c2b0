//! Whether a driver's timestamp is of the clock that it claims.

use std::time::Duration;

use dmaflow_core::frame::CaptureStamp;
use dmaflow_core::time::{Clock, Timestamp};
use dmaflow_v4l2::{Dequeued, StampClock};

/// A stamp so many nanoseconds from the dequeue, before or after it, is compared with another
/// clock. It is more than a frame takes, and less than a machine sleeps, which sets the clocks
/// apart.
const SUSPICIOUS: u64 = 500_000_000;

/// Checks stamps, and counts what was wrong with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StampCheck {
    /// Stamps that claimed the monotonic clock, were of another and were converted.
    pub(super) clock_corrected: u64,
    /// Stamps that lie after the dequeue.
    pub(super) ahead: u64,
    /// The most that one did.
    pub(super) longest_lead: Duration,
}

impl StampCheck {
    /// The stamp on the monotonic clock, for a frame that was dequeued at `dequeued` on it;
    /// `None` where the driver does not say when a frame was captured.
    ///
    /// A stamp that claims `MONOTONIC`, is far from its time and near to that of `BOOTTIME` is of
    /// the latter, as those of rkisp1 are, and is converted. `boottime` is read for suspicious
    /// stamps only. A stamp ahead of the dequeue, as vivid's are, is counted and stays as it is.
    pub(super) fn check(
        &mut self,
        frame: &Dequeued,
        dequeued: Timestamp,
        boottime: impl FnOnce() -> Timestamp,
    ) -> Option<CaptureStamp> {
        if frame.clock != StampClock::Monotonic || frame.at == Timestamp::default() {
            return None;
        }
        // A stamp ahead has an age beyond all measure.
        let age = dequeued.as_nanos().wrapping_sub(frame.at.as_nanos());
        let at = if age < SUSPICIOUS {
            frame.at
        } else {
            self.look_closer(frame.at, dequeued, boottime)
        };
        Some(CaptureStamp {
            at,
            clock: Clock::Monotonic,
            point: frame.point,
        })
    }

    /// The moment on the monotonic clock of a stamp that is not of the time just before its
    /// dequeue.
    #[cold]
    fn look_closer(
        &mut self,
        mut at: Timestamp,
        dequeued: Timestamp,
        boottime: impl FnOnce() -> Timestamp,
    ) -> Timestamp {
        if !is_near(at, dequeued) {
            let boottime = boottime();
            if is_near(at, boottime) {
                // Both clocks run alike; they differ by what the machine slept.
                let slept = boottime.since(dequeued).unwrap_or_default().as_nanos();
                let slept = u64::try_from(slept).unwrap_or(u64::MAX);
                at = Timestamp::from_nanos(at.as_nanos().saturating_sub(slept));
                self.clock_corrected += 1;
            }
        }
        if let Some(lead) = at.since(dequeued).filter(|lead| !lead.is_zero()) {
            self.ahead += 1;
            self.longest_lead = self.longest_lead.max(lead);
        }
        at
    }
}

fn is_near(at: Timestamp, now: Timestamp) -> bool {
    at.as_nanos().abs_diff(now.as_nanos()) < SUSPICIOUS
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::frame::{FrameFlags, StampPoint};

    const NOW: u64 = 100_000_000_000;
    /// The machine slept for an hour.
    const BOOT: u64 = NOW + 3_600_000_000_000;
    const MS: u64 = 1_000_000;

    fn frame(at: u64, clock: StampClock) -> Dequeued {
        Dequeued {
            slot: 0,
            sequence: 0,
            at: Timestamp::from_nanos(at),
            clock,
            point: StampPoint::EndOfFrame,
            damaged: false,
            flags: FrameFlags::default(),
            bytes_used: [0; 4],
        }
    }

    fn check(at: u64) -> (Timestamp, StampCheck) {
        let mut check = StampCheck::default();
        let stamp = check.check(
            &frame(at, StampClock::Monotonic),
            Timestamp::from_nanos(NOW),
            || Timestamp::from_nanos(BOOT),
        );
        let stamp = stamp.unwrap();
        assert_eq!(stamp.clock, Clock::Monotonic);
        (stamp.at, check)
    }

    #[test]
    fn a_plausible_stamp_reads_no_second_clock() {
        let mut check = StampCheck::default();
        let stamp = check
            .check(
                &frame(NOW - 20 * MS, StampClock::Monotonic),
                Timestamp::from_nanos(NOW),
                || panic!("there is no need to read it"),
            )
            .unwrap();
        assert_eq!(stamp.clock, Clock::Monotonic);
        assert_eq!(check, StampCheck::default());
    }

    #[test]
    fn boottime_that_claims_to_be_monotonic() {
        let (at, counted) = check(BOOT - 20 * MS);
        assert_eq!(at, Timestamp::from_nanos(NOW - 20 * MS));
        assert_eq!((counted.clock_corrected, counted.ahead), (1, 0));
    }

    #[test]
    fn a_stamp_ahead_of_its_dequeue_is_counted_and_kept() {
        let (at, counted) = check(NOW + 30 * MS);
        assert_eq!(at, Timestamp::from_nanos(NOW + 30 * MS));
        assert_eq!((counted.clock_corrected, counted.ahead), (0, 1));
        assert_eq!(counted.longest_lead, Duration::from_millis(30));
    }

    #[test]
    fn on_a_machine_that_never_slept_the_clocks_are_one() {
        let mut check = StampCheck::default();
        let ahead = frame(NOW + 30 * MS, StampClock::Monotonic);
        // The second clock is read a little later than the first.
        let read_later = || Timestamp::from_nanos(NOW + MS);
        let stamp = check.check(&ahead, Timestamp::from_nanos(NOW), read_later);
        assert_eq!(stamp.unwrap().clock, Clock::Monotonic);
        assert_eq!((check.clock_corrected, check.ahead), (0, 1));
    }

    #[test]
    fn a_stamp_of_no_clock_keeps_what_it_claims() {
        let (at, counted) = check(1 << 62);
        assert_eq!(at, Timestamp::from_nanos(1 << 62));
        assert_eq!((counted.clock_corrected, counted.ahead), (0, 1));
    }

    #[test]
    fn an_old_stamp_is_old_and_not_another_clocks() {
        let (at, counted) = check(NOW - 2000 * MS);
        assert_eq!(at, Timestamp::from_nanos(NOW - 2000 * MS));
        assert_eq!(counted, StampCheck::default());
    }

    #[test]
    fn clocks_that_are_not_ours_are_no_stamps() {
        let mut check = StampCheck::default();
        for clock in [StampClock::Unknown, StampClock::Copied] {
            let now = Timestamp::from_nanos(NOW);
            assert_eq!(check.check(&frame(NOW, clock), now, || now), None);
        }
        let never = frame(0, StampClock::Monotonic);
        let now = Timestamp::from_nanos(NOW);
        assert_eq!(check.check(&never, now, || now), None);
    }
}
