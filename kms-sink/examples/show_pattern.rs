//! Shows a moving pattern for a few seconds, and checks what the display made of it.
//!
//! ```text
//! show_pattern [CARD] [FORMAT] [WIDTHxHEIGHT] [SECONDS] [VERIFY-EVERY]
//! show_pattern vkms XRGB8888 1280x720 5 10
//! ```
#![expect(clippy::print_stdout, reason = "a program for people to read")]

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::Sink;
use dmaflow_core::time::Histogram;
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let card = args.next();
    let format: Format = args
        .next()
        .map_or(Ok(Format::XRGB8888), |name| name.parse())?;
    let size = args.next().unwrap_or_else(|| "1280x720".to_owned());
    let (width, height) = size.split_once('x').context("a size is WIDTHxHEIGHT")?;
    let seconds = args.next().map_or(Ok(5), |number| number.parse())?;
    let verify: Option<NonZeroU32> = args.next().map(|number| number.parse()).transpose()?;

    let heaps = dmaflow_heaps::registry();
    let layout = Layout::packed(format, width.parse()?, height.parse()?)?;
    let pool = FramePool::allocate(&heaps.open("system")?, &layout, 4)?;
    let mut sink = KmsSink::open(KmsSinkConfig {
        card,
        verify,
        ..KmsSinkConfig::default()
    })?;
    println!("{} shows {layout}", sink.device());
    for choice in sink.attach(&pool)? {
        println!("{}: {}", choice.what, choice.chosen);
    }

    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut drawn, waits) = (0, Histogram::default());
    let (mut committed, mut flipped) = (Vec::new(), Vec::new());
    while Instant::now() < end {
        sink.ready()?;
        sink.flips(&mut flipped)?;
        for (committed, flipped) in committed.drain(..).zip(flipped.drain(..)) {
            let waited = flipped.since(committed);
            waits.record(waited.context("a frame was shown before its commit")?);
        }
        let mut frame = pool.acquire().context("no frame is free")?;
        frame.set_meta(FrameMeta {
            sequence: drawn,
            ..FrameMeta::default()
        });
        draw(&frame, drawn)?;
        drawn += 1;
        committed.push(sink.show(frame)?);
    }
    sink.stop()?;
    println!(
        "{drawn} frames drawn; from commit to flip {:?}",
        waits.quantiles()
    );
    println!("{} of {} frames are free", pool.free(), pool.len());
    for counter in sink.counters() {
        println!("{}: {}", counter.name, counter.count);
    }
    Ok(())
}

/// Fills each row with a ramp that moves from frame to frame.
fn draw(frame: &Frame, number: u64) -> Result<()> {
    let stride = frame.layout().planes()[0].stride as usize;
    let ramp: Vec<u8> = (0..=255_u8).cycle().take(stride + 255).collect();
    let mut bytes = frame.buffers()[0].write(CpuUse::Draw)?;
    for (row, y) in bytes.chunks_mut(stride).zip(number * 3..) {
        let start = usize::try_from(y % 255)?;
        row.copy_from_slice(&ramp[start..start + row.len()]);
    }
    Ok(())
}
