//! H.264 there and back.

use std::sync::Arc;

use dmaflow_codecs::{CpuCodec, CpuCodecKind};
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::{Colour, Encoding, Format, Range};
use dmaflow_core::frame::{Frame, FrameMeta};
use dmaflow_core::layout::{Layout, PlaneLayout};
use dmaflow_core::stage::{ControlValue, Controls, Transform};
use openh264::decoder::Decoder;
use openh264::formats::YUVSource;

use super::picture::{JFIF, decibels, draw, shared};
use super::stage::Running;

const SIZE: (u32, u32) = (96, 64);

fn pictures(format: &str, padding: u32) -> Layout {
    let format: Format = format.parse().unwrap();
    let stride = SIZE.0 + padding;
    let layout = Layout::with_stride(format, SIZE.0, SIZE.1, stride).unwrap();
    layout.with_colour(JFIF)
}

fn encoder(layout: &Layout) -> Running {
    let h264 = "H264".parse().unwrap();
    Running::new(CpuCodecKind::H264Encoder, layout, h264)
}

/// What becomes of a picture: its bytes, and whether it is a key frame.
fn encoded(encoder: &mut Running, paint: impl Fn(&Layout, &mut [u8])) -> (Vec<u8>, bool) {
    let layout = encoder.input.layout().clone();
    let mut picture = vec![0; layout.buffer_lens()[0] as usize];
    paint(&layout, &mut picture);
    let made = encoder.give(&picture).unwrap();
    let known = made.meta();
    let bytes = made.buffers()[0].read(CpuUse::Inspect).unwrap();
    let used = known.bytes_used.unwrap() as usize;
    (bytes[..used].to_vec(), known.flags.key)
}

/// Noise, that is new at each number.
fn noise(number: u32) -> impl Fn(&Layout, &mut [u8]) {
    move |_layout, bytes| {
        let mut state = number;
        for byte in bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_be_bytes()[0] / 4 + 96;
        }
    }
}

/// The types of its units (ITU-T H.264, 7.3.1), which begin with four bytes of start code.
fn units(stream: &[u8]) -> Vec<u8> {
    let starts = stream
        .windows(5)
        .filter(|window| window[..4] == [0, 0, 0, 1]);
    starts.map(|window| window[4] & 31).collect()
}

#[test]
fn pictures_come_through_from_every_format_and_stride() {
    for (format, padding) in [
        ("NV12", 0),
        ("NV12", 32),
        ("NV21", 0),
        ("YU12", 64),
        ("YV12", 0),
    ] {
        let layout = pictures(format, padding);
        let mut encoder = encoder(&layout);
        encoder
            .codec
            .set_control("video_bitrate", &ControlValue::Integer(8_000_000))
            .unwrap();
        let mut decoder = Decoder::new().unwrap();
        for number in 0..5 {
            let (stream, key) = encoded(&mut encoder, draw);
            assert_eq!(key, number == 0);
            assert_eq!(units(&stream), if key { vec![7, 8, 5] } else { vec![1] });
            let picture = decoder.decode(&stream).unwrap().unwrap();
            assert_eq!(picture.dimensions(), (96, 64));
            let mut squares = [0.0; 3];
            for (x, y) in (0..64).flat_map(|y| (0..96).map(move |x| (x, y))) {
                let (own, cb, cr) = picture.strides();
                let found = [
                    picture.y()[y * own + x],
                    picture.u()[y / 2 * cb + x / 2],
                    picture.v()[y / 2 * cr + x / 2],
                ];
                let expected = shared((x, y), (96, 64));
                for (sum, (found, expected)) in squares.iter_mut().zip(found.iter().zip(expected)) {
                    *sum += (f64::from(*found) - expected).powi(2);
                }
            }
            let found = squares.map(|squares| decibels(squares, 96 * 64));
            println!(
                "{format}, picture {number}: {found:.1?} dB, {} bytes",
                stream.len()
            );
            assert!(
                found.iter().all(|found| *found > 36.0),
                "{format}: {found:?}"
            );
        }
        assert_eq!(encoder.damaged(), 0);
    }
}

#[test]
fn controls_are_heeded_while_it_runs() {
    let layout = pictures("YU12", 0);
    let mut encoder = encoder(&layout);
    let controls: Arc<dyn Controls> = encoder.codec.controls().unwrap();
    let number = ControlValue::Integer;
    controls.set("video_gop_size", &number(0)).unwrap();
    let mut bytes_at = |bitrate| {
        controls.set("video_bitrate", &number(bitrate)).unwrap();
        let sizes = (0..60).map(|number| encoded(&mut encoder, noise(number)).0.len());
        let sizes: Vec<usize> = sizes.collect();
        // Once it has found its way.
        sizes[20..].iter().sum::<usize>() / 40
    };
    let [few, many, few_again] = [150_000, 1_000_000, 150_000].map(&mut bytes_at);
    println!("{few}, {many}, {few_again} bytes a picture");
    assert!(
        many > 2 * few && many > 2 * few_again,
        "{few}, {many}, {few_again}"
    );

    let mut keys = |count: u32| -> Vec<u32> {
        let all = (0..count).filter(|number| encoded(&mut encoder, noise(*number)).1);
        all.collect()
    };
    assert_eq!(keys(10), [], "nothing asks for one");
    controls
        .set("force_key_frame", &ControlValue::Boolean(true))
        .unwrap();
    assert_eq!(keys(10), [0]);
    controls.set("video_gop_size", &number(4)).unwrap();
    let apart = keys(20);
    assert!(
        apart.windows(2).all(|pair| pair[1] - pair[0] == 4) && apart.len() >= 4,
        "{apart:?}"
    );
}

#[test]
fn a_stream_begins_with_a_key_frame_at_each_start() {
    let mut encoder = encoder(&pictures("NV12", 0));
    for _start in 0..3 {
        encoder.codec.start().unwrap();
        let keys = [0, 1, 2].map(|_picture| encoded(&mut encoder, draw).1);
        assert_eq!(keys, [true, false, false]);
        encoder.codec.stop().unwrap();
    }
}

#[test]
fn a_buffer_a_plane_is_read_and_colours_are_passed_on() {
    let nv12 = Format::NV12;
    let of = |encoding, range| Colour {
        encoding: Some(encoding),
        range: Some(range),
    };
    let colour = of(Encoding::Bt709, Range::Limited);
    let layout = Layout::with_buffers(nv12, 96, 64, &[96, 128])
        .unwrap()
        .with_colour(colour);
    let mut codec = CpuCodec::new(CpuCodecKind::H264Encoder);
    let plan = codec.configure(&layout, "H264".parse().unwrap()).unwrap();
    assert_eq!(plan.layout.colour(), colour);
    assert_eq!(codec.copies().unwrap(), "the CPU makes H264 of NV12");
    let mut encoder = Running::of(codec, &layout, "H264".parse().unwrap());
    let frame: Frame = encoder.input.acquire().unwrap();
    for (buffer, grey) in frame.buffers().iter().zip([90, 128]) {
        buffer.write(CpuUse::Draw).unwrap().fill(grey);
    }
    let mut made = None;
    encoder
        .codec
        .transform(frame, &mut |frame| made = Some(frame))
        .unwrap();
    let made = made.unwrap();
    let bytes = made.buffers()[0].read(CpuUse::Inspect).unwrap();
    let used = made.meta().bytes_used.unwrap() as usize;
    let mut decoder = Decoder::new().unwrap();
    let picture = decoder.decode(&bytes[..used]).unwrap().unwrap();
    let luma = picture.y().iter().take(96);
    assert!(luma.into_iter().all(|&luma| luma.abs_diff(90) < 3));
}

#[test]
fn what_cannot_be_encoded_says_why() {
    let mut codec = CpuCodec::new(CpuCodecKind::H264Encoder);
    let h264: Format = "H264".parse().unwrap();
    let mut why = |layout: &Layout| codec.configure(layout, h264).unwrap_err().to_string();
    let odd = Layout::packed("YU12".parse().unwrap(), 98, 63).unwrap();
    assert!(
        why(&odd).contains("both sides have to be even"),
        "{}",
        why(&odd)
    );
    let large = Layout::packed("YU12".parse().unwrap(), 4096, 64).unwrap();
    assert!(why(&large).contains("3840×2160"));
    let packed = Layout::packed(Format::YUYV, 96, 64).unwrap();
    assert_eq!(why(&packed), "the CPU H.264 encoder makes no H264 of YUYV");
    let mut decoder = CpuCodec::new(CpuCodecKind::MjpegDecoder);
    let none = decoder.set_control("video_bitrate", &ControlValue::Integer(1));
    assert_eq!(
        none.unwrap_err().to_string(),
        "the CPU MJPEG decoder has no controls"
    );
    decoder = CpuCodec::new(CpuCodecKind::H264Encoder);
    decoder
        .set_control("video_gop_size", &ControlValue::Integer(30))
        .unwrap();
    // The last row's padding need not be there.
    let plane = |offset, stride| PlaneLayout {
        buffer: 0,
        offset,
        stride,
    };
    let planes = [plane(0, 128), plane(128 * 64, 128)];
    let cut = Layout::with_planes(
        Format::NV12,
        odd.modifier(),
        (96, 64),
        &planes,
        &[128 * 96 - 32],
    );
    let mut encoder = encoder(&cut.unwrap());
    let frame = encoder.frame(&[]);
    let known: FrameMeta = frame.meta();
    assert_eq!(known.sequence, 1);
    encoder.codec.transform(frame, &mut drop).unwrap();
    assert_eq!(encoder.damaged(), 0);
}
