//! Acquiring, sharing and recycling frames allocates nothing. A file of its own, since every
//! allocation of the process counts.

use std::alloc::System;

use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::Heap;
use dmaflow_core::layout::Layout;
use dmaflow_heaps::Memfd;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn streaming_allocates_nothing() {
    let heap = Heap::new(Memfd::info(), Memfd);
    let layout = Layout::packed(Format::NV12, 64, 48).unwrap();
    let pool = FramePool::allocate(&heap, &layout, 8).unwrap();
    drop(pool.acquire());

    let streaming = Region::new(ALLOCATOR);
    for _frame in 0..1000 {
        let frame = pool.acquire().unwrap();
        let shared = frame.clone();
        drop(frame);
        drop(shared);
    }
    assert_eq!(streaming.change().allocations, 0);
    drop(Box::new(7_u64));
    assert_eq!(streaming.change().allocations, 1, "the counter counts");
}
