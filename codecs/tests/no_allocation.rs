//! While frames flow, codecs on the CPU allocate nothing. A file of its own, since every
//! allocation of the process counts.

#![cfg(feature = "cpu-mjpeg")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cpu_codec/stage.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod stage;

use std::alloc::System;

use dmaflow_codecs::CpuCodecKind;
use dmaflow_core::format::Format;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::Transform;
use stage::Running;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_picture_costs_no_allocation() {
    let whole: &[u8] = include_bytes!("jpeg/422.jpg");
    let cut = &whole[..whole.len() / 2];
    let layout = Layout::compressed("MJPG".parse().unwrap(), (64, 48), 1 << 13).unwrap();
    let mut decoder = Running::new(CpuCodecKind::MjpegDecoder, &layout, Format::NV12);
    // One of each for the first time.
    for bytes in [whole, cut] {
        decoder.give(bytes);
    }
    let mut sent = 0;
    let region = Region::new(ALLOCATOR);
    for bytes in [whole, cut, whole].repeat(100) {
        let frame = decoder.frame(bytes);
        decoder.codec.transform(frame, &mut |_| sent += 1).unwrap();
    }
    // The list of what is given, and nothing else.
    assert_eq!(region.change().allocations, 1);
    assert_eq!((sent, decoder.damaged()), (200, 101));
    #[cfg(feature = "cpu-h264")]
    encoding();
}

/// What the library takes from the C library is not counted.
#[cfg(feature = "cpu-h264")]
fn encoding() {
    let layout = Layout::packed(Format::NV12, 64, 48).unwrap();
    let h264 = "H264".parse().unwrap();
    let mut encoder = Running::new(CpuCodecKind::H264Encoder, &layout, h264);
    encoder.give(&[90; 64 * 48]);
    let controls = encoder.codec.controls().unwrap();
    let mut sent = 0;
    let region = Region::new(ALLOCATOR);
    for number in 0..200 {
        let frame = encoder.frame(&[number; 64 * 48]);
        let pressed = dmaflow_core::stage::ControlValue::Boolean(true);
        controls.set("force_key_frame", &pressed).unwrap();
        encoder.codec.transform(frame, &mut |_| sent += 1).unwrap();
    }
    assert_eq!((region.change().allocations, sent), (0, 200));
}
