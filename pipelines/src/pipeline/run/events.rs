//! What the watching thread is told.
//!
//! Waiting takes one futex call; a channel's receive would yield the processor several times
//! before it sleeps.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What has happened since the watching thread was told last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Somebody wants the run to end.
    pub(super) stop: bool,
    /// Threads of stages that have ended.
    pub(super) ended: usize,
    /// One of them ended with a failure.
    pub(super) failed: bool,
}

/// Where others leave word for the watching thread. Clones are the same place.
#[derive(Clone, Debug, Default)]
pub(in crate::pipeline) struct Events(Arc<(Mutex<News>, Condvar)>);

impl Events {
    /// Somebody wants the run to end.
    pub(super) fn stop(&self) {
        self.news().stop = true;
        self.0.1.notify_all();
    }

    /// A stage's thread has ended.
    pub(super) fn ended(&self, failed: bool) {
        let mut news = self.news();
        news.ended += 1;
        news.failed |= failed;
        self.0.1.notify_all();
    }

    /// Takes what there is to know.
    pub(super) fn take(&self) -> News {
        std::mem::take(&mut self.news())
    }

    /// The same, and waits for it until `end`.
    pub(super) fn wait(&self, end: Instant) -> News {
        let (news, told) = (self.news(), &self.0.1);
        let nothing = |news: &mut News| *news == News::default();
        let left = end.saturating_duration_since(Instant::now());
        let waited = told.wait_timeout_while(news, left, nothing);
        std::mem::take(&mut waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    fn news(&self) -> MutexGuard<'_, News> {
        // Nothing that could panic is done under this lock.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn news_are_told_once() {
        let events = Events::default();
        events.stop();
        events.ended(true);
        let told = News {
            stop: true,
            ended: 1,
            failed: true,
        };
        assert_eq!(events.wait(Instant::now()), told);
        assert_eq!(events.take(), News::default());
    }

    #[test]
    fn news_end_the_wait() {
        let (events, far) = (Events::default(), Duration::from_secs(60));
        let teller = events.clone();
        thread::scope(|scope| {
            scope.spawn(move || teller.ended(false));
            let began = Instant::now();
            assert_eq!(events.wait(began + far).ended, 1);
            assert!(began.elapsed() < far);
        });
    }
}
