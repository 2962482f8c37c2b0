//! H.264 there and back.

use std::sync::Arc;

use dmaflow_codecs::{CpuCodec, CpuCodecKind};
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::{Colour, Encoding, Format, Range};
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::layout::{Layout, PlaneLayout};
use dmaflow_core::stage::{ControlValue, Controls, Transform};
use openh264::decoder::Decoder;
use openh264::formats::YUVSource;

use super::picture::{JFIF, decibels, draw, numbers, shared};
use super::stage::{Running, memfd};

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

/// Twenty pictures of x264's, two B pictures between each two others; each is lighter by 8.
const B_PICTURES: &[u8] = include_bytes!("../h264/b-pictures.h264");

/// The stream's access units, each of which begins with a delimiter.
fn access_units(stream: &[u8]) -> Vec<&[u8]> {
    let delimiter = |at: &usize| stream[*at..].starts_with(&[0, 0, 0, 1, 9]);
    let starts: Vec<usize> = (0..stream.len()).filter(delimiter).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| &stream[*start..end])
        .collect()
}

fn stream() -> Layout {
    Layout::compressed("H264".parse().unwrap(), SIZE, 1 << 16).unwrap()
}

/// A decoder with so many frames to fill, and its frames that go in.
fn decoder(output: &str, frames: usize) -> (CpuCodec, FramePool, FramePool) {
    let mut decoder = CpuCodec::new(CpuCodecKind::H264Decoder);
    let plan = decoder
        .configure(&stream(), output.parse().unwrap())
        .unwrap();
    let input = FramePool::allocate(&memfd(), &stream(), 1).unwrap();
    let output = FramePool::allocate(&memfd(), &plan.layout, frames).unwrap();
    decoder.attach_input(&input).unwrap();
    decoder.attach_output(&output).unwrap();
    (decoder, input, output)
}

fn filled(input: &FramePool, sequence: u64, bytes: &[u8]) -> Frame {
    let mut frame = input.acquire().unwrap();
    let mut into = frame.buffers()[0].write(CpuUse::Draw).unwrap();
    into[..bytes.len()].copy_from_slice(bytes);
    drop(into);
    frame.set_meta(FrameMeta {
        sequence,
        bytes_used: Some(u32::try_from(bytes.len()).unwrap()),
        ..FrameMeta::default()
    });
    frame
}

/// What comes out: number, and luma, Cb and Cr of a pixel.
fn decoded(codec: &mut CpuCodec, input: &FramePool, units: &[&[u8]]) -> Vec<(u64, [u8; 3])> {
    codec.start().unwrap();
    let mut outlet = codec.outlet().unwrap();
    std::thread::scope(|scope| {
        let taker = scope.spawn(move || {
            let mut seen = Vec::new();
            while let Some(frame) = outlet.next_frame().unwrap() {
                let bytes = frame.buffers()[0].read(CpuUse::Inspect).unwrap();
                let numbers = numbers(frame.layout(), &bytes, (50, 21));
                seen.push((frame.meta().sequence, numbers));
            }
            seen
        });
        for (sequence, unit) in (0..).zip(units) {
            let frame = filled(input, sequence, unit);
            codec.transform(frame, &mut drop).unwrap();
        }
        codec.finish().unwrap();
        taker.join().unwrap()
    })
}

#[test]
fn pictures_come_in_the_order_in_which_they_are_shown() {
    let units = access_units(B_PICTURES);
    assert_eq!(units.len(), 20);
    for output in ["YU12", "NV12"] {
        // One frame to fill will do.
        for frames in [4, 1] {
            let (mut codec, input, output) = decoder(output, frames);
            for _start in 0..2 {
                let seen = decoded(&mut codec, &input, &units);
                let pictures: Vec<u8> = seen.iter().map(|(_number, [luma, ..])| *luma).collect();
                let lighter = (0..20).map(|number| 40 + 8 * number);
                let near = |(found, expected): (&u8, u8)| found.abs_diff(expected) <= 2;
                assert!(
                    pictures.len() == 20 && pictures.iter().zip(lighter).all(near),
                    "{pictures:?}"
                );
                assert!(
                    seen.iter()
                        .all(|(_, [_, cb, cr])| cb.abs_diff(100) < 3 && cr.abs_diff(150) < 3)
                );
                // Each is known by the frame that it came in.
                let numbers: Vec<u64> = seen.iter().map(|(number, _)| *number).collect();
                let mut sorted = numbers.clone();
                sorted.sort_unstable();
                assert!(sorted.iter().copied().eq(0..20), "{numbers:?}");
                assert_eq!(numbers[..4], [0, 2, 3, 1]);
                codec.stop().unwrap();
                assert_eq!((input.free(), output.free()), (1, frames));
            }
        }
    }
}

#[test]
fn damaged_streams_end_all_the_same() {
    let units = access_units(B_PICTURES);
    let (mut codec, input, output) = decoder("NV12", 3);
    let (mut damaged, mut pictures) = (0, 0);
    for seed in 0..1000_u64 {
        let mut state = seed;
        let mut below = |most: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % most
        };
        let mut wrong: Vec<Vec<u8>> = units.iter().map(|unit| unit.to_vec()).collect();
        for _flip in 0..1 + below(8) {
            let unit = below(wrong.len());
            let at = below(wrong[unit].len());
            wrong[unit][at] ^= 1 << below(8);
        }
        let cut = below(wrong.len());
        let len = below(wrong[cut].len());
        wrong[cut].truncate(len);
        codec.start().unwrap();
        let mut outlet = codec.outlet().unwrap();
        std::thread::scope(|scope| {
            let taker = scope.spawn(move || {
                let mut count = 0;
                while outlet.next_frame().unwrap().is_some() {
                    count += 1;
                }
                count
            });
            // A size that was not agreed on ends it.
            let mut fed = wrong.iter().zip(0..).try_for_each(|(unit, sequence)| {
                codec.transform(filled(&input, sequence, unit), &mut drop)
            });
            fed = fed.and_then(|()| codec.finish());
            if fed.is_err() {
                codec.stop().unwrap();
            }
            pictures += taker.join().unwrap();
        });
        damaged += codec.counters()[0].count;
        codec.stop().unwrap();
        assert_eq!((input.free(), output.free()), (1, 3), "seed {seed}");
    }
    println!("{damaged} damaged, {pictures} pictures");
    assert!(damaged > 500 && pictures > 1000, "{damaged}, {pictures}");
    let whole = decoded(&mut codec, &input, &units);
    assert_eq!(whole.len(), 20);
}
