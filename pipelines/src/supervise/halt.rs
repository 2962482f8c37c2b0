//! Waiting that another thread, or the device that comes back, can end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::control::Command;
use crate::pipeline::StopHandle;

#[derive(Debug)]
struct Shared {
    stopped: AtomicBool,
    /// Rung with the wish to stop, for who waits.
    bell: OwnedFd,
    /// Of the pipeline that runs.
    running: Mutex<Option<StopHandle>>,
}

/// Ends what a [`Supervisor`](super::Supervisor) does, from another thread: the pipeline in
/// order, or the wait for the next try at once.
#[derive(Clone, Debug)]
pub struct Halt(Arc<Shared>);

impl Halt {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Shared {
            stopped: AtomicBool::new(false),
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            running: Mutex::new(None),
        })))
    }

    /// Ends the run; without one, the next run ends at once.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        if let Err(error) = rustix::io::write(&self.0.bell, &1_u64.to_ne_bytes()) {
            // A counter that is full has rung.
            tracing::debug!(%error, "stopped more than once");
        }
        if let Some(running) = &*self.running() {
            running.stop();
        }
    }

    /// Leaves word for who watches the pipeline that runs; gives it back where there is none.
    pub(crate) fn command(&self, command: Command) -> Result<(), Command> {
        match &*self.running() {
            Some(running) => running.command(command),
            None => Err(command),
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }

    /// A wish to stop goes to this pipeline from now on, also one from before.
    pub(super) fn passes_to(&self, pipeline: Option<StopHandle>) {
        *self.running() = pipeline;
        if self.is_stopped()
            && let Some(running) = &*self.running()
        {
            running.stop();
        }
    }

    /// The wish was granted.
    pub(super) fn forget(&self) {
        self.0.stopped.store(false, Ordering::Release);
        self.silence();
    }

    fn silence(&self) {
        // Not blocking: it may not have been rung.
        rustix::io::read(&self.0.bell, &mut [0; 8]).ok();
    }

    /// Waits until somebody wants to stop, `nodes` tell of a change, or the time has passed.
    pub(super) fn wait(&self, nodes: Option<&Nodes>, time: Duration) -> Woken {
        let end = Instant::now() + time;
        loop {
            if self.is_stopped() {
                return Woken::Stopped;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Woken::Late;
            }
            let mut watched = vec![PollFd::new(&self.0.bell, PollFlags::IN)];
            watched
                .extend(nodes.map(|nodes| PollFd::from_borrowed_fd(nodes.as_fd(), PollFlags::IN)));
            let timeout = Timespec::try_from(left).ok();
            if let Err(error) = poll(&mut watched, timeout.as_ref())
                && error != rustix::io::Errno::INTR
            {
                tracing::warn!(%error, "cannot wait, and sleep instead");
                std::thread::sleep(left);
            }
            if let [_, told] = &watched[..]
                && !told.revents().is_empty()
            {
                return Woken::Nodes;
            }
            if !watched[0].revents().is_empty() && !self.is_stopped() {
                // Of a wish that was granted before it rang.
                self.silence();
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<StopHandle>> {
        // Nothing that could panic is done under this lock.
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    Stopped,
    /// A node came or went, or its permissions changed.
    Nodes,
    /// The time has passed.
    Late,
}

/// Tells of nodes that come and go and of permissions that change, in `/dev`.
#[derive(Debug)]
pub(super) struct Nodes(OwnedFd);

impl Nodes {
    /// `None` where the kernel does not tell, as at the limit of watches.
    pub(super) fn watch() -> Option<Self> {
        let watch = || {
            let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            // udev gives a node to its group after it came. One that goes is looked for as well, so
            // that it is known to be away when it comes.
            let events = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::ATTRIB;
            inotify::add_watch(&fd, "/dev", events)?;
            rustix::io::Result::Ok(Self(fd))
        };
        watch()
            .inspect_err(|error| tracing::debug!(%error, "nobody tells of nodes in /dev"))
            .ok()
    }

    /// Forgets what was told.
    pub(super) fn drain(&self) {
        let mut bytes = [0; 4096];
        while matches!(rustix::io::read(&self.0, &mut bytes), Ok(1..)) {}
    }
}

impl AsFd for Nodes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const FAR: Duration = Duration::from_secs(60);

    #[test]
    fn a_stop_ends_the_wait_and_is_told_until_it_is_forgotten() {
        let halt = Halt::new().unwrap();
        assert_eq!(halt.wait(None, Duration::from_millis(1)), Woken::Late);
        let stopper = halt.clone();
        let stopping = thread::spawn(move || stopper.stop());
        assert_eq!(halt.wait(None, FAR), Woken::Stopped);
        stopping.join().unwrap();
        assert_eq!(halt.wait(None, FAR), Woken::Stopped);
        halt.forget();
        assert_eq!(halt.wait(None, Duration::from_millis(1)), Woken::Late);
    }
}
