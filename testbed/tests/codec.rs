//! Codecs on vicodec: what a camera saw, encoded and decoded, beside what it saw.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dmaflow_codecs::{CodecRole, V4l2Codec, V4l2CodecConfig};
use dmaflow_core::dma_buf::{CpuUse, DmaBufError};
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{
    Bed, Choice, ControlValue, Counter, Mixer, Source, SourcePlan, StageError, Stopper,
};
use dmaflow_core::time::{Clock, Timestamp};
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig, NullSink};
use dmaflow_pipelines::{AnyStage, Builder, Limits, QueuePolicy, Report};
use dmaflow_testbed::{
    Board, DmaBufs, KernelLog, Modules, Verbose, caption, open_files, reload_vivid,
};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};

const SIZE: (u32, u32) = (1280, 720);

/// Frames that may be on their way between the camera and the comparison.
const ON_THEIR_WAY: usize = 8;

/// Far fewer than frames: twice the buffers of the largest pool.
const MOST_IMPORTS: usize = 40;

const fn block(depth: NonZeroUsize) -> QueuePolicy {
    QueuePolicy::Block { depth }
}

const ONE: QueuePolicy = block(NonZeroUsize::MIN);

/// What was found of decoded pictures.
#[derive(Clone, Debug, Default)]
struct Found {
    /// Their numbers, as they came with them.
    sequences: Vec<u64>,
    /// Their numbers, as they are written in what was captured and in what was decoded.
    written: Vec<[Option<u64>; 2]>,
    /// Of those that were compared: the mean of the squared differences.
    errors: Vec<f64>,
    /// Captured frames of which no picture came.
    missing: Vec<u64>,
}

impl Found {
    /// In decibels; infinite where nothing differs.
    fn least_psnr(&self) -> f64 {
        let most = self.errors.iter().copied().fold(0.0, f64::max);
        10.0 * (255.0 * 255.0 / most).log10()
    }
}

/// Compares every so many decoded pictures with what was captured.
struct Compare {
    every: u64,
    captured: VecDeque<Frame>,
    found: Arc<Mutex<Found>>,
}

impl Compare {
    fn decoded(&mut self, decoded: &Frame) -> Result<(), StageError> {
        let sequence = decoded.meta().sequence;
        let mut found = self.found.lock().unwrap();
        let captured = loop {
            let captured = self.captured.pop_front().expect("captured before decoded");
            match captured.meta().sequence {
                known if known == sequence => break captured,
                known => found.missing.push(known),
            }
        };
        if (found.sequences.len() as u64).is_multiple_of(self.every) {
            let error = difference(&captured, decoded).map_err(StageError::failed)?;
            found.errors.push(error);
        }
        found.sequences.push(sequence);
        let number = |frame| caption::number_in(frame).map_err(StageError::failed);
        found.written.push([number(&captured)?, number(decoded)?]);
        Ok(())
    }
}

impl Mixer for Compare {
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
        ON_THEIR_WAY
    }
    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn show(&mut self, frames: &mut [Option<Frame>]) -> Result<Timestamp, StageError> {
        self.captured.extend(frames[0].take());
        if let Some(decoded) = frames[1].take() {
            self.decoded(&decoded)?;
        }
        Ok(Clock::Monotonic.now())
    }
    fn flips(&mut self, _flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        Ok(())
    }
    fn stop(&mut self) -> Result<(), StageError> {
        self.captured.clear();
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

/// The mean of the squared differences of two pictures' samples; the unused byte of a pixel is
/// none.
fn difference(a: &Frame, b: &Frame) -> Result<f64, DmaBufError> {
    let skipped = (a.layout().format() == Format::XRGB8888).then_some(3);
    let (mut sum, mut samples) = (0_u64, 0_u64);
    let (a_bytes, b_bytes) = (
        a.buffers()[0].read(CpuUse::Inspect)?,
        b.buffers()[0].read(CpuUse::Inspect)?,
    );
    for (a_row, b_row) in rows(a.layout(), &a_bytes).zip(rows(b.layout(), &b_bytes)) {
        if a_row == b_row {
            // At once, which matters on an emulated processor.
            samples += a_row.len() as u64 * if skipped.is_some() { 3 } else { 4 } / 4;
            continue;
        }
        for (place, (a, b)) in a_row.iter().zip(b_row).enumerate() {
            if Some(place % 4) != skipped {
                sum += u64::from(a.abs_diff(*b)).pow(2);
                samples += 1;
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a few million samples")]
    Ok(sum as f64 / samples as f64)
}

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

/// How many frames go through the codecs: an emulated processor takes half a second over each.
fn frames() -> u64 {
    let asked = std::env::var("DMAFLOW_FRAMES").ok();
    asked.map_or(60, |asked| asked.parse().unwrap())
}

fn codec(role: CodecRole, format: Option<Format>, controls: &[(&str, i64)]) -> AnyStage {
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

/// What vivid draws unless it is told otherwise.
const BARS: &str = "75% Colorbar";

fn camera(format: Format, pattern: &str) -> AnyStage {
    let pattern = ControlValue::Text(pattern.to_owned());
    let config = V4l2SrcConfig {
        device: Some("vivid".to_owned()),
        format: Some(format),
        size: Some(SIZE),
        controls: vec![("test_pattern".to_owned(), pattern)],
        ..V4l2SrcConfig::default()
    };
    AnyStage::source(V4l2Src::open(config).unwrap())
}

/// What goes through the codec, and who looks at it.
struct Trial {
    format: Format,
    /// vivid's test pattern.
    pattern: &'static str,
    frames: u64,
    /// Of how many decoded pictures one is compared.
    every: u64,
    /// Of the encoder.
    controls: &'static [(&'static str, i64)],
    screen: Screen,
}

/// Whether what was decoded is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Screen {
    None,
    Shows,
    /// Every so many pictures are compared with what a writeback connector saw.
    Verifies(u32),
}

impl Trial {
    fn run(&self) -> (Found, Report) {
        let found = Arc::new(Mutex::new(Found::default()));
        let compare = Compare {
            every: self.every,
            captured: VecDeque::new(),
            found: Arc::clone(&found),
        };
        let mut graph = Builder::new();
        let camera = graph.add("camera", camera(self.format, self.pattern));
        let encoder = graph.add("encoder", codec(CodecRole::Encoder, None, self.controls));
        let decoder = graph.add("decoder", codec(CodecRole::Decoder, Some(self.format), &[]));
        let compare = graph.add("compare", AnyStage::mixer(compare));
        graph.connect(camera, encoder, ONE);
        graph.connect(camera, compare.input(0), ONE);
        graph.connect(encoder, decoder, ONE);
        graph.connect(decoder, compare.input(1), ONE);
        if let Some(screen) = self.screen.open() {
            let screen = graph.add("screen", AnyStage::sink(screen));
            graph.connect(decoder, screen, ONE);
        }
        let mut pipeline = graph.prepare(&dmaflow_heaps::registry()).unwrap();
        pipeline.set_audited(true);
        let limits = Limits {
            frames: Some(self.frames),
            ..Limits::default()
        };
        let report = pipeline.run(limits).unwrap();
        assert_eq!(report.unaccounted(), 0, "{report:?}");
        let found = found.lock().unwrap().clone();
        (found, report)
    }
}

impl Screen {
    fn open(self) -> Option<KmsSink> {
        let verify = match self {
            Self::None => return None,
            Self::Shows => None,
            Self::Verifies(every) => NonZeroU32::new(every),
        };
        let config = KmsSinkConfig {
            card: Some("vkms".to_owned()),
            verify,
            ..KmsSinkConfig::default()
        };
        Some(KmsSink::open(config).unwrap())
    }
}

fn shown(report: &Report) -> u64 {
    let mut stages = report.stages.iter();
    stages.find(|stage| stage.stage == "screen").unwrap().shown
}

/// Every captured frame came out of the decoder, in order.
fn assert_all_there(found: &Found, report: &Report, frames: u64) {
    assert_eq!(report.captured, frames);
    assert_eq!(found.sequences.len() as u64, frames, "{report:?}");
    assert!(found.missing.is_empty(), "{:?}", found.missing);
    let in_order = found.sequences.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(in_order, "{:?}", found.sequences);
    // A camera that is late may write a number twice.
    let same = |[captured, decoded]: &[Option<u64>; 2]| decoded.is_some() && captured == decoded;
    assert!(found.written.iter().all(same), "{found:?}");
    assert!(found.written.is_sorted(), "{found:?}");
    for stage in ["encoder", "decoder"] {
        let of_stage = report.counters.iter().filter(|(name, _)| name == stage);
        for (_, counter) in of_stage {
            assert_eq!(counter.count, 0, "{stage}: {counter:?}");
        }
    }
}

/// The codecs of a board that has what this is about: single-planar on `pc`, multi-planar on
/// `rockchip`.
fn codecs(test: &str) -> Option<Modules> {
    let board = Board::for_test_on(&["pc", "rockchip"], test);
    board.map(|_board| Modules::load(&["vicodec"]))
}

#[test]
fn a_cameras_frames_come_out_of_a_codec_as_they_went_in_but_for_its_loss() {
    let name = "a_cameras_frames_come_out_of_a_codec_as_they_went_in_but_for_its_loss";
    let Some(codecs) = codecs(name) else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let trial = Trial {
        format: Format::XRGB8888,
        pattern: BARS,
        frames: frames(),
        every: 25,
        controls: &[],
        screen: Screen::Shows,
    };
    let (found, report) = trial.run();
    println!(
        "{} frames in {:.1?}, PSNR at least {:.1} dB",
        found.sequences.len(),
        report.elapsed,
        found.least_psnr(),
    );
    assert_all_there(&found, &report, trial.frames);
    assert!(found.least_psnr() > 30.0, "{:?}", found.errors);
    assert_eq!(shown(&report), trial.frames, "{report:?}");
    let audit = report.audit.as_ref().unwrap();
    assert!(audit.is_kept(), "{audit:#?}");
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
    drop(codecs);
}

#[test]
fn a_display_shows_what_was_decoded() {
    let Some(codecs) = codecs("a_display_shows_what_was_decoded") else {
        return;
    };
    let trial = Trial {
        format: Format::XRGB8888,
        pattern: BARS,
        frames: 12,
        every: 12,
        controls: &[],
        screen: Screen::Verifies(4),
    };
    let (found, report) = trial.run();
    assert_all_there(&found, &report, trial.frames);
    assert_eq!(shown(&report), trial.frames, "{report:?}");
    assert_eq!(report.counter("verified"), Some(3), "{report:?}");
    assert_eq!(report.counter("differing_pixels"), Some(0));
    drop(codecs);
}

/// How often a kernel that was told to talk said that it imports a buffer.
#[derive(Debug, Default)]
struct Imports {
    /// `[q->name] __prepare_dmabuf: buffer for plane 0 changed`, by the names of queues.
    queues: BTreeMap<String, usize>,
    /// `DRM_IOCTL_PRIME_FD_TO_HANDLE`.
    handles: usize,
}

impl Imports {
    fn count(&mut self, record: &str) {
        if record.contains("buffer for plane") {
            let name = record.split(['[', ']']).nth(1).unwrap_or("?");
            *self.queues.entry(name.to_owned()).or_default() += 1;
        }
        self.handles += usize::from(record.contains("PRIME_FD_TO_HANDLE"));
    }
}

#[test]
fn no_buffer_is_imported_again() {
    let Some(codecs) = codecs("no_buffer_is_imported_again") else {
        return;
    };
    let trial = Trial {
        format: Format::XRGB8888,
        pattern: BARS,
        frames: 60,
        every: 60,
        controls: &[],
        screen: Screen::Shows,
    };
    let talking = [("videobuf2_common", 3), ("drm", 1)];
    let talking = talking.map(|(module, level)| Verbose::module(module, level));
    let mut log = KernelLog::from_now();
    let (mut imports, ended) = (Imports::default(), AtomicBool::new(false));
    let (found, report) = thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                log.drain(|record| imports.count(record));
                thread::sleep(Duration::from_millis(20));
            }
        });
        let ran = trial.run();
        ended.store(true, Ordering::Relaxed);
        ran
    });
    drop(talking);
    log.drain(|record| imports.count(record));
    assert_all_there(&found, &report, trial.frames);
    println!("{imports:?} in {} frames", trial.frames);
    // The camera's, and both of the encoder and the decoder.
    assert_eq!(imports.queues.len(), 5, "{imports:?}");
    // No pool has more, and of the decoder's pictures the driver learns twice.
    let most = imports.queues.values().max();
    assert!(most <= Some(&MOST_IMPORTS), "{imports:?}");
    assert!((1..=MOST_IMPORTS).contains(&imports.handles), "{imports:?}");
    drop(codecs);
}

#[test]
fn of_a_short_stream_every_frame_comes_out() {
    let Some(codecs) = codecs("of_a_short_stream_every_frame_comes_out") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    for frames in 1..=4 {
        let trial = Trial {
            format: Format::NV12,
            pattern: BARS,
            frames,
            every: 10,
            controls: &[],
            screen: Screen::None,
        };
        let (found, report) = trial.run();
        assert_all_there(&found, &report, frames);
    }
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
    drop(codecs);
}

/// A camera, codecs in between and a sink that takes anything, of which the run must fail.
fn failure(graph: Builder, codecs: Modules) -> String {
    let mut pipeline = graph.prepare(&dmaflow_heaps::registry()).unwrap();
    let limits = Limits {
        frames: Some(6),
        ..Limits::default()
    };
    let error = pipeline.run(limits).unwrap_err();
    assert_eq!(error.report.unaccounted(), 0, "{error:?}");
    drop(pipeline);
    drop(codecs);
    error.cause.to_string()
}

#[test]
fn a_format_that_the_stream_does_not_have_is_told() {
    let Some(codecs) = codecs("a_format_that_the_stream_does_not_have_is_told") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let mut graph = Builder::new();
    let camera = graph.add("camera", camera(Format::NV12, BARS));
    let encoder = graph.add("encoder", codec(CodecRole::Encoder, None, &[]));
    let decoder = codec(CodecRole::Decoder, Some(Format::XRGB8888), &[]);
    let decoder = graph.add("decoder", decoder);
    let sink = graph.add("sink", AnyStage::sink(NullSink::default()));
    graph.connect(camera, encoder, ONE);
    graph.connect(encoder, decoder, ONE);
    graph.connect(decoder, sink, ONE);
    let error = failure(graph, codecs);
    let told = "makes no XRGB8888 of this stream, whose pictures it would give as";
    assert!(error.contains(told), "{error}");
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

/// Compressed frames without a header: what is in their memory.
struct Empty {
    layout: Layout,
    pool: Option<FramePool>,
    left: u64,
    bed: Arc<Bed>,
}

impl Source for Empty {
    fn device(&self) -> String {
        "nothing".to_owned()
    }
    fn formats(&mut self) -> Result<Vec<Format>, StageError> {
        Ok(vec![self.layout.format()])
    }
    fn size(&mut self) -> Result<Option<(u32, u32)>, StageError> {
        Ok(Some(SIZE))
    }
    fn configure(&mut self, _format: Format) -> Result<SourcePlan, StageError> {
        Ok(SourcePlan {
            layout: self.layout.clone(),
            rate: None,
            min_buffers: 1,
            choices: Vec::new(),
        })
    }
    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError> {
        self.pool = Some(pool.clone());
        Ok(())
    }
    fn detach(&mut self) {
        self.pool = None;
    }
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        Ok(Arc::<Bed>::clone(&self.bed))
    }
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut frame = self.pool.as_ref().and_then(FramePool::acquire);
        if let Some(frame) = &mut frame {
            frame.set_meta(FrameMeta {
                bytes_used: Some(1000),
                ..FrameMeta::default()
            });
        }
        Ok(frame)
    }
    fn stop(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

#[test]
fn a_stream_without_a_header_is_told() {
    let Some(codecs) = codecs("a_stream_without_a_header_is_told") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let fwht = "FWHT".parse().unwrap();
    let mut graph = Builder::new();
    let empty = Empty {
        layout: Layout::compressed(fwht, SIZE, 4 << 20).unwrap(),
        pool: None,
        left: 1,
        bed: Arc::default(),
    };
    let empty = graph.add("empty", AnyStage::source(empty));
    let decoder = graph.add("decoder", codec(CodecRole::Decoder, None, &[]));
    let sink = graph.add("sink", AnyStage::sink(NullSink::default()));
    graph.connect(empty, decoder, ONE);
    graph.connect(decoder, sink, ONE);
    let error = failure(graph, codecs);
    assert!(error.contains("no beginning of a stream"), "{error}");
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

/// What writes to `/sys/bus/platform/drivers/vicodec/{unbind,bind}`.
fn vicodec(what: &str) {
    let driver = "/sys/bus/platform/drivers/vicodec";
    fs::write(format!("{driver}/{what}"), "vicodec.0").unwrap();
}

#[test]
fn a_codec_that_goes_ends_the_run() {
    let Some(codecs) = codecs("a_codec_that_goes_ends_the_run") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    // Between frames and in the midst of them.
    for after in [0, 40, 300, 600, 777] {
        let mut graph = Builder::new();
        let camera = graph.add("camera", camera(Format::NV12, BARS));
        let encoder = graph.add("encoder", codec(CodecRole::Encoder, None, &[]));
        let decoder = graph.add(
            "decoder",
            codec(CodecRole::Decoder, Some(Format::NV12), &[]),
        );
        let sink = graph.add("sink", AnyStage::sink(NullSink::default()));
        graph.connect(camera, encoder, ONE);
        graph.connect(encoder, decoder, ONE);
        graph.connect(decoder, sink, ONE);
        let mut pipeline = graph.prepare(&dmaflow_heaps::registry()).unwrap();
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

#[test]
fn without_loss_pictures_are_identical() {
    let Some(codecs) = codecs("without_loss_pictures_are_identical") else {
        return;
    };
    let trial = Trial {
        // FWHT stores what it cannot compress as it is.
        pattern: "Noise",
        format: Format::NV12,
        frames: 20,
        every: 1,
        controls: &[("video_gop_size", 1), ("fwht_i_frame_qp_value", 1)],
        screen: Screen::None,
    };
    let (found, report) = trial.run();
    assert_all_there(&found, &report, trial.frames);
    assert_eq!(found.errors, vec![0.0; 20]);
    drop(codecs);
    // With the pattern that the others expect.
    reload_vivid();
}
