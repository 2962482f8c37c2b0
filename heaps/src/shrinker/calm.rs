//! When a shortage is over.

use std::time::{Duration, Instant};

/// Doublings of the wait, at most.
const MOST_SETBACKS: u32 = 5;

/// Waits for a calm time after pressure: longer each time that growing back brought the
/// pressure back.
#[derive(Debug)]
pub(super) struct Calm {
    wait: Duration,
    setbacks: u32,
    pressed: bool,
    over_at: Option<Instant>,
    grown_at: Option<Instant>,
}

impl Calm {
    pub(super) const fn new(wait: Duration) -> Self {
        Self {
            wait,
            setbacks: 0,
            pressed: false,
            over_at: None,
            grown_at: None,
        }
    }

    fn waits(&self) -> Duration {
        self.wait.saturating_mul(1 << self.setbacks)
    }

    /// There is pressure.
    pub(super) fn disturb(&mut self, now: Instant) {
        let grown = self.grown_at.take();
        match grown.map(|grown| now.saturating_duration_since(grown)) {
            Some(since) if since < self.waits() => {
                self.setbacks = (self.setbacks + 1).min(MOST_SETBACKS);
            }
            Some(_) => self.setbacks = 0,
            None => {}
        }
        self.pressed = true;
        self.over_at = now.checked_add(self.waits());
    }

    /// Whether there is pressure, or was a short while ago.
    pub(super) const fn is_pressed(&self) -> bool {
        self.pressed
    }

    /// When it will have been calm for long enough, or growing is to be tried again.
    pub(super) const fn over_at(&self) -> Option<Instant> {
        self.over_at
    }

    /// Whether that moment has come.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        let over = self.over_at.is_some_and(|at| at <= now);
        if over {
            self.over_at = None;
            self.pressed = false;
        }
        over
    }

    /// Caches grew back, though perhaps not by all that they miss.
    pub(super) fn grew(&mut self, now: Instant, bytes: u64, missing: u64) {
        if bytes > 0 {
            self.grown_at = Some(now);
        }
        if missing > 0 {
            self.over_at = now.checked_add(self.waits());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    #[test]
    fn every_disturbance_begins_the_wait_anew() {
        let start = Instant::now();
        let mut calm = Calm::new(WAIT);
        assert_eq!(calm.over_at(), None);
        assert!(!calm.is_over(start + 100 * WAIT));
        calm.disturb(start);
        calm.disturb(start + WAIT / 2);
        assert!(!calm.is_over(start + WAIT));
        assert!(calm.is_over(start + WAIT * 3 / 2));
        assert!(!calm.is_over(start + WAIT * 3 / 2), "told once");
    }

    #[test]
    fn growing_that_brings_the_pressure_back_is_tried_later_each_time() {
        let mut now = Instant::now();
        let mut calm = Calm::new(WAIT);
        let mut waited = Vec::new();
        for _round in 0..8 {
            calm.disturb(now);
            let over = calm.over_at().unwrap();
            waited.push((over - now).as_secs());
            assert!(calm.is_over(over));
            calm.grew(over, 1, 0);
            now = over + WAIT / 2;
        }
        assert_eq!(waited, [10, 20, 40, 80, 160, 320, 320, 320]);
        // A long calm forgives.
        calm.disturb(now + WAIT * 100);
        assert_eq!(calm.over_at(), Some(now + WAIT * 101));
    }

    #[test]
    fn what_is_still_missing_is_tried_again() {
        let now = Instant::now();
        let mut calm = Calm::new(WAIT);
        calm.grew(now, 0, 4096);
        assert_eq!(calm.over_at(), Some(now + WAIT));
        assert!(calm.is_over(now + WAIT));
        calm.grew(now + WAIT, 4096, 0);
        assert_eq!(calm.over_at(), None);
    }
}
