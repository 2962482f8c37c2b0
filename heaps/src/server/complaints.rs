//! Words about clients that misbehave, which must not become a flood themselves.

use std::fmt::Display;
use std::time::{Duration, Instant};

use super::Peer;

/// So many lines an interval.
const LINES: u32 = 8;
const INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Complaints {
    since: Instant,
    said: u32,
    unsaid: u64,
}

impl Complaints {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            said: 0,
            unsaid: 0,
        }
    }

    /// Logs what a client did, unless much was logged of late.
    pub(super) fn say(&mut self, now: Instant, peer: Option<Peer>, what: &dyn Display) {
        if !self.may_say(now) {
            return;
        }
        match peer {
            Some(Peer { uid, pid }) => tracing::warn!(uid, pid, "a client is turned away: {what}"),
            None => tracing::warn!("{what}"),
        }
    }

    fn may_say(&mut self, now: Instant) -> bool {
        if now.duration_since(self.since) >= INTERVAL {
            if self.unsaid > 0 {
                tracing::warn!("{} more complaints about clients", self.unsaid);
            }
            *self = Self::new(now);
        }
        let may = self.said < LINES;
        if may {
            self.said += 1;
        } else {
            self.unsaid += 1;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_told() {
        let start = Instant::now();
        let mut complaints = Complaints::new(start);
        let told = (0..1000).filter(|_| complaints.may_say(start)).count();
        assert_eq!((told, complaints.unsaid), (8, 992));
        assert!(complaints.may_say(start + INTERVAL));
        assert_eq!(complaints.unsaid, 0);
    }
}
