//! The world around a server's node: an exporter, and who else has its buffers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{ClientId, ExportError, Exporter, Request as Wanted};
use dmaflow_heaps::Memfd;

/// What the exporter and the kernel would know.
#[derive(Default)]
pub(crate) struct World {
    /// Buffers that the exporter gave and has not back.
    pub(crate) out: BTreeSet<u64>,
    /// Buffers that somebody else still has.
    pub(crate) elsewhere: BTreeSet<u64>,
    /// Buffers released twice, or while somebody else had them.
    pub(crate) wrong: Vec<u64>,
    /// Whether the exporter's memory is full.
    pub(crate) is_full: bool,
}

#[derive(Clone)]
pub(crate) struct Fake(pub(crate) Arc<Mutex<World>>);

impl Exporter for Fake {
    fn allocate(&self, request: &Wanted) -> Result<DmaBuf, ExportError> {
        if self.0.lock().unwrap().is_full {
            return Err(ExportError::Os {
                call: "the fake",
                source: Errno::ENOMEM,
            });
        }
        let buffer = Memfd.allocate(request)?;
        let id = buffer.id().inode();
        assert!(self.0.lock().unwrap().out.insert(id), "given twice");
        Ok(buffer)
    }

    fn release(&self, buffer: DmaBuf, _client: ClientId) {
        let id = buffer.id().inode();
        let mut world = self.0.lock().unwrap();
        let is_in_use = world.elsewhere.contains(&id);
        if !world.out.remove(&id) || is_in_use {
            world.wrong.push(id);
        }
    }
}
