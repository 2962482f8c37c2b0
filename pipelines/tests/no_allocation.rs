//! While frames flow, nothing is allocated. A file of its own, since every allocation of the
//! process counts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;
use std::num::NonZeroU64;

#[cfg(feature = "cpu-convert")]
use dmaflow_core::format::Format;
use dmaflow_kms_sink::NullSink;
#[cfg(feature = "cpu-convert")]
use dmaflow_pipelines::{AnyStage, ZeroCopy};
use dmaflow_pipelines::{Builder, Decimate, Limits, Pipeline, QueuePolicy};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A source, a filter and a sink.
fn chain() -> Builder {
    let source = TestSrc::new(TestSrcConfig {
        rate: None,
        ..TestSrcConfig::default()
    });
    let pass = Decimate::new(NonZeroU64::MIN);
    Pipeline::link(("source", source), ("sink", NullSink::default())).filter(
        "pass",
        pass,
        QueuePolicy::Latest,
    )
}

/// A source, and the CPU that converts what it draws.
#[cfg(feature = "cpu-convert")]
fn copies() -> Builder {
    let mut graph = Builder::new();
    let source = TestSrc::new(TestSrcConfig {
        format: Format::NV12,
        width: 96,
        height: 32,
        rate: None,
        frames: None,
    });
    let source = graph.add("source", AnyStage::source(source));
    let converter = AnyStage::transform(dmaflow_codecs::CpuConverter::new());
    let converter = graph.add("converter", converter);
    let sink = graph.add("sink", AnyStage::sink(NullSink::default()));
    graph.connect(source, converter, QueuePolicy::Latest);
    graph.connect(converter, sink, QueuePolicy::Latest);
    graph.set_zero_copy(ZeroCopy::Allow);
    graph
}

/// Allocations of a whole run over so many frames.
fn allocations(graph: Builder, frames: u64) -> usize {
    let mut pipeline = graph.prepare(&dmaflow_heaps::registry()).unwrap();
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
    let graphs = [
        chain,
        #[cfg(feature = "cpu-convert")]
        copies,
    ];
    for graph in graphs {
        // What threads and channels allocate once is a little different from run to run.
        allocations(graph(), 10);
        let few = allocations(graph(), 100);
        let many = allocations(graph(), 5_100);
        assert!(few > 0, "the counter counts");
        assert!(many < few + 50, "{few} for 100 frames, {many} for 5100");
    }
}
