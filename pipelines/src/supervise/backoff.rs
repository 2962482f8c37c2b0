//! How long to wait before the next try.

use std::time::Duration;

use crate::description::RestartPolicy;

/// A pipeline that ran so long ran well: what failed before is forgotten.
const WELL: Duration = Duration::from_secs(10);

/// The waits between the tries of one stage: each twice as long as the one before.
#[derive(Debug)]
pub(super) struct Backoff {
    policy: RestartPolicy,
    /// In a row.
    tries: u32,
}

impl Backoff {
    pub(super) const fn new(policy: RestartPolicy) -> Self {
        Self { policy, tries: 0 }
    }

    /// The pipeline ran for a while.
    pub(super) fn ran(&mut self, elapsed: Duration) {
        if elapsed >= WELL {
            self.tries = 0;
        }
    }

    /// How long to wait before the next try; `None` where there is to be none.
    pub(super) fn next(&mut self) -> Option<Duration> {
        let RestartPolicy::OnFailure {
            first,
            most,
            attempts,
        } = self.policy
        else {
            return None;
        };
        if attempts.is_some_and(|attempts| self.tries >= attempts) {
            return None;
        }
        let doubled = 2_u32
            .checked_pow(self.tries)
            .map(|times| first.saturating_mul(times));
        self.tries += 1;
        Some(doubled.unwrap_or(most).min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const fn policy(attempts: Option<u32>) -> RestartPolicy {
        RestartPolicy::OnFailure {
            first: millis(200),
            most: millis(1000),
            attempts,
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new(policy(None));
        let waits: Vec<_> = (0..5).map_while(|_| backoff.next()).collect();
        assert_eq!(waits, [200, 400, 800, 1000, 1000].map(millis));
        for _try in 0..100 {
            assert_eq!(backoff.next(), Some(millis(1000)));
        }
    }

    #[test]
    fn attempts_in_a_row_are_counted_until_it_ran_well() {
        let mut backoff = Backoff::new(policy(Some(2)));
        assert_eq!(backoff.next(), Some(millis(200)));
        backoff.ran(millis(9_999));
        assert_eq!(backoff.next(), Some(millis(400)));
        assert_eq!(backoff.next(), None);
        backoff.ran(WELL);
        assert_eq!(backoff.next(), Some(millis(200)));
    }

    #[test]
    fn never_is_never() {
        assert_eq!(Backoff::new(RestartPolicy::Never).next(), None);
    }
}
