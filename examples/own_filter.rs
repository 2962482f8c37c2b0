//! A stage of one's own that looks at pixels: how bright are the pictures?
//!
//! `cargo run -p dmaflow-examples --example own_filter` needs no device and no rights.
#![expect(clippy::print_stdout, reason = "what it is for")]

use anyhow::Result;
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::frame::Frame;
use dmaflow_core::stage::{Filter, StageError};
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::{Limits, Pipeline, QueuePolicy};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

/// Adds up the bytes of each frame. The CPU sees them through a guard, which tells the kernel
/// when it begins and ends, and whose use is counted in the report.
struct Brightness;

impl Filter for Brightness {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        let (mut sum, mut count) = (0_u64, 0_u64);
        for buffer in frame.buffers() {
            let pixels = buffer.read(CpuUse::Inspect).map_err(StageError::failed)?;
            sum += pixels.iter().copied().map(u64::from).sum::<u64>();
            count += pixels.len() as u64;
        }
        let number = frame.meta().sequence;
        println!("frame {number}: {} of 255", sum / count.max(1));
        Ok(Some(frame))
    }
}

fn main() -> Result<()> {
    let source = TestSrc::new(TestSrcConfig::default());
    let mut pipeline = Pipeline::link(("pattern", source), ("nowhere", NullSink::default()))
        .filter("brightness", Brightness, QueuePolicy::FIFO)
        .prepare(&dmaflow_heaps::registry())?;
    let report = pipeline.run(Limits {
        frames: Some(5),
        ..Limits::default()
    })?;
    println!("the CPU looked at {} bytes", report.cpu.inspected);
    Ok(())
}
