//! Stateless decoders through requests: vicodec's beside its stateful decoder, of the same stream.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "stateless/clip.rs"]
mod clip;

use std::collections::VecDeque;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dmaflow_codecs::{
    CodecRole, V4l2Codec, V4l2CodecConfig, V4l2Decoder, V4l2DecoderConfig, V4l2StatelessConfig,
    V4l2StatelessDecoder,
};
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, ControlValue, Counter, Mixer, StageError};
use dmaflow_core::time::{Clock, Timestamp};
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::{AnyStage, Builder, Limits, Pipeline, QueuePolicy, Report, RunError};
use dmaflow_testbed::{Board, DmaBufs, Modules, open_files};
use dmaflow_v4l2::{Function, VideoDevice};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};

use clip::{Clip, Player, Taken, Taker};

const HD: (u32, u32) = (1280, 720);
/// The smallest of those that vivid and vicodec have.
const SMALL: (u32, u32) = (640, 480);

/// Frames that one decoder may be ahead of the other.
const AHEAD: usize = 4;

const ONE: QueuePolicy = QueuePolicy::Block {
    depth: NonZeroUsize::MIN,
};

/// The rows of all planes, without what pads them.
fn rows<'b>(layout: &Layout, bytes: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
    let planes = layout.planes().iter().zip(layout.format().planes());
    let (width, height) = (layout.width(), layout.height());
    let rows: Vec<_> = planes
        .flat_map(|(plane, info)| {
            let len = info.row_bytes(width).unwrap() as usize;
            let (offset, stride) = (plane.offset as usize, plane.stride as usize);
            (0..info.rows(height) as usize).map(move |row| (offset + row * stride, len))
        })
        .collect();
    rows.into_iter()
        .map(move |(start, len)| &bytes[start..start + len])
}

/// Requests that there are: by the kernel's count where it keeps one, otherwise our descriptors.
fn requests() -> u64 {
    let counts = fs::read_dir("/sys/kernel/debug/media")
        .into_iter()
        .flatten();
    let counted = counts.flatten().filter_map(|media| {
        let text = fs::read_to_string(media.path().join("requests")).ok()?;
        let counts = text.lines().filter_map(|line| line.rsplit(' ').next());
        Some(counts.filter_map(|count| count.parse::<u64>().ok()).sum())
    });
    let counted: Vec<u64> = counted.collect();
    if counted.is_empty() {
        let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let names = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        return names
            .filter(|name| name == Path::new("anon_inode:request"))
            .count() as u64;
    }
    counted.into_iter().sum()
}

/// What there is before a test, of which nothing may be left behind it.
struct Before {
    buffers: DmaBufs,
    files: usize,
    requests: u64,
}

impl Before {
    fn now() -> Self {
        Self {
            buffers: DmaBufs::now(),
            files: open_files(),
            requests: requests(),
        }
    }

    fn assert_nothing_left(&self) {
        assert_eq!(open_files(), self.files);
        assert_eq!(requests(), self.requests);
        self.buffers.assert_none_since();
    }
}

/// Two decoders' pictures side by side.
#[derive(Default)]
struct Beside {
    waiting: [VecDeque<Frame>; 2],
    found: Arc<Mutex<Vec<(u64, u64)>>>,
    /// Samples that differ.
    differing: Arc<AtomicU64>,
}

impl Beside {
    fn compare(&self, a: &Frame, b: &Frame) {
        assert_ne!(a.pool(), b.pool());
        let read = |frame: &Frame| frame.buffers()[0].read(CpuUse::Inspect).unwrap().to_vec();
        let (a_bytes, b_bytes) = (read(a), read(b));
        let pairs = rows(a.layout(), &a_bytes).zip(rows(b.layout(), &b_bytes));
        for (a, b) in pairs.filter(|(a, b)| a != b) {
            let differing = a.iter().zip(b).filter(|(a, b)| a != b).count();
            self.differing
                .fetch_add(differing as u64, Ordering::Relaxed);
        }
        let numbers = (a.meta().sequence, b.meta().sequence);
        self.found.lock().unwrap().push(numbers);
    }
}

impl Mixer for Beside {
    fn device(&self) -> String {
        "a comparison".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn inputs(&self) -> usize {
        2
    }
    fn formats(&mut self, _input: usize) -> Result<Vec<Format>, StageError> {
        Ok(vec![Format::XRGB8888, Format::NV12])
    }
    fn attach(&mut self, _input: usize, _pool: &FramePool) -> Result<(), StageError> {
        Ok(())
    }
    fn arrange(&mut self) -> Result<Vec<Choice>, StageError> {
        Ok(Vec::new())
    }
    fn detach(&mut self, _input: usize) {}
    fn frames_held(&self) -> usize {
        AHEAD
    }
    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn show(&mut self, frames: &mut [Option<Frame>]) -> Result<Timestamp, StageError> {
        for (waiting, frame) in self.waiting.iter_mut().zip(frames) {
            waiting.extend(frame.take());
        }
        while self.waiting.iter().all(|waiting| !waiting.is_empty()) {
            let [a, b] = &mut self.waiting;
            let pair = (a.pop_front().unwrap(), b.pop_front().unwrap());
            self.compare(&pair.0, &pair.1);
        }
        Ok(Clock::Monotonic.now())
    }
    fn flips(&mut self, _flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        Ok(())
    }
    fn stop(&mut self) -> Result<(), StageError> {
        // What one of them lacks is missing among those that were found.
        self.waiting = Default::default();
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

fn camera(format: Format, size: (u32, u32), pattern: &str) -> AnyStage {
    let config = V4l2SrcConfig {
        device: Some("vivid".to_owned()),
        format: Some(format),
        size: Some(size),
        controls: vec![(
            "test_pattern".to_owned(),
            ControlValue::Text(pattern.to_owned()),
        )],
        ..V4l2SrcConfig::default()
    };
    AnyStage::source(V4l2Src::open(config).unwrap())
}

fn stateful(role: CodecRole, format: Option<Format>, controls: &[(&str, i64)]) -> AnyStage {
    let controls = controls.iter();
    let config = V4l2CodecConfig {
        device: Some("vicodec".to_owned()),
        format,
        controls: controls
            .map(|(name, value)| ((*name).to_owned(), ControlValue::Integer(*value)))
            .collect(),
        ..V4l2CodecConfig::new(role)
    };
    AnyStage::transform(V4l2Codec::open(config).unwrap())
}

fn stateless(format: Format) -> AnyStage {
    stateless_of("vicodec", format)
}

fn stateless_of(device: &str, format: Format) -> AnyStage {
    let config = V4l2StatelessConfig {
        device: Some(device.to_owned()),
        format: Some(format),
        ..V4l2StatelessConfig::default()
    };
    AnyStage::transform(V4l2StatelessDecoder::open(config).unwrap())
}

fn frames(frames: u64) -> Limits {
    Limits {
        frames: Some(frames),
        ..Limits::default()
    }
}

fn prepare(graph: Builder) -> Pipeline {
    graph.prepare(&dmaflow_heaps::registry()).unwrap()
}

/// What a stage counted.
fn count(report: &Report, stage: &str, name: &str) -> u64 {
    let mut counters = report.counters.iter();
    let found = counters.find(|(of, counter)| of == stage && counter.name == name);
    found.map(|(_, counter)| counter.count).unwrap()
}

/// The codecs of a board that has what this is about: single-planar on `pc`, multi-planar on
/// `rockchip`.
fn codecs(test: &str) -> Option<Modules> {
    let board = Board::for_test_on(&["pc", "rockchip"], test);
    board.map(|_board| Modules::load(&["vicodec"]))
}

/// A camera's stream through both decoders; what that took, in words.
fn side_by_side(format: Format, pattern: &str, count_of: u64, controls: &[(&str, i64)]) -> String {
    let beside = Beside::default();
    let (found, differing) = (Arc::clone(&beside.found), Arc::clone(&beside.differing));
    let mut graph = Builder::new();
    let camera = graph.add("camera", camera(format, HD, pattern));
    let encoder = graph.add("encoder", stateful(CodecRole::Encoder, None, controls));
    let one = graph.add("one", stateful(CodecRole::Decoder, Some(format), &[]));
    let other = graph.add("other", stateless(format));
    let beside = graph.add("beside", AnyStage::mixer(beside));
    graph.connect(camera, encoder, ONE);
    graph.connect(encoder, one, ONE);
    graph.connect(encoder, other, ONE);
    graph.connect(one, beside.input(0), ONE);
    graph.connect(other, beside.input(1), ONE);
    let mut pipeline = prepare(graph);
    pipeline.set_audited(true);
    let report = pipeline.run(frames(count_of)).unwrap();
    assert_eq!(report.unaccounted(), 0, "{report:?}");
    let found = found.lock().unwrap().clone();
    assert_eq!(found.len() as u64, count_of, "{report:?}");
    assert!(found.iter().all(|(one, other)| one == other), "{found:?}");
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
    for name in ["damaged", "spoiled", "unreadable", "refused"] {
        assert_eq!(count(&report, "other", name), 0, "{name}");
    }
    assert_eq!(count(&report, "other", "requests"), count_of);
    let moved = count(&report, "other", "moved_bytes");
    assert!(moved > 0, "the header is left out");
    let audit = report.audit.as_ref().unwrap();
    assert!(audit.is_kept(), "{audit:#?}");
    assert_eq!(report.cpu.copied, 0);
    assert_eq!(differing.load(Ordering::Relaxed), 0, "samples differ");
    format!(
        "{count_of} identical pictures in {:.1?}, {} bytes a picture moved",
        report.elapsed,
        moved / count_of
    )
}

#[test]
fn pictures_are_those_of_the_stateful_decoder() {
    let Some(codecs) = codecs("pictures_are_those_of_the_stateful_decoder") else {
        return;
    };
    let before = Before::now();
    for (format, pattern, frames, gop) in [
        (Format::NV12, "75% Colorbar", 36, 12),
        (Format::XRGB8888, "75% Colorbar", 24, 7),
        // Some planes stored raw, and every picture a key.
        (Format::NV12, "Noise", 6, 1),
    ] {
        let controls = [("video_gop_size", gop)];
        println!("{}", side_by_side(format, pattern, frames, &controls));
    }
    before.assert_nothing_left();
    drop(codecs);
}

/// A camera's stream, kept.
fn clip(size: (u32, u32), units: u64, gop: i64) -> Clip {
    let mut graph = Builder::new();
    let camera = graph.add("camera", camera(Format::NV12, size, "75% Colorbar"));
    let controls = [("video_gop_size", gop)];
    let encoder = graph.add("encoder", stateful(CodecRole::Encoder, None, &controls));
    let (taker, taken) = Taker::units();
    let taker = graph.add("taker", AnyStage::sink(taker));
    graph.connect(camera, encoder, ONE);
    graph.connect(encoder, taker, ONE);
    let mut pipeline = prepare(graph);
    pipeline.run(frames(units)).unwrap();
    let layout = pipeline.pools().iter().map(FramePool::layout);
    let mut layouts = layout.filter(|layout| layout.planes().is_empty());
    let layout = layouts.next().unwrap().clone();
    drop(pipeline);
    let units = taken.lock().unwrap().clone();
    Clip { layout, units }
}

/// Whether a unit builds on none (`V4L2_FWHT_FL_I_FRAME` of its header's flags).
fn is_key(unit: &[u8]) -> bool {
    unit[22] & 0x04 != 0
}

/// A clip through a decoder, and what comes out of it.
fn player(clip: &Clip, times: usize, decoder: AnyStage) -> (Pipeline, Taken<(u64, u64)>) {
    let mut graph = Builder::new();
    let clip = graph.add("clip", AnyStage::source(Player::new(clip, times)));
    let decoder = graph.add("decoder", decoder);
    let (taker, taken) = Taker::pictures();
    let taker = graph.add("taker", AnyStage::sink(taker));
    graph.connect(clip, decoder, ONE);
    graph.connect(decoder, taker, ONE);
    (prepare(graph), taken)
}

fn play(clip: &Clip) -> (Vec<(u64, u64)>, Report) {
    let (mut pipeline, taken) = player(clip, 1, stateless(Format::NV12));
    let report = pipeline.run(Limits::default()).unwrap();
    assert_eq!(report.unaccounted(), 0, "{report:?}");
    let taken = taken.lock().unwrap().clone();
    (taken, report)
}

#[test]
fn what_cannot_be_read_is_told_and_the_stream_goes_on() {
    let Some(codecs) = codecs("what_cannot_be_read_is_told_and_the_stream_goes_on") else {
        return;
    };
    let before = Before::now();
    let clip = clip(SMALL, 12, 4);
    let keys: Vec<_> = (0..12).filter(|&unit| is_key(&clip.units[unit])).collect();
    println!("keys: {keys:?}");
    let (whole, report) = play(&clip);
    assert_eq!(whole.len(), 12);
    assert_eq!(count(&report, "decoder", "unreadable"), 0);
    let (mut pipeline, taken) = player(
        &clip,
        1,
        stateful(CodecRole::Decoder, Some(Format::NV12), &[]),
    );
    pipeline.run(Limits::default()).unwrap();
    assert_eq!(whole, *taken.lock().unwrap());
    drop(pipeline);
    for cut in [0, 1, keys[1], 11] {
        let mut damaged = clip.clone();
        let half = damaged.units[cut].len() / 2;
        damaged.units[cut].truncate(half);
        let (found, report) = play(&damaged);
        // Up to there, and from the next key on.
        let next = keys.iter().copied().find(|key| *key > cut).unwrap_or(12);
        let expected: Vec<_> = whole
            .iter()
            .filter(|(unit, _)| !(cut as u64..next as u64).contains(unit))
            .copied()
            .collect();
        assert_eq!(found, expected, "without unit {cut}: {report:?}");
        let unreadable = count(&report, "decoder", "unreadable");
        let spoiled = count(&report, "decoder", "spoiled");
        // Without its key nothing of the first group can be read.
        assert_eq!(unreadable + spoiled, (next - cut) as u64, "{report:?}");
        assert!(unreadable >= 1, "{report:?}");
    }
    before.assert_nothing_left();
    drop(codecs);
}

/// A number that follows from another, each bit of it.
fn scattered(number: u64) -> u64 {
    let number = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number ^ number >> 31
}

#[test]
fn streams_with_turned_bits_end() {
    let Some(codecs) = codecs("streams_with_turned_bits_end") else {
        return;
    };
    let before = Before::now();
    let clip = clip(SMALL, 8, 4);
    let seeds = std::env::var("DMAFLOW_SEEDS").ok();
    let seeds: u64 = seeds.map_or(40, |seeds| seeds.parse().unwrap());
    let (mut ended, mut failed, mut pictures) = (0, 0, 0);
    let began = Instant::now();
    for seed in 0..seeds {
        let mut damaged = clip.clone();
        for turn in 0..1 + seed % 4 {
            let place = scattered(seed << 8 | turn);
            let unit = usize::try_from(place % 8).unwrap();
            let unit = &mut damaged.units[unit];
            // Every other one in the header.
            let within = if seed % 2 == 0 { 44 } else { unit.len() };
            let byte = usize::try_from(place >> 8).unwrap() % within;
            unit[byte] ^= 1 << (place >> 4 & 7);
        }
        let (mut pipeline, taken) = player(&damaged, 1, stateless(Format::NV12));
        match pipeline.run(Limits::default()) {
            Ok(report) => {
                assert_eq!(report.unaccounted(), 0, "{seed}: {report:?}");
                ended += 1;
            }
            Err(RunError { report, cause }) => {
                assert_eq!(report.unaccounted(), 0, "{seed}: {report:?}");
                let cause = cause.to_string();
                assert!(cause.contains("unit"), "{seed}: {cause}");
                failed += 1;
            }
        }
        pictures += taken.lock().unwrap().len();
    }
    println!(
        "{seeds} seeds in {:.1?}: {ended} ended, {failed} failed, {pictures} pictures",
        began.elapsed()
    );
    assert!(pictures > 0 && ended > 0);
    before.assert_nothing_left();
    drop(codecs);
}

#[test]
fn it_can_be_stopped_at_any_moment_and_started_again() {
    let Some(codecs) = codecs("it_can_be_stopped_at_any_moment_and_started_again") else {
        return;
    };
    let before = Before::now();
    let clip = clip(SMALL, 6, 3);
    let (mut pipeline, taken) = player(&clip, 1000, stateless(Format::NV12));
    for after in [0, 1, 5, 20, 50, 77, 120, 200, 333, 500] {
        let stop = pipeline.stop_handle();
        taken.lock().unwrap().clear();
        let report = thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(after));
                stop.stop();
            });
            pipeline.run(Limits::default()).unwrap()
        });
        assert_eq!(report.unaccounted(), 0, "{after}: {report:?}");
        assert_eq!(count(&report, "decoder", "damaged"), 0, "{report:?}");
        let sequences: Vec<_> = taken
            .lock()
            .unwrap()
            .iter()
            .map(|(unit, _)| *unit)
            .collect();
        assert!(
            sequences.iter().copied().eq(0..sequences.len() as u64),
            "{sequences:?}"
        );
    }
    // Of a whole run all comes out, whatever was before.
    drop(pipeline);
    let (whole, _report) = play(&clip);
    assert_eq!(whole.len(), 6);
    before.assert_nothing_left();
    drop(codecs);
}

/// A run that must fail.
fn failure(clip: &Clip) -> String {
    let (mut pipeline, _taken) = player(clip, 1, stateless(Format::NV12));
    let error = pipeline.run(Limits::default()).unwrap_err();
    assert_eq!(error.report.unaccounted(), 0, "{error:?}");
    error.cause.to_string()
}

#[test]
fn a_stream_that_changes_its_size_goes_on_in_other_frames() {
    let Some(codecs) = codecs("a_stream_that_changes_its_size_goes_on_in_other_frames") else {
        return;
    };
    let before = Before::now();
    let (large, small) = (clip(HD, 4, 2), clip(SMALL, 4, 2));
    let mut mixed = large.clone();
    let mut expected = Vec::new();
    for part in [&large, &small, &small, &large] {
        let begin = expected.len() as u64;
        let (pictures, _report) = play(part);
        assert_eq!(pictures.len(), 4);
        let pictures = pictures.into_iter();
        expected.extend(pictures.map(|(unit, picture)| (begin + unit, picture)));
        mixed.units.extend_from_slice(&part.units);
    }
    mixed.units.drain(..large.units.len());
    let (found, report) = play(&mixed);
    assert_eq!(found, expected, "{report:?}");
    before.assert_nothing_left();
    drop(codecs);
}

#[test]
fn a_stream_of_which_nothing_can_be_read_is_told_with_its_place() {
    let Some(codecs) = codecs("a_stream_of_which_nothing_can_be_read_is_told_with_its_place")
    else {
        return;
    };
    let before = Before::now();
    let mut nothing = clip(SMALL, 2, 1);
    for unit in &mut nothing.units {
        unit.fill(0x5a);
    }
    let nothing = failure(&nothing);
    let told = "found nothing to decode in 2 units";
    assert!(
        nothing.contains(told) && nothing.contains("unit 1"),
        "{nothing}"
    );
    before.assert_nothing_left();
    drop(codecs);
}

#[test]
fn the_format_of_another_kind_of_stream_is_told() {
    let Some(codecs) = codecs("the_format_of_another_kind_of_stream_is_told") else {
        return;
    };
    let before = Before::now();
    let clip = clip(SMALL, 3, 1);
    let (mut pipeline, taken) = player(&clip, 1, stateless(Format::XRGB8888));
    let error = pipeline.run(Limits::default()).unwrap_err();
    let cause = error.cause.to_string();
    let told = "does not take what unit 1 of the stream says, in control";
    assert!(cause.contains(told), "{cause}");
    assert!(taken.lock().unwrap().is_empty());
    drop(pipeline);
    before.assert_nothing_left();
    drop(codecs);
}

#[test]
fn a_stateless_decoder_is_taken_where_it_is_named() {
    let Some(codecs) = codecs("a_stateless_decoder_is_taken_where_it_is_named") else {
        return;
    };
    let before = Before::now();
    let clip = clip(SMALL, 3, 3);
    let nodes = VideoDevice::all_matching(Some("vicodec"), Function::StatelessDecoder);
    let [node] = &nodes[..] else {
        panic!("{nodes:?}");
    };
    let play = |device: &str| {
        let config = V4l2DecoderConfig {
            device: Some(device.to_owned()),
            format: Some(Format::NV12),
            ..V4l2DecoderConfig::default()
        };
        let decoder = AnyStage::transform(V4l2Decoder::open(&config).unwrap());
        let (mut pipeline, taken) = player(&clip, 1, decoder);
        let report = pipeline.run(Limits::default()).unwrap();
        let mut counters = report.counters.iter();
        let by_requests = counters.any(|(_, counter)| counter.name == "requests");
        let pictures = taken.lock().unwrap().clone();
        (pictures, by_requests)
    };
    let (stateful, by_requests) = play("vicodec");
    assert!(!by_requests && stateful.len() == 3);
    assert_eq!(play(node.to_str().unwrap()), (stateful, true));
    let none = V4l2DecoderConfig {
        device: Some("nobody".to_owned()),
        ..V4l2DecoderConfig::default()
    };
    let none = V4l2Decoder::open(&none).unwrap_err().to_string();
    assert!(none.contains("decoder is called `nobody`"), "{none}");
    before.assert_nothing_left();
    drop(codecs);
}

#[test]
fn a_driver_of_many_formats_is_told_of_one() {
    let Some(codecs) = codecs("a_driver_of_many_formats_is_told_of_one") else {
        return;
    };
    let visl = Modules::load(&["visl"]);
    let before = Before::now();
    let clip = clip(SMALL, 6, 3);
    let (mut pipeline, taken) = player(&clip, 2, stateless_of("visl", Format::NV12));
    let report = pipeline.run(Limits::default()).unwrap();
    assert_eq!(report.unaccounted(), 0, "{report:?}");
    let taken: Vec<_> = taken
        .lock()
        .unwrap()
        .iter()
        .map(|(unit, _)| *unit)
        .collect();
    assert!(taken.iter().copied().eq(0..12), "{taken:?}");
    assert_eq!(count(&report, "decoder", "requests"), 12);
    drop(pipeline);
    before.assert_nothing_left();
    drop((visl, codecs));
}

/// What writes to `/sys/bus/platform/drivers/vicodec/{unbind,bind}`.
fn vicodec(what: &str) {
    let driver = "/sys/bus/platform/drivers/vicodec";
    fs::write(format!("{driver}/{what}"), "vicodec.0").unwrap();
}

#[test]
fn a_decoder_that_goes_ends_the_run() {
    let Some(codecs) = codecs("a_decoder_that_goes_ends_the_run") else {
        return;
    };
    let clip = clip(SMALL, 6, 3);
    let (buffers, files) = (DmaBufs::now(), open_files());
    for after in [0, 30, 100, 256, 500] {
        let mut graph = Builder::new();
        let source = graph.add("clip", AnyStage::source(Player::new(&clip, 1000)));
        let decoder = graph.add("decoder", stateless(Format::NV12));
        let sink = graph.add("sink", AnyStage::sink(NullSink::default()));
        graph.connect(source, decoder, ONE);
        graph.connect(decoder, sink, ONE);
        let mut pipeline = prepare(graph);
        let error = thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(after));
                vicodec("unbind");
            });
            pipeline.run(Limits::default()).unwrap_err()
        });
        assert_eq!(error.report.unaccounted(), 0, "{error:?}");
        let cause = error.cause.to_string();
        assert!(cause.contains("is gone"), "{cause}");
        drop(pipeline);
        vicodec("bind");
    }
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
    drop(codecs);
}
