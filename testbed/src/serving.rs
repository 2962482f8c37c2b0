//! A heap served to other processes from a thread of the test's own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dmaflow_core::heap::Heap;
use dmaflow_heaps::remote::protocol::{Figures, Whose};
use dmaflow_heaps::remote::stats;
use dmaflow_heaps::server::{Access, Limits, Listener, Quotas, ServeError, Server, Stop};

/// A server of one heap, which ends with its test.
#[derive(Debug)]
pub struct Serving {
    /// Where the heap is opened.
    pub node: PathBuf,
    stop: Stop,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Serving {
    /// Serves a heap in a directory of its own.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn start(heap: Heap, quotas: Quotas, mode: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = format!("dmaflow-{}-{number}", std::process::id());
        let node = std::env::temp_dir().join(directory).join("camera");
        let access = Access {
            mode,
            ..Access::default()
        };
        let mut server = Server::new(Limits::default()).unwrap();
        server.add(heap, quotas, Listener::bind(&node, &access).unwrap());
        let stop = server.stopper();
        let thread = Some(thread::spawn(move || server.run()));
        Self { node, stop, thread }
    }

    /// Who has how much.
    ///
    /// # Panics
    /// When the server does not say.
    #[must_use]
    pub fn figures(&self) -> Vec<Figures> {
        stats(&self.node).unwrap()
    }

    /// Buffers on loan.
    ///
    /// # Panics
    /// When the server does not say.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.figures()[0].usage.live
    }

    /// Buffers and lingering bytes of a user.
    ///
    /// # Panics
    /// When the server does not say.
    #[must_use]
    pub fn of_user(&self, wanted: u32) -> (u64, u64) {
        let figures = self.figures();
        let user = Whose::User { uid: wanted };
        let line = figures.into_iter().find(|line| line.whose == user);
        line.map_or((0, 0), |line| (line.usage.live, line.lingering))
    }

    /// How many clients are connected, besides the one who asks.
    ///
    /// # Panics
    /// When the server does not say.
    #[must_use]
    pub fn clients(&self) -> usize {
        let figures = self.figures().into_iter();
        let clients = figures.filter(|line| matches!(line.whose, Whose::Client { .. }));
        clients.count() - 1
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
        std::fs::remove_dir_all(self.node.parent().unwrap()).unwrap();
    }
}

/// Waits until something holds.
///
/// # Panics
/// When it does not after thirty seconds.
pub fn eventually(what: &str, holds: impl FnMut() -> bool) {
    within(Duration::from_secs(30), what, holds);
}

/// Waits until something holds, which may take so long.
///
/// # Panics
/// When it takes longer.
pub fn within(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < end, "no {what} after {patience:?}");
        thread::sleep(Duration::from_millis(20));
    }
}
