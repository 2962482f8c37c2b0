//! Every conversion, at sizes that do not come out even.

use dmaflow_codecs::CpuConverter;
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::{Colour, Encoding, Family, Format, Range};
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::heap::Heap;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::Transform;

use super::formula::{colour, numbers, yuv_of};

/// The library computes with few bits, and says so.
const TOLERANCE: f64 = 3.5;

fn memfd() -> Heap {
    dmaflow_heaps::registry().open("memfd").unwrap()
}

/// Fills a frame with noise of numbers from 16 to 235, as luma in range is.
fn noise(frame: &Frame, mut state: u32) {
    for buffer in frame.buffers() {
        let mut bytes = buffer.write(CpuUse::Draw).unwrap();
        for byte in bytes.iter_mut() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = u8::try_from(16 + (state >> 24) * 219 / 255).unwrap();
        }
    }
}

/// What comes out of one frame of noise, and the frame.
fn converted(layout: &Layout, output: Format) -> (Frame, Frame) {
    let mut converter = CpuConverter::new();
    let plan = converter.configure(layout, output).unwrap();
    let input = FramePool::allocate(&memfd(), layout, 1).unwrap();
    let made = FramePool::allocate(&memfd(), &plan.layout, 1).unwrap();
    converter.attach_input(&input).unwrap();
    converter.attach_output(&made).unwrap();
    converter.start().unwrap();
    let mut frame = input.acquire().unwrap();
    noise(&frame, 7);
    frame.set_meta(FrameMeta {
        sequence: 41,
        ..FrameMeta::default()
    });
    let before = input.cpu_counts();
    let mut out = None;
    let kept = frame.clone();
    converter
        .transform(frame, &mut |made| out = Some(made))
        .unwrap();
    let read: usize = kept.buffers().iter().map(|buffer| buffer.len()).sum();
    let copied = input.cpu_counts().copied - before.copied;
    assert_eq!(copied, read as u64, "what was read is counted as copied");
    let out = out.expect("a frame");
    assert_eq!(out.meta().sequence, 41);
    converter.stop().unwrap();
    (kept, out)
}

fn with_bytes<T>(frame: &Frame, look: impl FnOnce(&[&[u8]]) -> T) -> T {
    let guards: Vec<_> = frame
        .buffers()
        .iter()
        .map(|buffer| buffer.read(CpuUse::Inspect).unwrap())
        .collect();
    let bytes: Vec<&[u8]> = guards.iter().map(|guard| &**guard).collect();
    look(&bytes)
}

/// The largest difference of what came out from what the formulas say.
fn worst(layout: &Layout, output: Format) -> f64 {
    let (of, made) = converted(layout, output);
    let mut worst: f64 = 0.0;
    with_bytes(&of, |of| {
        with_bytes(&made, |bytes| {
            for y in 0..layout.height() as usize {
                for x in 0..layout.width() as usize {
                    let found = numbers(made.layout(), bytes, (x, y)).map(f64::from);
                    let expected = match output.family() {
                        Family::Rgb => colour(layout, of, (x, y)),
                        _ => subsampled(layout, of, (x, y), made.layout().colour()),
                    };
                    for (found, expected) in found.iter().zip(expected) {
                        worst = worst.max((found - expected).abs());
                    }
                }
            }
        });
    });
    worst
}

/// Luma of the pixel, chroma of the mean of the four that share it.
fn subsampled(layout: &Layout, of: &[&[u8]], (x, y): (usize, usize), to: Colour) -> [f64; 3] {
    let (right, bottom) = (layout.width() as usize - 1, layout.height() as usize - 1);
    let [luma, ..] = yuv_of(colour(layout, of, (x, y)), to);
    let mut sum = [0.0; 3];
    for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let at = ((x / 2 * 2 + dx).min(right), (y / 2 * 2 + dy).min(bottom));
        for (sum, channel) in sum.iter_mut().zip(colour(layout, of, at)) {
            *sum += channel / 4.0;
        }
    }
    let [_, cb, cr] = yuv_of(sum, to);
    [luma, cb, cr]
}

fn colours(format: Format) -> Vec<Colour> {
    if format.family() == Family::Rgb {
        return vec![Colour::default()];
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

#[test]
fn every_conversion_is_what_the_standards_say() {
    let mut conversions = 0;
    for input in CpuConverter::inputs() {
        for output in CpuConverter::outputs(input) {
            for (width, height, padding) in [(64, 32, 0), (70, 34, 64), (37, 21, 64)] {
                for of in colours(input) {
                    let row = input.planes()[0].row_bytes(width).unwrap();
                    let stride = row.next_multiple_of(4) + padding;
                    let layout = Layout::with_stride(input, width, height, stride).unwrap();
                    let worst = worst(&layout.with_colour(of), output);
                    assert!(
                        worst < TOLERANCE,
                        "{input} ({of}) to {output}, {width}×{height}: {worst}"
                    );
                    conversions += 1;
                }
            }
        }
    }
    // Eight kinds of YUV to four of RGB, with seven colourings, at three sizes; and RGB.
    assert!(conversions > 8 * 4 * 7 * 3, "{conversions}");
}

#[test]
fn a_buffer_a_plane_and_encodings_make_a_difference() {
    for (format, strides) in [("NV12", &[128, 128][..]), ("YUV420", &[128, 64, 64])] {
        let format: Format = format.parse().unwrap();
        let layout = Layout::with_buffers(format, 70, 34, strides).unwrap();
        let worst = worst(&layout, Format::XRGB8888);
        assert!(worst < TOLERANCE, "{format}: {worst}");
    }
    // The test itself would see a wrong matrix.
    let of = |encoding| Colour {
        encoding: Some(encoding),
        range: Some(Range::Limited),
    };
    let layout = Layout::packed(Format::YUYV, 64, 32).unwrap();
    let (frame, made) = converted(
        &layout.clone().with_colour(of(Encoding::Bt709)),
        Format::XRGB8888,
    );
    let wrong = layout.with_colour(of(Encoding::Bt601));
    let differs = with_bytes(&frame, |of| {
        with_bytes(&made, |bytes| {
            let found = numbers(made.layout(), bytes, (3, 3)).map(f64::from);
            let expected = colour(&wrong, of, (3, 3));
            found
                .iter()
                .zip(expected)
                .any(|(found, expected)| (found - expected).abs() > TOLERANCE)
        })
    });
    assert!(differs);
}

#[test]
fn what_cannot_be_converted_says_why() {
    let mut converter = CpuConverter::new();
    let mut refused = |layout: &Layout, output| {
        let error = converter.configure(layout, output).unwrap_err();
        error.to_string()
    };
    let layout = Layout::packed(Format::YUYV, 64, 32).unwrap();
    assert_eq!(
        refused(&layout, Format::NV12),
        "the CPU makes no NV12 of YUYV"
    );
    let cut = Layout::with_planes(
        Format::YUYV,
        layout.modifier(),
        (64, 32),
        &[dmaflow_core::layout::PlaneLayout {
            buffer: 0,
            offset: 0,
            stride: 192,
        }],
        &[192 * 31 + 128],
    )
    .unwrap();
    assert!(
        refused(&cut, Format::XRGB8888).ends_with("the last row's padding is missing"),
        "{}",
        refused(&cut, Format::XRGB8888)
    );
    let limited = Layout::packed(Format::XRGB8888, 64, 32).unwrap();
    let limited = limited.with_colour(Colour {
        encoding: None,
        range: Some(Range::Limited),
    });
    assert!(refused(&limited, Format::NV12).contains("RGB of full range"));
}
