//! The converter stage on vim2m, which works on the frames with the processor, as a driver.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "converter/multi_planar.rs"]
mod multi_planar;
#[path = "converter/pixels.rs"]
mod pixels;
#[path = "converter/refusals.rs"]
mod refusals;

use std::alloc::System;
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use dmaflow_codecs::{ControlValue, V4l2Converter, V4l2ConverterConfig, converters};
use dmaflow_core::dma_buf::CpuCounts;
use dmaflow_core::format::{Encoding, Format, Range};
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::heap::Heap;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Source, Transform};
use dmaflow_core::time::Rate;
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::{AnyStage, Builder, Limits, QueuePolicy};
use dmaflow_testbed::{Board, DmaBufs, Modules, Run, dmaflow, eventually, open_files};
use dmaflow_v4l2::FrameSizes;
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};
use pixels::{QUARTERS, assert_drawn, assert_made_of, draw};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What a camera delivers.
const CAPTURED: (u32, u32) = (320, 180);

/// What is drawn and judged with an emulated processor, pixel by pixel.
const DRAWN: (u32, u32) = (96, 64);

fn format(name: &str) -> Format {
    name.parse().unwrap()
}

/// Memory that every driver of the board can use.
fn heap(board: &Board) -> Heap {
    let name = match board.is(&["ti"]) {
        true => "default_cma_region",
        false => "system",
    };
    dmaflow_heaps::registry().open(name).unwrap()
}

/// vim2m, as fast as it can be, with more controls.
fn vim2m(size: Option<(u32, u32)>, controls: &[(&str, ControlValue)]) -> V4l2Converter {
    let fast = ("transaction_time_msec", ControlValue::Integer(1));
    let controls = std::iter::once(&fast).chain(controls);
    let config = V4l2ConverterConfig {
        format: None,
        device: Some("vim2m".to_owned()),
        size,
        controls: controls
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    };
    V4l2Converter::open(config).unwrap()
}

/// A converter with a pool on each side, which is not started.
struct Line {
    converter: V4l2Converter,
    input: FramePool,
    output: FramePool,
}

impl Line {
    fn new(heap: &Heap, mut converter: V4l2Converter, from: Format, to: Format) -> Self {
        let layout = Layout::packed(from, DRAWN.0, DRAWN.1).unwrap();
        let plan = converter.configure(&layout, to).unwrap();
        let input = FramePool::allocate(heap, &layout, 3).unwrap();
        let output = FramePool::allocate(heap, &plan.layout, plan.min_buffers + 2).unwrap();
        converter.attach_output(&output).unwrap();
        converter.attach_input(&input).unwrap();
        Self {
            converter,
            input,
            output,
        }
    }

    /// What comes out for a frame that goes in.
    fn convert(&mut self, frame: Frame) -> Option<Frame> {
        let mut made = None;
        let send = &mut |frame| assert!(made.replace(frame).is_none(), "one of one");
        self.converter.transform(frame, send).unwrap();
        made
    }
}

fn count(converter: &V4l2Converter, name: &str) -> u64 {
    let counters = converter.counters();
    let found = counters.iter().find(|counter| counter.name == name);
    found.unwrap().count
}

#[test]
fn every_conversion_is_listed_and_no_codec() {
    let Some(_board) = Board::for_test("every_conversion_is_listed_and_no_codec") else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let found = converters();
    let drivers: Vec<_> = found
        .iter()
        .map(|info| info.capabilities.driver.as_str())
        .collect();
    // vicodec and visl, where the board has them, are none.
    assert_eq!(drivers, ["vim2m"]);
    let vim2m = &found[0];
    for input in ["RGB565", "RGB888", "BGR888"].map(format) {
        for output in ["RGB565", "RGB888", "BGR888", "YUYV", "SBGGR8"].map(format) {
            assert!(vim2m.converts(input, output), "{input} to {output}");
        }
    }
    assert!(!vim2m.converts(Format::YUYV, Format::NV12));
    let conversion = vim2m.of(format("BGR888")).unwrap();
    assert_eq!(conversion.input.codes, ["RGB3".parse().unwrap()]);
    let sizes = FrameSizes::Stepwise {
        min: (32, 32),
        max: (640, 480),
        step: (2, 1),
    };
    assert_eq!(conversion.output(Format::YUYV).unwrap().sizes, sizes);
}

#[test]
fn the_program_lists_converters_apart_from_codecs() {
    let Some(board) = Board::for_test("the_program_lists_converters_apart_from_codecs") else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let listed = Run::of(&mut dmaflow(&["devices", "--json"])).json;
    let drivers = |list: &str| {
        let found = listed[list].as_array().unwrap().iter();
        let drivers = found.map(|device| device["driver"].as_str().unwrap().to_owned());
        drivers.collect::<BTreeSet<_>>()
    };
    assert_eq!(drivers("converters"), ["vim2m".to_owned()].into());
    let codecs = drivers("codecs");
    assert_eq!(codecs.contains("vicodec"), board.is(&["rockchip"]));
    let vim2m = &listed["converters"][0];
    assert_eq!(vim2m["imports"], true);
    let conversions = vim2m["conversions"].as_array().unwrap();
    let of_rgb = conversions.iter().find(|of| of["from"]["name"] == "BGR888");
    let made = of_rgb.unwrap()["to"].as_array().unwrap();
    let yuyv = made.iter().find(|to| to["name"] == "YUYV").unwrap();
    assert_eq!(yuyv["sizes"]["max"], serde_json::json!([640, 480]));
    let text = dmaflow(&["devices"]).output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout);
    let row = text.lines().find(|line| line.contains("vim2m")).unwrap();
    for part in [
        "(vim2m, /dev/video",
        "RGB565",
        " → ",
        "up to 640×480",
        "imports dma-bufs",
    ] {
        assert!(row.contains(part), "no {part} in: {row}");
    }
}

#[test]
fn colours_come_out_as_they_went_in_and_turned_as_asked() {
    let Some(board) = Board::for_test("colours_come_out_as_they_went_in_and_turned_as_asked")
    else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let heap = heap(&board);
    let [a, b, c, d] = QUARTERS;
    let turned = [
        (false, false, [a, b, c, d]),
        (true, false, [b, a, d, c]),
        (false, true, [c, d, a, b]),
        (true, true, [d, c, b, a]),
    ];
    for (from, to, (horizontal, vertical, expected)) in [
        ("RGB565", "YUYV", turned[0]),
        ("BGR888", "YUYV", turned[1]),
        ("RGB888", "RGB565", turned[2]),
        ("BGR888", "RGB888", turned[3]),
        ("RGB888", "RGB888", turned[0]),
    ] {
        let flips = [
            ("horizontal_flip", ControlValue::Boolean(horizontal)),
            ("vertical_flip", ControlValue::Boolean(vertical)),
        ];
        let mut line = Line::new(&heap, vim2m(None, &flips), format(from), format(to));
        let _stopper = line.converter.start().unwrap();
        for _more_than_there_are_buffers in 0..7 {
            let frame = line.input.acquire().unwrap();
            draw(&frame, QUARTERS);
            let made = line.convert(frame).expect("a picture");
            assert_drawn(&made, expected);
        }
        assert_eq!(line.input.cpu_counts().copied, 0);
        assert_eq!(line.output.cpu_counts().drawn, 0);
    }
}

#[test]
fn a_picture_is_scaled_to_the_size_that_was_asked() {
    let Some(board) = Board::for_test("a_picture_is_scaled_to_the_size_that_was_asked") else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let converter = vim2m(Some((48, 128)), &[]);
    let mut line = Line::new(&heap(&board), converter, format("BGR888"), Format::YUYV);
    let layout = line.output.layout();
    assert_eq!((layout.width(), layout.height()), (48, 128));
    let colour = layout.colour();
    assert_eq!(colour.encoding, Some(Encoding::Bt601));
    assert_eq!(colour.range, Some(Range::Limited));
    let _stopper = line.converter.start().unwrap();
    let frame = line.input.acquire().unwrap();
    draw(&frame, QUARTERS);
    let made = line.convert(frame).expect("a picture");
    assert_drawn(&made, QUARTERS);
}

#[test]
fn a_pipeline_with_a_size_for_its_converter_is_scaled() {
    let Some(_board) = Board::for_test("a_pipeline_with_a_size_for_its_converter_is_scaled") else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let camera = V4l2Src::open(V4l2SrcConfig {
        device: Some("vivid".to_owned()),
        format: Some(format("BGR888")),
        size: Some(CAPTURED),
        ..V4l2SrcConfig::default()
    });
    let mut graph = Builder::new();
    let camera = graph.add("camera", AnyStage::source(camera.unwrap()));
    let scaled = (240, 128);
    let scaler = graph.add("scaler", AnyStage::transform(vim2m(Some(scaled), &[])));
    let end = graph.add("end", AnyStage::sink(NullSink::default()));
    graph.connect(camera, scaler, QueuePolicy::Latest);
    graph.connect(scaler, end, QueuePolicy::Latest);
    let mut pipeline = graph.prepare(&dmaflow_heaps::registry()).unwrap();
    let layouts = pipeline.pools().iter().map(FramePool::layout);
    let sizes: Vec<_> = layouts.map(|of| (of.width(), of.height())).collect();
    assert_eq!(sizes, [CAPTURED, scaled]);
    let limits = Limits {
        frames: Some(5),
        ..Limits::default()
    };
    let report = pipeline.run(limits).unwrap();
    assert_eq!((report.captured, report.unaccounted()), (5, 0));
    assert_eq!(report.cpu.copied, 0);
}

#[test]
fn a_cameras_frames_are_converted_and_never_copied() {
    let Some(board) = Board::for_test("a_cameras_frames_are_converted_and_never_copied") else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let (buffers, files) = (DmaBufs::now(), open_files());
    {
        let heap = heap(&board);
        let mut camera = V4l2Src::open(V4l2SrcConfig {
            device: Some("vivid".to_owned()),
            size: Some(CAPTURED),
            rate: Rate::new(30, 1),
            ..V4l2SrcConfig::default()
        })
        .unwrap();
        let captured = camera.configure(format("BGR888")).unwrap();
        let mut converter = vim2m(None, &[]);
        let plan = converter.configure(&captured.layout, Format::YUYV).unwrap();
        let colour = plan.layout.colour();
        assert_eq!(colour.encoding, Some(Encoding::Bt601));
        assert_eq!(colour.range, Some(Range::Limited));
        let input = FramePool::allocate(&heap, &captured.layout, 4).unwrap();
        let output = FramePool::allocate(&heap, &plan.layout, 3).unwrap();
        camera.attach(&input).unwrap();
        converter.attach_input(&input).unwrap();
        converter.attach_output(&output).unwrap();
        let of_output: BTreeSet<_> = output.buffers().map(|of| of[0].id()).collect();
        let of_input: BTreeSet<_> = input.buffers().map(|of| of[0].id()).collect();
        assert!(of_output.is_disjoint(&of_input));
        let mut line = Line {
            converter,
            input,
            output,
        };
        for run in 0..2 {
            let _camera = camera.start().unwrap();
            let _stopper = line.converter.start().unwrap();
            let (mut read, mut written) = (BTreeSet::new(), BTreeSet::new());
            for _frame in 0..20 {
                let frame = camera.next_frame().unwrap().unwrap();
                let known = frame.meta();
                read.insert(frame.buffers()[0].id());
                let made = line.convert(frame).expect("a picture");
                written.insert(made.buffers()[0].id());
                assert_eq!(made.meta(), known, "what is known goes with the picture");
                assert!(known.capture.is_some());
            }
            assert!(read.len() > 1 && read.is_subset(&of_input), "{read:?}");
            assert_eq!(written, of_output, "all of them are used, and no others");
            if run == 0 {
                // Nobody looked so far.
                assert_eq!(line.input.cpu_counts(), CpuCounts::default());
                assert_eq!(line.output.cpu_counts(), CpuCounts::default());
            }
            for _frame in 0..3 {
                let frame = camera.next_frame().unwrap().unwrap();
                // Another user of it: the camera does not get it back yet.
                let before = frame.clone();
                let made = line.convert(frame).expect("a picture");
                let lumas = assert_made_of(&made, &before);
                assert!(lumas > 4, "vivid's bars have more than {lumas} values");
            }
            line.converter.stop().unwrap();
            camera.stop().unwrap();
            assert_eq!(line.input.free(), line.input.len());
            assert_eq!(line.output.free(), line.output.len());
        }
        for pool in [&line.input, &line.output] {
            assert_eq!(pool.cpu_counts().copied, 0);
            assert_eq!(pool.cpu_counts().drawn, 0);
        }
        for name in ["damaged", "short", "requeue_failed"] {
            assert_eq!(count(&line.converter, name), 0, "{name}");
        }
    }
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn a_picture_kept_over_a_restart_is_queued_when_it_is_dropped() {
    let Some(board) = Board::for_test("a_picture_kept_over_a_restart_is_queued_when_it_is_dropped")
    else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let converter = vim2m(None, &[]);
    let mut line = Line::new(&heap(&board), converter, format("BGR888"), Format::YUYV);
    for _run in 0..5 {
        let _stopper = line.converter.start().unwrap();
        let frame = line.input.acquire().unwrap();
        draw(&frame, QUARTERS);
        let kept = line.convert(frame).expect("a picture");
        line.converter.stop().unwrap();
        let _stopper = line.converter.start().unwrap();
        for round in 0..8 {
            let frame = line.input.acquire().unwrap();
            draw(&frame, QUARTERS);
            let made = line.convert(frame).expect("a picture");
            assert_ne!(made.slot(), kept.slot(), "round {round}");
        }
        assert_drawn(&kept, QUARTERS);
        drop(kept);
        let mut slots = BTreeSet::new();
        for _frame in 0..6 {
            let frame = line.input.acquire().unwrap();
            slots.insert(line.convert(frame).expect("a picture").slot());
        }
        assert_eq!(slots.len(), line.output.len(), "it is filled again");
        line.converter.stop().unwrap();
        assert_eq!(line.output.free(), line.output.len());
    }
    assert_eq!(count(&line.converter, "requeue_failed"), 0);
}

#[test]
fn a_stopper_wakes_who_waits_for_a_free_frame_or_for_the_device() {
    let Some(board) =
        Board::for_test("a_stopper_wakes_who_waits_for_a_free_frame_or_for_the_device")
    else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let heap = heap(&board);
    // The second of these never begins: it waits for one more frame than it is given.
    for (together, finished) in [(1, 3), (2, 0)] {
        let controls = [("buffers_per_transaction", ControlValue::Integer(together))];
        let converter = vim2m(None, &controls);
        let mut line = Line::new(&heap, converter, format("BGR888"), Format::YUYV);
        for _run in 0..3 {
            let stopper = line.converter.start().unwrap();
            let (input, output) = (line.input.clone(), line.output.clone());
            let made = thread::scope(|scope| {
                let line = &mut line;
                let waiting = scope.spawn(move || {
                    let mut made = Vec::new();
                    while let Some(picture) = line.convert(line.input.acquire().unwrap()) {
                        made.push(picture);
                    }
                    // Stopped for good, not for once.
                    assert!(line.convert(line.input.acquire().unwrap()).is_none());
                    assert_eq!(line.input.free(), line.input.len(), "the input was let go");
                    made
                });
                // All that can come out has, and one frame more went in.
                let waits =
                    || output.free() == output.len() - finished && input.free() < input.len();
                eventually("frame in work with nothing to go on with", waits);
                thread::sleep(Duration::from_millis(100));
                assert!(!waiting.is_finished(), "there is nothing to wait for");
                stopper.stop();
                waiting.join().unwrap()
            });
            assert_eq!(made.len(), finished);
            drop(made);
            line.converter.stop().unwrap();
            assert_eq!(line.output.free(), line.output.len());
        }
    }
}

#[test]
fn frames_of_several_pools_come_in_by_turns() {
    let Some(board) = Board::for_test("frames_of_several_pools_come_in_by_turns") else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let heap = heap(&board);
    let (buffers, files) = (DmaBufs::now(), open_files());
    {
        let converter = vim2m(None, &[]);
        let mut line = Line::new(&heap, converter, format("BGR888"), Format::YUYV);
        let pool = || FramePool::allocate(&heap, line.input.layout(), 3).unwrap();
        let (second, foreign) = (pool(), pool());
        line.converter.attach_input(&second).unwrap();
        line.converter.attach_input(&second).unwrap();
        let _stopper = line.converter.start().unwrap();
        let turned = [QUARTERS[3], QUARTERS[2], QUARTERS[1], QUARTERS[0]];
        for _round in 0..6 {
            for (pool, quarters) in [(line.input.clone(), QUARTERS), (second.clone(), turned)] {
                let frame = pool.acquire().unwrap();
                draw(&frame, quarters);
                assert_drawn(&line.convert(frame).expect("a picture"), quarters);
            }
        }
        let stray = foreign.acquire().unwrap();
        let error = line.converter.transform(stray, &mut drop).unwrap_err();
        assert!(
            error.to_string().contains("attach the pool first"),
            "{error}"
        );
        let frame = line.input.acquire().unwrap();
        assert!(line.convert(frame).is_some(), "a stray frame harms nothing");
    }
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn a_frame_allocates_nothing() {
    let Some(board) = Board::for_test("a_frame_allocates_nothing") else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let converter = vim2m(None, &[]);
    let mut line = Line::new(&heap(&board), converter, format("BGR888"), Format::YUYV);
    let _stopper = line.converter.start().unwrap();
    let mut converted = 0;
    let mut allocations = |frames| {
        let region = Region::new(ALLOCATOR);
        for _frame in 0..frames {
            let frame = line.input.acquire().unwrap();
            converted += usize::from(line.convert(frame).is_some());
        }
        region.change().allocations
    };
    allocations(3);
    assert_eq!(allocations(50), 0);
    assert_eq!(converted, 53);
    let region = Region::new(ALLOCATOR);
    drop(Box::new(converted));
    assert_eq!(region.change().allocations, 1, "the counter counts");
}
