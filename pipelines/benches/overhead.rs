//! The pipeline's own cost a frame, through three built-in stages on three threads.
//!
//! A test source draws the smallest picture it can as fast as frames come free, a filter passes
//! it on, a sink lets it go: what is left is links, wake-ups and bookkeeping. The figure is
//! the time a batch of frames takes; `item/s` is frames a second.

use std::num::NonZeroU64;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::{Decimate, Limits, Pipeline, PoolRequest, QueuePolicy};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const FRAMES: u64 = 20_000;

fn pipeline() -> Pipeline {
    let source = TestSrc::new(TestSrcConfig {
        width: 80,
        height: 16,
        rate: None,
        ..TestSrcConfig::default()
    });
    let pass = Decimate::new(NonZeroU64::MIN);
    Pipeline::link(("source", source), ("sink", NullSink::default()))
        .filter("pass", pass, QueuePolicy::FIFO)
        .queue(QueuePolicy::FIFO)
        .pool(PoolRequest {
            buffers: Some(8),
            ..PoolRequest::default()
        })
        .prepare(&dmaflow_heaps::registry())
        .expect("built-in stages agree")
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn three_built_in_stages(bencher: Bencher<'_, '_>) {
    let limits = Limits {
        frames: Some(FRAMES),
        ..Limits::default()
    };
    let mut pipeline = pipeline();
    bencher.counter(ItemsCount::new(FRAMES)).bench_local(|| {
        let report = pipeline.run(limits).expect("a run that goes well");
        assert_eq!(report.shown, FRAMES);
    });
}

fn main() {
    divan::main();
}
