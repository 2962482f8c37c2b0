//! While frames flow, nothing is allocated. A file of its own, since every allocation of the
//! process counts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;
use std::num::NonZeroU64;

use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::{Decimate, Limits, Pipeline, QueuePolicy};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of a whole run over so many frames.
fn allocations(frames: u64) -> usize {
    let source = TestSrc::new(TestSrcConfig {
        rate: None,
        ..TestSrcConfig::default()
    });
    let pass = Decimate::new(NonZeroU64::MIN);
    let mut pipeline = Pipeline::link(("source", source), ("sink", NullSink::default()))
        .filter("pass", pass, QueuePolicy::Latest)
        .prepare(&dmaflow_heaps::registry())
        .unwrap();
    let limits = Limits {
        frames: Some(frames),
        ..Limits::default()
    };
    let region = Region::new(ALLOCATOR);
    let report = pipeline.run(limits).unwrap();
    let allocations = region.change().allocations;
    assert_eq!(report.captured, frames);
    assert_eq!(report.unaccounted(), 0, "{report:?}");
    allocations
}

#[test]
fn more_frames_do_not_mean_more_allocations() {
    // What threads and channels allocate once is a little different from run to run.
    allocations(10);
    let few = allocations(100);
    let many = allocations(5_100);
    assert!(few > 0, "the counter counts");
    assert!(many < few + 50, "{few} for 100 frames, {many} for 5100");
}
