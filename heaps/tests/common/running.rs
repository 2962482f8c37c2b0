//! A server in a thread, with a node in a directory of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::scratch::scratch;
use dmaflow_core::heap::{Heap, HeapInfo};
use dmaflow_heaps::Memfd;
use dmaflow_heaps::remote::stats;
use dmaflow_heaps::server::{Access, Limits, Listener, Quotas, ServeError, Server, Stop};

/// A server in a thread.
pub(crate) struct Running {
    pub(crate) node: PathBuf,
    stop: Stop,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Running {
    pub(crate) fn start(quotas: Quotas) -> Self {
        Self::start_at(scratch().join("camera"), quotas, Memfd::info())
    }

    pub(crate) fn start_at(node: PathBuf, quotas: Quotas, info: HeapInfo) -> Self {
        Self::begin(node, quotas, info, Limits::default())
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        let node = scratch().join("camera");
        Self::begin(node, Quotas::default(), Memfd::info(), limits)
    }

    fn begin(node: PathBuf, quotas: Quotas, mut info: HeapInfo, limits: Limits) -> Self {
        info.name = "camera".to_owned();
        let access = Access {
            mode: 0o640,
            ..Access::default()
        };
        let mut server = Server::new(limits).unwrap();
        let listener = Listener::bind(&node, &access).unwrap();
        server.add(Heap::new(info, Memfd), quotas, listener);
        let stop = server.stopper();
        let thread = Some(thread::spawn(move || server.run()));
        Self { node, stop, thread }
    }

    /// Buffers on loan, as the server says.
    pub(crate) fn live(&self) -> u64 {
        stats(&self.node).unwrap()[0].usage.live
    }

    /// Ends it in order, and returns where its node was.
    pub(crate) fn stop(mut self) -> PathBuf {
        self.end();
        std::mem::take(&mut self.node)
    }

    fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.stop.stop();
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        if let Some(directory) = self.node.parent().filter(|path| path.is_absolute()) {
            std::fs::remove_dir_all(directory).ok();
        }
    }
}

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < patience, "no {what} after 30 s");
        thread::sleep(Duration::from_millis(10));
    }
}
