//! What a frame's trip out of the pool and back costs, on one thread and on two.
//!
//! `cargo bench -p dmaflow-core` prints times and allocations; there should be none of the
//! latter.

use std::sync::LazyLock;

use divan::{AllocProfiler, Bencher, black_box};
use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::Heap;
use dmaflow_core::layout::Layout;
use dmaflow_heaps::Memfd;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// Eight frames, as the target says.
static POOL: LazyLock<FramePool> = LazyLock::new(|| {
    let layout = Layout::packed(Format::XRGB8888, 64, 64).expect("a small picture");
    FramePool::allocate(&Heap::new(Memfd::info(), Memfd), &layout, 8).expect("eight small frames")
});

#[divan::bench(threads = [1, 2], sample_size = 10_000)]
fn acquire_and_recycle(bencher: Bencher<'_, '_>) {
    LazyLock::force(&POOL);
    bencher.bench(|| drop(black_box(POOL.acquire())));
}

#[divan::bench(threads = [1, 2], sample_size = 10_000)]
fn share_and_let_go(bencher: Bencher<'_, '_>) {
    let frame = POOL.acquire();
    bencher.bench(|| drop(black_box(frame.clone())));
}

fn main() {
    divan::main();
}
