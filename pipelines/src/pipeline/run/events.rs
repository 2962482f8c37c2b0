//! What the watching thread is told.
//!
//! Waiting takes one futex call; a channel's receive would yield the processor several times
//! before it sleeps.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::control::Command;

/// What has happened since the watching thread was told last.
#[derive(Default)]
pub(super) struct News {
    /// Somebody wants the run to end.
    pub(super) stop: bool,
    /// Threads of stages that have ended.
    pub(super) ended: Vec<Ended>,
    /// What somebody asks for, in the order in which it came.
    pub(super) commands: Vec<Command>,
}

/// A thread that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// Its number.
    pub(super) thread: usize,
    pub(super) failed: bool,
}

impl News {
    const fn is_nothing(&self) -> bool {
        !self.stop && self.ended.is_empty() && self.commands.is_empty()
    }
}

#[derive(Default)]
struct Board {
    news: News,
    /// Somebody watches, and so commands are heard.
    is_watched: bool,
}

/// Where others leave word for the watching thread. Clones are the same place.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<(Mutex<Board>, Condvar)>);

/// While it is there, commands are heard.
pub(super) struct Watching(Events);

impl Events {
    /// Somebody wants the run to end.
    pub(crate) fn stop(&self) {
        self.board().news.stop = true;
        self.0.1.notify_all();
    }

    /// Somebody asks for something; gives it back where nobody watches.
    pub(crate) fn command(&self, command: Command) -> Result<(), Command> {
        let mut board = self.board();
        if !board.is_watched {
            return Err(command);
        }
        board.news.commands.push(command);
        self.0.1.notify_all();
        Ok(())
    }

    /// A stage's thread has ended.
    pub(super) fn ended(&self, ended: Ended) {
        self.board().news.ended.push(ended);
        self.0.1.notify_all();
    }

    /// Has commands heard from now on.
    pub(super) fn watch(&self) -> Watching {
        self.board().is_watched = true;
        Watching(self.clone())
    }

    /// Takes what there is to know.
    pub(super) fn take(&self) -> News {
        mem::take(&mut self.board().news)
    }

    /// The same, and waits for it until `end`.
    pub(super) fn wait(&self, end: Instant) -> News {
        let (board, told) = (self.board(), &self.0.1);
        let nothing = |board: &mut Board| board.news.is_nothing();
        let left = end.saturating_duration_since(Instant::now());
        let waited = told.wait_timeout_while(board, left, nothing);
        mem::take(&mut waited.unwrap_or_else(PoisonError::into_inner).0.news)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // Nothing that could panic is done under this lock.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let unheard = {
            let mut board = self.0.board();
            board.is_watched = false;
            mem::take(&mut board.news.commands)
        };
        // Whoever asked is told by it that nobody answers.
        drop(unheard);
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
        let ended = Ended {
            thread: 3,
            failed: true,
        };
        events.stop();
        events.ended(ended);
        let told = events.wait(Instant::now());
        assert!(told.stop);
        assert_eq!(told.ended, [ended]);
        assert!(events.take().is_nothing());
    }

    #[test]
    fn news_end_the_wait() {
        let (events, far) = (Events::default(), Duration::from_secs(60));
        let teller = events.clone();
        let ended = Ended {
            thread: 0,
            failed: false,
        };
        thread::scope(|scope| {
            scope.spawn(move || teller.ended(ended));
            let began = Instant::now();
            assert_eq!(events.wait(began + far).ended, [ended]);
            assert!(began.elapsed() < far);
        });
    }

    #[test]
    fn commands_are_heard_while_somebody_watches() {
        let events = Events::default();
        let ask = || {
            let (command, answer) = Command::for_test();
            (events.command(command).is_ok(), answer)
        };
        assert!(!ask().0);
        let watching = events.watch();
        let (heard, answer) = ask();
        assert!(heard);
        drop(watching);
        assert!(answer.recv().is_err(), "nobody answers what came too late");
        assert!(!ask().0);
    }
}
