//! Pictures of frames, read again: PNG by the library `png`, JPEG by our own decoder, which is so
//! given what no camera sends.

#![cfg(all(feature = "snapshot", feature = "cpu-mjpeg"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cpu_codec/picture.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod picture;
#[path = "cpu_codec/stage.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod stage;

use std::io::Cursor;
use std::path::Path;

use dmaflow_codecs::CpuCodecKind;
use dmaflow_codecs::snapshot::{self, SnapshotError, SnapshotFormat};
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::{Colour, Encoding, Family, Format, Range};
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use picture::{JFIF, decibels, draw, psnr, rgb, shared};
use stage::{Running, memfd};

const SIZE: (u32, u32) = (54, 37);

/// A frame with the picture.
fn frame(format: Format, colour: Colour, padding: u32) -> Frame {
    let row = format.planes()[0].row_bytes(SIZE.0).unwrap();
    let layout = Layout::with_stride(format, SIZE.0, SIZE.1, row.next_multiple_of(4) + padding);
    let layout = layout.unwrap().with_colour(colour);
    let pool = FramePool::allocate(&memfd(), &layout, 1).unwrap();
    let frame = pool.acquire().unwrap();
    let mut bytes = frame.buffers()[0].write(CpuUse::Draw).unwrap();
    draw(&layout, &mut bytes);
    drop(bytes);
    frame
}

fn written(frame: &Frame, format: SnapshotFormat) -> Vec<u8> {
    let mut file = Vec::new();
    snapshot::write(frame, format, &mut file).unwrap();
    file
}

/// How near a PNG is to the formula, its numbers understood so.
fn png_psnr(file: &[u8], format: Format, colour: Colour) -> f64 {
    let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), SIZE);
    let size = (SIZE.0 as usize, SIZE.1 as usize);
    let mut squares = 0.0;
    for (n, found) in pixels.chunks_exact(3).enumerate() {
        let mut numbers = shared((n % size.0, n / size.0), size);
        if format.name() == "GREY" {
            numbers = [numbers[0], 128.0, 128.0];
        }
        let expected = rgb(numbers, colour);
        for (found, expected) in found.iter().zip(expected) {
            squares += (f64::from(*found) - expected).powi(2);
        }
    }
    decibels(squares, 3 * size.0 * size.1)
}

fn colours(format: Format) -> Vec<Colour> {
    if format.family() == Family::Rgb {
        return vec![JFIF];
    }
    let encodings = [Encoding::Bt601, Encoding::Bt709, Encoding::Bt2020].map(Some);
    let known = encodings.into_iter().flat_map(|encoding| {
        [Range::Limited, Range::Full].map(|range| Colour {
            encoding,
            range: Some(range),
        })
    });
    known.chain([Colour::default()]).collect()
}

fn decoded(file: &[u8], output: Format) -> (Layout, Option<Vec<u8>>) {
    let layout = Layout::compressed("JPEG".parse().unwrap(), SIZE, 1 << 16).unwrap();
    let mut decoder = Running::new(CpuCodecKind::MjpegDecoder, &layout, output);
    let picture = decoder.picture(file);
    (decoder.output.layout().clone(), picture)
}

#[test]
fn every_format_is_written_with_its_colours() {
    let mut written_of = 0;
    // Five and six bits have a picture of their own to be compared with; core tests them.
    for format in snapshot::formats().filter(|format| format.name() != "RGB565") {
        for colour in colours(format) {
            for padding in [0, 64] {
                let frame = frame(format, colour, padding);
                let file = written(&frame, SnapshotFormat::Png);
                // Of noise there is no more than rounding, twice.
                let found = png_psnr(&file, format, colour);
                assert!(found > 50.0, "{format} ({colour}) as PNG: {found} dB");
                written_of += 1;
            }
        }
    }
    assert!(written_of > 15 * 7 * 2, "{written_of}");
}

#[test]
fn a_jpeg_has_the_numbers_of_the_frame() {
    for format in CpuCodecKind::MjpegDecoder.outputs() {
        let frame = frame(format, JFIF, 0);
        let mut last = 0;
        for quality in [100, 50] {
            let file = written(&frame, SnapshotFormat::Jpeg { quality });
            let (layout, picture) = decoded(&file, format);
            let found = psnr(&layout, &picture.unwrap(), false);
            let least = if quality == 100 { 44.0 } else { 28.0 };
            assert!(
                found.iter().all(|found| *found > least),
                "{format}: {found:?}"
            );
            assert!(last == 0 || file.len() < last, "{format}: quality tells");
            last = file.len();
        }
    }
    // Other numbers are brought to those of JPEG files, with a little loss.
    for colour in colours(Format::NV12) {
        let frame = frame(Format::NV12, colour, 0);
        let file = written(&frame, SnapshotFormat::Jpeg { quality: 100 });
        let (layout, picture) = decoded(&file, Format::XRGB8888);
        let picture = picture.unwrap();
        let size = (SIZE.0 as usize, SIZE.1 as usize);
        let mut squares = 0.0;
        for n in 0..size.0 * size.1 {
            let (x, y) = (n % size.0, n / size.0);
            let begin = y * layout.planes()[0].stride as usize + 4 * x;
            let expected = rgb(shared((x, y), size), colour);
            for (found, expected) in picture[begin..].iter().take(3).rev().zip(expected) {
                squares += (f64::from(*found) - expected).powi(2);
            }
        }
        let found = decibels(squares, 3 * size.0 * size.1);
        assert!(found > 35.0, "{colour}: {found} dB");
    }
}

#[test]
fn what_cannot_be_written_says_why() {
    assert_eq!(
        SnapshotFormat::of_path(Path::new("a/b.PNG")),
        Some(SnapshotFormat::Png)
    );
    assert_eq!(
        SnapshotFormat::of_path(Path::new("b.jpeg")),
        Some(SnapshotFormat::JPEG)
    );
    assert_eq!(SnapshotFormat::of_path(Path::new("b.gif")), None);
    let layout = Layout::packed("P010".parse().unwrap(), 16, 16).unwrap();
    let pool = FramePool::allocate(&memfd(), &layout, 1).unwrap();
    let mut file = Vec::new();
    let mut write = |frame: &Frame| snapshot::write(frame, SnapshotFormat::JPEG, &mut file);
    let why = write(&pool.acquire().unwrap()).unwrap_err().to_string();
    assert!(why.contains("P010"), "{why}");
    let layout = Layout::packed("GREY".parse().unwrap(), 65_536, 1).unwrap();
    let pool = FramePool::allocate(&memfd(), &layout, 1).unwrap();
    let why = write(&pool.acquire().unwrap());
    assert!(
        matches!(why, Err(SnapshotError::TooLarge { .. })),
        "{why:?}"
    );

    /// A full disk.
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let frame = frame(Format::NV12, JFIF, 0);
    for format in [SnapshotFormat::Png, SnapshotFormat::JPEG] {
        match snapshot::write(&frame, format, Full) {
            Err(SnapshotError::Write { source, .. }) => {
                assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
            }
            other => panic!("{other:?}"),
        }
    }
    // It can be read again: no guard is left.
    assert!(frame.buffers()[0].write(CpuUse::Draw).is_ok());
}

#[test]
fn restarts_are_decoded_and_what_cameras_do_not_send_is_refused() {
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    let mut pixels = Vec::new();
    for n in 0..width * height {
        let numbers = shared((n % width, n / width), (width, height));
        pixels.extend(numbers.map(|number| number.round()));
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 256")]
    #[expect(clippy::cast_sign_loss, reason = "not below 0")]
    let pixels: Vec<u8> = pixels.into_iter().map(|number| number as u8).collect();
    let encoded = |sampling, restart, progressive| {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 97);
        encoder.set_sampling_factor(sampling);
        encoder.set_restart_interval(restart);
        encoder.set_progressive(progressive);
        encoder.encode(&pixels, 54, 37, ColorType::Ycbcr).unwrap();
        file
    };
    let samplings = [
        SamplingFactor::F_1_1,
        SamplingFactor::F_2_1,
        SamplingFactor::F_1_2,
        SamplingFactor::F_2_2,
    ];
    for sampling in samplings {
        for restart in [0, 1, 3] {
            let file = encoded(sampling, restart, false);
            for output in ["NV12", "NV16", "YUYV", "NV24", "XRGB8888"] {
                let (layout, picture) = decoded(&file, output.parse().unwrap());
                let found = psnr(&layout, &picture.unwrap(), false);
                let of = format!("{sampling:?}, restart {restart}, as {output}: {found:.1?}");
                println!("{of}");
                assert!(found.iter().all(|found| *found > 47.0), "{of}");
            }
        }
    }
    let progressive = encoded(SamplingFactor::F_2_2, 0, true);
    // Of samplings such as this one the library makes a scan for each component.
    let scan_by_scan = encoded(SamplingFactor::F_4_1, 0, false);
    for refused in [progressive, scan_by_scan] {
        assert_eq!(decoded(&refused, Format::NV12).1, None);
    }
}
