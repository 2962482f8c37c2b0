//! Pipelines that are refused, and that copy where they may.

use std::sync::{Arc, Mutex};

use dmaflow_codecs::CpuConverter;
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::{Colour, Encoding, Format, Range};
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, Counter, Sink, SourcePlan, StageError, Stopper, Transform};
use dmaflow_core::time::{Clock, Timestamp};
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::audit::Verdict;
use dmaflow_pipelines::{
    AnyStage, Builder, Limits, Pipeline, PipelineError, QueuePolicy, ZeroCopy,
};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

use super::formula::{colour, numbers};

const FRAMES: u64 = 12;

/// A picture that was seen: its number, its layout, its bytes.
type Seen = (u64, Layout, Vec<u8>);

/// Takes frames of one format, and keeps what it saw.
struct Screen {
    takes: Format,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Screen {
    fn new(takes: Format) -> (Self, Arc<Mutex<Vec<Seen>>>) {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let kept = Arc::clone(&seen);
        (Self { takes, seen }, kept)
    }
}

impl Sink for Screen {
    fn device(&self) -> String {
        format!("a screen for {}", self.takes)
    }
    fn imports(&self) -> bool {
        false
    }
    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        Ok(Some(vec![self.takes]))
    }
    fn attach(&mut self, _pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        Ok(Vec::new())
    }
    fn detach(&mut self) {}
    fn frames_held(&self) -> usize {
        0
    }
    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError> {
        let bytes = frame.buffers()[0].read(CpuUse::Inspect).unwrap();
        let seen = (
            frame.meta().sequence,
            frame.layout().clone(),
            bytes.to_vec(),
        );
        self.seen.lock().unwrap().push(seen);
        Ok(Clock::Monotonic.now())
    }
    fn flips(&mut self, _flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        Ok(())
    }
    fn stop(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

fn camera() -> AnyStage {
    AnyStage::source(TestSrc::new(TestSrcConfig {
        format: Format::YUYV,
        width: 96,
        height: 18,
        rate: None,
        frames: Some(FRAMES),
    }))
}

fn prepared(graph: Builder) -> Result<Pipeline, PipelineError> {
    graph.prepare(&dmaflow_heaps::registry())
}

fn every_frame() -> QueuePolicy {
    QueuePolicy::Block {
        depth: std::num::NonZeroUsize::MIN,
    }
}

/// A camera of YUYV with a screen for that and one for XRGB8888.
fn two_screens() -> (Builder, [Arc<Mutex<Vec<Seen>>>; 2]) {
    let (first, of_camera) = Screen::new(Format::YUYV);
    let (second, converted) = Screen::new(Format::XRGB8888);
    let mut graph = Builder::new();
    let camera = graph.add("camera", camera());
    let first = graph.add("first", AnyStage::sink(first));
    let screen = graph.add("screen", AnyStage::sink(second));
    graph.connect(camera, first, every_frame());
    graph.connect(camera, screen, every_frame());
    (graph, [of_camera, converted])
}

fn why_not(graph: Builder) -> String {
    prepared(graph).map(drop).unwrap_err().to_string()
}

#[test]
fn nothing_is_copied_unless_that_is_allowed() {
    let chain = |takes| {
        let (screen, _seen) = Screen::new(takes);
        let mut graph = Builder::new();
        let camera = graph.add("camera", camera());
        let screen = graph.add("screen", AnyStage::sink(screen));
        graph.connect(camera, screen, every_frame());
        graph
    };
    assert_eq!(
        why_not(chain(Format::XRGB8888)),
        "`camera` offers YUYV; `screen` takes XRGB8888: no format in common; a converter from \
         YUYV to XRGB8888 would join them (no device here does it; a CPU conversion would: \
         zero-copy = \"allow\")"
    );
    assert_eq!(
        why_not(two_screens().0),
        "`first` takes YUYV; `screen` takes XRGB8888: no format in common; a CPU conversion \
         would join them: zero-copy = \"allow\""
    );
    // What the CPU cannot do either is not promised, and not done.
    let mut bayer = chain("SRGGB8".parse().unwrap());
    bayer.set_zero_copy(ZeroCopy::Allow);
    assert!(!why_not(bayer).contains("zero-copy"));
    let error = why_not(chain("SRGGB8".parse().unwrap()));
    assert!(error.contains("no format in common"), "{error}");
    assert!(!error.contains("zero-copy"), "{error}");
}

#[test]
fn where_it_is_allowed_the_cpu_converts_and_that_is_told() {
    let (mut graph, [of_camera, converted]) = two_screens();
    graph.set_zero_copy(ZeroCopy::Allow);
    let mut pipeline = prepared(graph).unwrap();
    let agreed = pipeline.agreement();
    assert!(!agreed.zero_copy);
    let how = "the CPU converts YUYV to XRGB8888";
    assert_eq!(agreed.copies, [("converter-1".to_owned(), how.to_owned())]);
    let chosen: Vec<_> = agreed
        .choices
        .iter()
        .filter(|(stage, _)| stage == "converter-1")
        .map(|(_, choice)| format!("{}: {}", choice.what, choice.chosen))
        .collect();
    assert!(chosen.contains(&format!("copy: {how}")), "{chosen:?}");
    assert!(
        chosen.iter().any(|chosen| chosen
            .starts_with("converter: put in: `first` takes YUYV; `screen` takes XRGB8888")),
        "{chosen:?}"
    );
    assert_eq!(pipeline.pools().len(), 2);

    for _run in 0..2 {
        let report = pipeline.run(Limits::default()).unwrap();
        assert_eq!((report.captured, report.unaccounted()), (FRAMES, 0));
        let buffer = pipeline.pools()[0].buffers().next().unwrap()[0].len();
        assert_eq!(report.cpu.copied, FRAMES * buffer as u64, "as it was");
        let free = |pool: &FramePool| pool.free() == pool.len();
        assert!(pipeline.pools().iter().all(free));
        let of_camera = std::mem::take(&mut *of_camera.lock().unwrap());
        let converted = std::mem::take(&mut *converted.lock().unwrap());
        assert_eq!(converted.len() as u64, FRAMES);
        same_pictures(&of_camera, &converted);
    }
}

fn same_pictures(of_camera: &[Seen], converted: &[Seen]) {
    for (number, made, bytes) in converted {
        let same = |(known, ..): &&Seen| known == number;
        let (_, of, drawn) = of_camera.iter().find(same).unwrap();
        for at in (0..96).flat_map(|x| (0..18).map(move |y| (x, y))) {
            let found = numbers(made, &[bytes], at).map(f64::from);
            let expected = colour(of, &[drawn], at);
            let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 3.5);
            assert!(
                near,
                "frame {number} at {at:?}: {found:?}, not {expected:?}"
            );
        }
    }
}

/// Makes frames, of those that it takes or not.
struct Own(CpuConverter, Option<String>);

impl Transform for Own {
    fn device(&self) -> String {
        "own".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn copies(&self) -> Option<String> {
        self.1.clone()
    }
    fn input_formats(&mut self) -> Result<Vec<Format>, StageError> {
        self.0.input_formats()
    }
    fn output_formats(&mut self, input: Format) -> Result<Vec<Format>, StageError> {
        self.0.output_formats(input)
    }
    fn configure(&mut self, input: &Layout, output: Format) -> Result<SourcePlan, StageError> {
        self.0.configure(input, output)
    }
    fn attach_input(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.0.attach_input(pool)
    }
    fn attach_output(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.0.attach_output(pool)
    }
    fn detach_input(&mut self) {
        self.0.detach_input();
    }
    fn detach_output(&mut self) {
        self.0.detach_output();
    }
    fn frames_held(&self) -> usize {
        self.0.frames_held()
    }
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        self.0.start()
    }
    fn transform(&mut self, frame: Frame, send: &mut dyn FnMut(Frame)) -> Result<(), StageError> {
        self.0.transform(frame, send)
    }
    fn stop(&mut self) -> Result<(), StageError> {
        self.0.stop()
    }
    fn counters(&self) -> Vec<Counter> {
        self.0.counters()
    }
}

fn with_stage(stage: AnyStage, asked: ZeroCopy) -> Result<Pipeline, PipelineError> {
    let mut graph = Builder::new();
    let camera = graph.add("camera", camera());
    let blur = graph.add("blur", stage);
    let screen = graph.add("screen", AnyStage::sink(NullSink::default()));
    graph.connect(camera, blur, every_frame());
    graph.connect(blur, screen, every_frame());
    graph.set_zero_copy(asked);
    prepared(graph)
}

#[test]
fn a_stage_that_says_it_copies_is_refused_by_name() {
    let own = |copies: Option<&str>| {
        AnyStage::transform(Own(CpuConverter::new(), copies.map(str::to_owned)))
    };
    let refused = with_stage(own(Some("it blurs with the CPU")), ZeroCopy::default());
    assert_eq!(
        refused.map(drop).unwrap_err().to_string(),
        "stage `blur` copies: it blurs with the CPU; without copies, a device has to do that, \
         such as `v4l2-convert`, or the stage be left out; to have it copy, allow it: \
         zero-copy = \"allow\""
    );
    let allowed = with_stage(own(Some("it blurs with the CPU")), ZeroCopy::Allow);
    let mut allowed = allowed.unwrap();
    assert_eq!(allowed.agreement().copies.len(), 1);
    let report = allowed.run(Limits::default()).unwrap();
    assert_eq!((report.captured, report.unaccounted()), (FRAMES, 0));
    assert!(report.cpu.copied > 0);
    // Who does not carry pixels over is not refused, and held to that by an audit.
    let mut unrefused = with_stage(own(None), ZeroCopy::Require).unwrap();
    unrefused.set_audited(true);
    let audit = unrefused.run(Limits::default()).unwrap().audit.unwrap();
    let findings = audit.findings.iter();
    let broken = findings.filter(|finding| finding.verdict == Verdict::Broken);
    let broken: Vec<_> = broken.map(|finding| finding.what.as_str()).collect();
    assert_eq!(broken, ["bytes copied"], "{:#?}", audit.findings);
    // A stage on the CPU that says nothing copies.
    let converter = AnyStage::transform(CpuConverter::new());
    assert!(matches!(
        with_stage(converter, ZeroCopy::Require),
        Err(PipelineError::Copies { .. })
    ));
}

#[test]
fn a_stopped_conversion_wakes_from_waiting_for_a_frame() {
    let mut converter = CpuConverter::new();
    let layout = Layout::packed(Format::YUYV, 64, 16).unwrap();
    let layout = layout.with_colour(Colour {
        encoding: Some(Encoding::Bt601),
        range: Some(Range::Limited),
    });
    let heap = dmaflow_heaps::registry().open("memfd").unwrap();
    let plan = converter.configure(&layout, Format::XRGB8888).unwrap();
    let input = FramePool::allocate(&heap, &layout, 2).unwrap();
    let output = FramePool::allocate(&heap, &plan.layout, 1).unwrap();
    converter.attach_input(&input).unwrap();
    converter.attach_output(&output).unwrap();
    let stopper = converter.start().unwrap();
    let taken = output.acquire().unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let mut sent = 0;
            let done = converter.transform(input.acquire().unwrap(), &mut |_| sent += 1);
            done.map(|()| sent)
        });
        stopper.stop();
        assert_eq!(waits.join().unwrap().unwrap(), 0);
    });
    drop(taken);
    // The frame was let go, and it can begin again.
    assert_eq!(input.free(), 2);
    converter.start().unwrap();
    let mut sent = 0;
    converter
        .transform(input.acquire().unwrap(), &mut |_| sent += 1)
        .unwrap();
    assert_eq!(sent, 1);
    let foreign = FramePool::allocate(&heap, &layout, 1).unwrap();
    let foreign = converter.transform(foreign.acquire().unwrap(), &mut |_| ());
    assert!(foreign.is_err());
}
