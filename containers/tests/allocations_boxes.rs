//! What is not allocated for MP4 and Matroska: a test of its own, since it counts for the whole
//! process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;
use std::io::Cursor;
use std::time::Duration;

use dmaflow_containers::matroska::{self, MatroskaMuxer};
use dmaflow_containers::mp4::{self, Mp4Muxer, Mp4Options};
use dmaflow_containers::{Demuxer, Input, Muxer, Output, Packet, ReadOptions};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations while something is done.
fn allocated(deed: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    deed();
    let change = region.change();
    change.allocations + change.reallocations
}

/// Writes so many packets, the twelve of a file again and again.
fn write(muxer: &mut dyn Muxer, packets: &[(Packet, Vec<u8>)], numbers: std::ops::Range<usize>) {
    for number in numbers {
        let (packet, data) = &packets[number % packets.len()];
        let decoded = i64::try_from(number).unwrap() * 512;
        let packet = Packet {
            presented: decoded + packet.presented - packet.decoded,
            decoded,
            ..*packet
        };
        muxer.write(&packet, &[data]).unwrap();
    }
}

#[test]
fn packets_cost_no_allocation_once_warm() {
    // One test: another at the same time would be counted, too.
    let options = ReadOptions::default();
    let input = Input::file(Cursor::new(include_bytes!("streams/plain.mp4"))).unwrap();
    let mut demuxer = mp4::read(input, &options).unwrap();
    let track = demuxer.track().clone();
    let mut packets = Vec::new();
    while let Some(packet) = demuxer.next_packet().unwrap() {
        let mut data = vec![0; packet.len];
        demuxer.read(&mut data).unwrap();
        packets.push((packet, data));
    }
    let sink = || Output::pipe(std::io::sink());
    let fragment = Duration::from_millis(200);
    let mut muxers: [Box<dyn Muxer>; 2] = [
        Box::new(Mp4Muxer::new(&track, sink(), Mp4Options { fragment }).unwrap()),
        Box::new(MatroskaMuxer::new(&track, sink()).unwrap()),
    ];
    for muxer in &mut muxers {
        write(&mut **muxer, &packets, 0..120);
        let times = allocated(|| write(&mut **muxer, &packets, 120..1320));
        // A cluster's head every second, and now and then the index grows.
        assert!(times <= 100, "{}: {times} for 1200 packets", muxer.format());
    }

    for format in ["mp4", "mkv"] {
        let path = std::env::temp_dir().join(format!("dmaflow-{}.{format}", std::process::id()));
        let output = Output::file(std::fs::File::create(&path).unwrap());
        let mut muxer: Box<dyn Muxer> = match format {
            "mp4" => Box::new(Mp4Muxer::new(&track, output, Mp4Options { fragment }).unwrap()),
            _ => Box::new(MatroskaMuxer::new(&track, output).unwrap()),
        };
        write(&mut *muxer, &packets, 0..1320);
        muxer.finish().unwrap();
        let input = Input::file(std::fs::File::open(&path).unwrap()).unwrap();
        let mut demuxer: Box<dyn Demuxer> = match format {
            "mp4" => mp4::read(input, &options).unwrap(),
            _ => matroska::read(input, &options).unwrap(),
        };
        let mut into = vec![0; 4096];
        for _packet in 0..120 {
            demuxer.next_packet().unwrap().unwrap();
            demuxer.read(&mut into).unwrap();
        }
        let mut count = 120;
        let times = allocated(|| {
            while demuxer.next_packet().unwrap().is_some() {
                demuxer.read(&mut into).unwrap();
                count += 1;
            }
        });
        assert_eq!((times, count), (0, 1320), "{format}");
        std::fs::remove_file(&path).unwrap();
    }
}
