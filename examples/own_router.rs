//! A stage of one's own that does not touch pixels: frames by turns to one side and the other.
//!
//! `cargo run -p dmaflow-examples --example own_router` needs no device and no rights.
#![expect(clippy::print_stdout, reason = "what it is for")]

use anyhow::Result;
use dmaflow_core::frame::Frame;
use dmaflow_core::stage::{Router, StageError};
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::{AnyStage, Builder, Limits, QueuePolicy};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

/// Sends even frames to its first output and odd ones to its second.
struct ByTurns;

impl Router for ByTurns {
    fn inputs(&self) -> usize {
        1
    }

    fn outputs(&self) -> usize {
        2
    }

    fn route(
        &mut self,
        _input: usize,
        frame: Frame,
        send: &mut dyn FnMut(usize, Frame),
    ) -> Result<(), StageError> {
        let side = usize::from(frame.meta().sequence % 2 == 1);
        send(side, frame);
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut graph = Builder::new();
    let source = TestSrc::new(TestSrcConfig::default());
    let pattern = graph.add("pattern", AnyStage::source(source));
    let turns = graph.add("turns", AnyStage::router(ByTurns));
    let even = graph.add("even", AnyStage::sink(NullSink::default()));
    let odd = graph.add("odd", AnyStage::sink(NullSink::default()));
    graph.connect(pattern, turns, QueuePolicy::FIFO);
    graph.connect(turns.output(0), even, QueuePolicy::FIFO);
    graph.connect(turns.output(1), odd, QueuePolicy::FIFO);

    let mut pipeline = graph.prepare(&dmaflow_heaps::registry())?;
    let report = pipeline.run(Limits {
        frames: Some(9),
        ..Limits::default()
    })?;
    for link in &report.links {
        println!("{} -> {}: {} frames", link.from, link.to, link.taken);
    }
    Ok(())
}
