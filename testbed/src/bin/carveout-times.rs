//! Prints how long allocate + close takes, medians: the system heap's ioctl beside a carve-out.
//!
//! `cargo xtask vm -- carveout-times [COUNT]`, from a release build. Times on the emulated
//! board compare within one run only.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::heap::{Heap, HeapBuffer};
use dmaflow_heaps::{CarveOut, CarveOutConfig, Clearing, KernelHeap, Pages};

const LENS: [usize; 4] = [4 << 10, 1 << 20, 8 << 20, 32 << 20];

/// What is done with a buffer before it is closed.
type Meanwhile = fn(&HeapBuffer);

/// No measurement goes on for longer: the kernel clears 32 MiB for a while.
const PATIENCE: Duration = Duration::from_secs(10);

/// The median of so many allocations, each closed, and how many there were.
fn median(heap: &Heap, len: usize, count: usize, meanwhile: Meanwhile) -> Result<(u128, usize)> {
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.len() < count && begin.elapsed() < PATIENCE {
        let start = Instant::now();
        let buffer = heap.allocate(len)?;
        meanwhile(&buffer);
        drop(buffer);
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok((median.as_nanos(), times.len()))
}

fn row(name: &str, heap: &Heap, count: usize, meanwhile: Meanwhile) -> Result<()> {
    let mut medians = Vec::new();
    let mut text = format!("{name:<44}");
    for len in LENS {
        let (nanos, done) = median(heap, len, count, meanwhile)?;
        medians.push(nanos);
        text += &format!(
            " {:>9}.{} µs{}",
            nanos / 1000,
            nanos % 1000 / 100,
            if done < count {
                format!(" ({done} times)")
            } else {
                String::new()
            }
        );
    }
    let ratio = medians[3] * 100 / medians[0].max(1);
    println!(
        "{text}   32 MiB / 4 KiB: {}.{:02}",
        ratio / 100,
        ratio % 100
    );
    Ok(())
}

/// As an importer does, who lets go before the owner.
fn lend(buffer: &HeapBuffer) {
    drop(buffer.as_fd().try_clone_to_owned());
}

fn touch(buffer: &HeapBuffer) {
    if let Ok(mut bytes) = buffer.write(CpuUse::Draw) {
        bytes[0] = 1;
    }
}

fn carve_out(pages: Pages, clearing: Clearing) -> Result<Heap> {
    let config = CarveOutConfig {
        size: 64 << 20,
        pages,
        clearing,
    };
    let start = Instant::now();
    let carve_out = CarveOut::new(config)?;
    println!(
        "64 MiB of {pages:?} pages set aside in {:?}",
        start.elapsed()
    );
    Ok(Heap::new(carve_out.info("carve-out"), carve_out))
}

fn main() -> Result<()> {
    let count = std::env::args().nth(1).map_or(Ok(5000), |n| n.parse())?;
    let idle = |_: &HeapBuffer| {};
    println!("{count} × allocate + close at {LENS:?} bytes");
    let node = Path::new("/dev/dma_heap/system");
    let info = dmaflow_core::heap::HeapInfo::new("system");
    let system = Heap::new(info, KernelHeap::open(node)?);
    row("system heap's ioctl", &system, count, idle)?;
    std::fs::write("/proc/sys/vm/nr_hugepages", "32").context("vm.nr_hugepages")?;
    for pages in [Pages::Normal, Pages::Huge] {
        let heap = carve_out(pages, Clearing::Always)?;
        row("  as it comes", &heap, count, idle)?;
        row("  written, cleared before each use", &heap, count, touch)?;
        drop(heap);
        let heap = carve_out(pages, Clearing::BetweenClients)?;
        row("  lent to an importer, the same client", &heap, count, lend)?;
        row("  written, the same client", &heap, count, touch)?;
        // Others take its place meanwhile, so that each needs a dma-buf of its own.
        for len in LENS {
            let mut times = Vec::new();
            for _time in 0..count.min(300) {
                let start = Instant::now();
                drop(heap.allocate(len)?);
                times.push(start.elapsed());
                drop(heap.allocate(len + (2 << 20))?);
            }
            times.sort_unstable();
            let median = times.get(times.len() / 2).copied().unwrap_or_default();
            println!("  a new dma-buf each time, {len:>8} bytes: {median:?}");
        }
    }
    Ok(())
}
