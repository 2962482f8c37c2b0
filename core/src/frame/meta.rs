//! What is known of a picture.

use std::time::Duration;

use crate::sync::{AtomicU8, AtomicU64, Ordering};
use crate::time::{Clock, Timestamp};

/// What a capture timestamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StampPoint {
    /// When the exposure began (`V4L2_BUF_FLAG_TSTAMP_SRC_SOE`).
    StartOfExposure,
    /// When the last byte arrived (`V4L2_BUF_FLAG_TSTAMP_SRC_EOF`).
    EndOfFrame,
}

/// When a frame was captured, in its source's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureStamp {
    /// The moment, on `clock`.
    pub at: Timestamp,
    /// The clock, after a check against what the driver claims.
    pub clock: Clock,
    /// What happened at that moment.
    pub point: StampPoint,
}

impl CaptureStamp {
    /// How long before `later`, a moment on [`Clock::Monotonic`], the frame was captured.
    ///
    /// `None` for a stamp of another clock, and where it lies after `later`.
    #[must_use]
    pub fn until(&self, later: Timestamp) -> Option<Duration> {
        (self.clock == Clock::Monotonic)
            .then(|| later.since(self.at))
            .flatten()
    }
}

/// What a driver says of a picture besides its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FrameFlags {
    /// It can be decoded without others (`V4L2_BUF_FLAG_KEYFRAME`).
    pub key: bool,
    /// Nothing follows it (`V4L2_BUF_FLAG_LAST`).
    pub last: bool,
}

/// What travels with a frame besides its pixels: what its source knows of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameMeta {
    /// The source's count of frames, lost ones included.
    pub sequence: u64,
    /// When it was captured, where the source knows.
    pub capture: Option<CaptureStamp>,
    /// When its source took it from the driver, on [`Clock::Monotonic`].
    pub dequeued: Option<Timestamp>,
    /// What else its driver says of it.
    pub flags: FrameFlags,
    /// How many bytes of its buffer a compressed frame takes; `None` of pictures, which fill
    /// theirs.
    pub bytes_used: Option<u32>,
}

/// The same in a frame's slot, for all users of the picture: so a frame is one pointer, and
/// cheap to pass on.
///
/// It is written before the frame is passed on, which orders it for the others.
#[derive(Default)]
pub(super) struct SharedMeta {
    sequence: AtomicU64,
    captured_at: AtomicU64,
    clock: AtomicU8,
    point: AtomicU8,
    /// [`KEY`] and [`LAST`].
    flags: AtomicU8,
    dequeued: AtomicU64,
    /// One more than they are; 0 for none.
    bytes_used: AtomicU64,
}

/// In the order of their numbers.
const CLOCKS: [Clock; 3] = [Clock::Monotonic, Clock::Boottime, Clock::Realtime];
const POINTS: [StampPoint; 2] = [StampPoint::StartOfExposure, StampPoint::EndOfFrame];

const KEY: u8 = 1;
const LAST: u8 = 2;

impl SharedMeta {
    #[inline]
    pub(super) fn set(&self, meta: FrameMeta) {
        let set = |place: &AtomicU64, number| place.store(number, Ordering::Relaxed);
        set(&self.sequence, meta.sequence);
        set(&self.dequeued, Timestamp::to_bits(meta.dequeued));
        let bytes_used = meta.bytes_used.map_or(0, |bytes| u64::from(bytes) + 1);
        set(&self.bytes_used, bytes_used);
        set(
            &self.captured_at,
            Timestamp::to_bits(meta.capture.map(|stamp| stamp.at)),
        );
        let flags = (u8::from(meta.flags.key) * KEY) | (u8::from(meta.flags.last) * LAST);
        self.flags.store(flags, Ordering::Relaxed);
        if let Some(stamp) = meta.capture {
            self.clock.store(stamp.clock as u8, Ordering::Relaxed);
            self.point.store(stamp.point as u8, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn get(&self) -> FrameMeta {
        let get = |place: &AtomicU64| place.load(Ordering::Relaxed);
        let clock = self.clock.load(Ordering::Relaxed);
        let point = self.point.load(Ordering::Relaxed);
        let flags = self.flags.load(Ordering::Relaxed);
        FrameMeta {
            sequence: get(&self.sequence),
            capture: Timestamp::from_bits(get(&self.captured_at)).map(|at| CaptureStamp {
                at,
                clock: CLOCKS[usize::from(clock) % CLOCKS.len()],
                point: POINTS[usize::from(point) % POINTS.len()],
            }),
            dequeued: Timestamp::from_bits(get(&self.dequeued)),
            flags: FrameFlags {
                key: flags & KEY != 0,
                last: flags & LAST != 0,
            },
            bytes_used: get(&self.bytes_used)
                .checked_sub(1)
                .and_then(|bytes| u32::try_from(bytes).ok()),
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_known_comes_back() {
        let shared = SharedMeta::default();
        assert_eq!(shared.get(), FrameMeta::default());
        for clock in [Clock::Monotonic, Clock::Boottime, Clock::Realtime] {
            for point in [StampPoint::StartOfExposure, StampPoint::EndOfFrame] {
                let at = Timestamp::from_nanos(0);
                let known = FrameMeta {
                    sequence: 7,
                    capture: Some(CaptureStamp { at, clock, point }),
                    dequeued: Some(Timestamp::from_nanos(u64::MAX)),
                    flags: FrameFlags {
                        key: clock == Clock::Monotonic,
                        last: point == StampPoint::EndOfFrame,
                    },
                    bytes_used: (clock != Clock::Realtime).then_some(u32::MAX),
                };
                shared.set(known);
                assert_eq!(shared.get(), known);
            }
        }
        shared.set(FrameMeta::default());
        assert_eq!(shared.get(), FrameMeta::default());
    }
}
