//! A heap of one's own: an exporter, with the helpers that it wants around it.
//!
//! `cargo run -p dmaflow-examples --example own_heap` needs no device and no rights.
#![expect(clippy::print_stdout, reason = "what it is for")]

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{Account, Budget, ClientId, ExportError, Exporter, HeapRegistry, Request};
use dmaflow_heaps::{Memfd, PagePool, PoolPolicy};

/// Gives shared memory, and keeps the books of its own that it likes: allocation and release
/// are in the exporter's hands.
#[derive(Default)]
struct Rooms {
    given: AtomicU64,
    returned: AtomicU64,
}

impl Exporter for Rooms {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        self.given.fetch_add(1, Ordering::Relaxed);
        Memfd.allocate(request)
    }

    fn release(&self, buffer: DmaBuf, client: ClientId) {
        self.returned.fetch_add(1, Ordering::Relaxed);
        Memfd.release(buffer, client);
    }
}

fn main() -> Result<()> {
    let policy = PoolPolicy::default();
    let pool = PagePool::new(Rooms::default(), policy);
    let mut registry = HeapRegistry::new();
    let mut info = policy.info(Memfd::info());
    "rooms".clone_into(&mut info.name);
    registry.register(info, pool.clone())?;

    let guest = Account::new("guest");
    guest.set_budget(Budget {
        bytes: Some(8 << 20),
        buffers: Some(2),
    });
    let heap = registry.open("rooms")?.for_account(&guest);
    for _night in 0..3 {
        let room = heap.allocate(4 << 20)?;
        println!("{} bytes, on loan:\n{}", room.len(), heap.loans());
    }
    let (one, two) = (heap.allocate(4096)?, heap.allocate(4096)?);
    if let Err(error) = heap.allocate(4096) {
        println!("no third room: {error}");
    }
    drop((one, two));
    println!("{:?}\n{:?}", heap.stats().usage, pool.stats());
    Ok(())
}
