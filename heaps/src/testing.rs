//! An exporter for tests: memfds, every one of which is accounted for.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::{BufferId, DmaBuf};
use dmaflow_core::heap::{ClientId, ExportError, Exporter, Request, whole_pages};

use crate::Memfd;

/// Clones are the same exporter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counting(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    out: BTreeMap<BufferId, Given>,
    given: u64,
    limit: Option<u64>,
    held: bool,
    exported: bool,
}

/// What a buffer was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    pub(crate) len: usize,
    pub(crate) align: usize,
}

/// A request of this process.
pub(crate) fn request(len: usize) -> Request {
    request_of(len, ClientId::PROCESS)
}

pub(crate) fn request_of(len: usize, client: ClientId) -> Request {
    Request {
        len: NonZeroUsize::new(len).and_then(whole_pages).unwrap(),
        align: 1,
        client,
    }
}

impl Counting {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    /// Buffers given and not back.
    pub(crate) fn out(&self) -> usize {
        self.state().out.len()
    }

    /// Their bytes.
    pub(crate) fn out_bytes(&self) -> u64 {
        let state = self.state();
        state.out.values().map(|given| given.len as u64).sum()
    }

    /// What was asked of a buffer that is out.
    pub(crate) fn asked(&self, id: BufferId) -> Given {
        self.state().out[&id]
    }

    /// Buffers ever given.
    pub(crate) fn given(&self) -> u64 {
        self.state().given
    }

    /// How many values share this exporter.
    pub(crate) fn clones(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Has it run short above so many bytes.
    pub(crate) fn set_limit(&self, bytes: u64) {
        self.state().limit = Some(bytes);
    }

    /// Has it give buffers that pass for dma-bufs: once lent they are never alone again, and
    /// the CPU cannot clear them.
    pub(crate) fn pass_for_dma_bufs(&self) {
        self.state().exported = true;
    }

    /// Has releases wait until somebody was told of a shortage.
    pub(crate) fn hold_releases_until_a_shortage(&self) {
        self.state().held = true;
    }
}

impl Exporter for Counting {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let buffer = if self.state().exported {
            let memory = crate::memfd::sealed(request.len)?;
            DmaBuf::with_len(memory.fd, memory.len)
        } else {
            Memfd.allocate(request)?
        };
        let out = self.out_bytes();
        let mut state = self.state();
        if let Some(limit) = state.limit
            && out + buffer.len() as u64 > limit
        {
            state.held = false;
            self.0.1.notify_all();
            return Err(ExportError::Os {
                call: "a test's allocation",
                source: Errno::ENOMEM,
            });
        }
        state.given += 1;
        let given = Given {
            len: buffer.len(),
            align: request.align,
        };
        let twice = state.out.insert(buffer.id(), given);
        assert!(twice.is_none(), "given twice");
        Ok(buffer)
    }

    fn release(&self, buffer: DmaBuf, _client: ClientId) {
        let mut state = self.state();
        while state.held {
            state = self.0.1.wait(state).unwrap();
        }
        let given = state.out.remove(&buffer.id());
        assert!(given.is_some(), "released twice");
    }
}
