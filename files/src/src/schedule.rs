//! When packets are due.

use dmaflow_containers::Packet;
use dmaflow_core::time::Timestamp;

/// Times of packets as moments of a run: the first is decoded when it starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start: Timestamp,
    /// When the first packet is decoded, in the track's units.
    first: i64,
    /// Units a second.
    timescale: u32,
}

impl Schedule {
    pub(super) const fn new(start: Timestamp, first: Packet, timescale: u32) -> Self {
        Self {
            start,
            first: first.decoded,
            timescale,
        }
    }

    pub(super) fn decoded(&self, packet: &Packet) -> Timestamp {
        self.at(packet.decoded)
    }

    pub(super) fn presented(&self, packet: &Packet) -> Timestamp {
        self.at(packet.presented)
    }

    /// Not before the start, whatever a file says.
    fn at(&self, time: i64) -> Timestamp {
        let units = u128::from(time.saturating_sub(self.first).max(0).cast_unsigned());
        let nanos = units * 1_000_000_000 / u128::from(self.timescale.max(1));
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Timestamp::from_nanos(self.start.as_nanos().saturating_add(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_due_by_their_times() {
        let packet = |decoded, presented| Packet {
            len: 0,
            presented,
            decoded,
            duration: 0,
            key: false,
            offset: 0,
        };
        let start = Timestamp::from_nanos(100);
        let schedule = Schedule::new(start, packet(-3003, 0), 90_000);
        assert_eq!(schedule.decoded(&packet(-3003, 0)), start);
        let a_second_on = packet(86_997, 90_000);
        assert_eq!(schedule.decoded(&a_second_on).as_nanos(), 1_000_000_100);
        assert_eq!(schedule.presented(&a_second_on).as_nanos(), 1_033_366_766);
        // What cannot be is the beginning, or the end of time.
        assert_eq!(schedule.decoded(&packet(i64::MIN, 0)), start);
        let never = Schedule::new(start, packet(i64::MIN, 0), 0);
        assert_eq!(
            never.decoded(&packet(i64::MAX, 0)),
            Timestamp::from_nanos(u64::MAX)
        );
    }
}
