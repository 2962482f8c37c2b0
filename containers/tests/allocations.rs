//! What is not allocated: a test of its own, since it counts for the whole process.

use std::alloc::System;
use std::io::Cursor;

use dmaflow_containers::before::{Before, KeepBefore};
use dmaflow_containers::ivf::IvfMuxer;
use dmaflow_containers::{Codec, Format, Input, Muxer, Output, Packet, ReadOptions, Track, read};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations, and bytes of them, while something is done.
fn allocated(deed: impl FnOnce()) -> (usize, usize) {
    let region = Region::new(ALLOCATOR);
    deed();
    let change = region.change();
    let times = change.allocations + change.reallocations;
    (times, change.bytes_allocated)
}

const STREAMS: &[(Format, &[u8])] = &[
    (Format::H264, include_bytes!("streams/slices.h264")),
    (Format::Hevc, include_bytes!("streams/b-frames.h265")),
    (Format::Mpeg2, include_bytes!("streams/b-frames.m2v")),
    (Format::Mjpeg, include_bytes!("streams/a.mjpeg")),
    (Format::Obu, include_bytes!("streams/low-overhead.obu")),
    (
        Format::ObuAnnexB,
        include_bytes!("streams/length-delimited.obu"),
    ),
];

#[test]
fn packets_cost_no_allocation_once_warm_and_claims_cost_none_at_all() {
    // One test: another at the same time would be counted, too.
    for (format, stream) in STREAMS {
        let input = Input::pipe(Cursor::new(stream.repeat(20)));
        let mut demuxer = read(*format, input, &ReadOptions::default()).unwrap();
        let mut into = vec![0; 1 << 16];
        for _packet in 0..10 {
            demuxer.next_packet().unwrap().unwrap();
            demuxer.read(&mut into).unwrap();
        }
        let mut packets = 0;
        let (times, _) = allocated(|| {
            while demuxer.next_packet().unwrap().is_some() {
                demuxer.read(&mut into).unwrap();
                packets += 1;
            }
        });
        assert!(packets >= 50, "{format}");
        // The index of keys grows now and then.
        assert!(times <= 2, "{format}: {times}");
    }

    let mut track = Track::new(Codec::Vp8, 25);
    track.size = Some((64, 64));
    let packet = Packet {
        len: 0,
        presented: 0,
        decoded: 0,
        duration: 1,
        key: true,
        offset: 0,
    };
    let mut muxer = IvfMuxer::new(&track, Output::pipe(std::io::sink())).unwrap();
    let data = [7; 1000];
    let (times, _) = allocated(|| {
        for _packet in 0..100 {
            muxer.write(&packet, &[&data, &data]).unwrap();
        }
    });
    assert_eq!(times, 0, "writing");

    let mut before = Before::new(KeepBefore {
        bytes: 10_000,
        duration: 1 << 40,
    });
    for _packet in 0..20 {
        before.push(&packet, &[&data]);
    }
    let (times, _) = allocated(|| {
        for _packet in 0..100 {
            before.push(&packet, &[&data]);
        }
    });
    assert_eq!((times, before.len()), (0, 10), "keeping");

    // A frame that claims to have 60 MB, from a pipe that has none.
    let mut claims = include_bytes!("streams/vp8.ivf")[..32].to_vec();
    claims.extend(60_000_000_u32.to_le_bytes());
    claims.extend([0; 8]);
    let mut annex_b = vec![0xff, 0xff, 0xff, 0x0f];
    annex_b.extend([0; 100]);
    let obu = vec![0x12, 0x00, 0x0a, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3];
    for (format, data) in [
        (Format::Ivf, claims),
        (Format::ObuAnnexB, annex_b),
        (Format::Obu, obu),
    ] {
        let (_, bytes) = allocated(|| {
            let input = Input::pipe(Cursor::new(data));
            let mut demuxer = read(format, input, &ReadOptions::default()).unwrap();
            let _none = demuxer.next_packet().is_ok();
        });
        assert!(bytes < 2 << 20, "{format}: {bytes}");
    }
}
