//! A camera on a display, zero-copy, in one small program.
//!
//! `cargo run --release -p dmaflow-examples --example camera_to_display -- 10` shows ten
//! seconds of the first camera on the first connected display.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that talks to its user"
)]

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context, Result};
use dmaflow_core::time::Rate;
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig};
use dmaflow_pipelines::{Limits, Pipeline, QueuePolicy};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};

fn main() -> Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(10), |word| word.parse());
    let duration = seconds
        .map(Duration::from_secs)
        .context("how many seconds?")?;

    let camera = V4l2Src::open(V4l2SrcConfig {
        size: Some((1280, 720)),
        rate: Rate::new(30, 1),
        ..V4l2SrcConfig::default()
    })?;
    let screen = KmsSink::open(KmsSinkConfig::default())?;

    // Asks the devices: the first heap and format that both of them take.
    let mut pipeline = Pipeline::link(("camera", camera), ("screen", screen))
        .queue(QueuePolicy::Latest)
        .prepare(&dmaflow_heaps::registry())?;
    let agreement = pipeline.agreement();
    println!(
        "{} from heap `{}`",
        agreement.pool().plan.layout,
        agreement.pool().heap
    );

    let limits = Limits {
        duration: Some(duration),
        ..Limits::default()
    };
    let report = pipeline.run_watched(limits, |progress| {
        eprintln!(
            "{:>3} s  {:.1} frames a second",
            progress.elapsed.as_secs(),
            progress.frames_per_second
        );
        ControlFlow::Continue(())
    })?;

    println!(
        "{} captured, {} shown, {} dropped, {} bytes copied",
        report.captured,
        report.shown,
        report.dropped.total(),
        report.cpu.copied
    );
    for (step, took) in &report.latencies {
        println!(
            "{:<20} p50 {:?}  p99 {:?}",
            step.label(),
            took.p50,
            took.p99
        );
    }
    Ok(())
}
