//! Stages that do not start, deliver nothing, or end before the others.
#![expect(clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{
    Bed, Choice, Counter, Filter, Mixer, Source, SourcePlan, StageError, Stopper, Transform,
};
use dmaflow_core::time::{Clock, Rate, Timestamp};
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::error::RunFailure;
use dmaflow_pipelines::{
    AnyStage, Builder, Limits, Pipeline, PoolRequest, QueuePolicy, Report, RunError,
};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

/// Longer than a stage may deliver nothing, with looks before and after.
const FAR: Duration = Duration::from_secs(30);

fn test_src(rate: Option<Rate>, frames: Option<u64>) -> TestSrc {
    TestSrc::new(TestSrcConfig {
        width: 80,
        height: 16,
        rate,
        frames,
        ..TestSrcConfig::default()
    })
}

/// A camera whose driver is at fault.
struct Faulty {
    inner: TestSrc,
    fault: Fault,
    bed: Arc<Bed>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It cannot be started.
    Start,
    /// No frame comes.
    Silent,
}

impl Faulty {
    fn stage(fault: Fault) -> AnyStage {
        AnyStage::source(Self {
            inner: test_src(None, None),
            fault,
            bed: Arc::default(),
        })
    }
}

impl Source for Faulty {
    fn device(&self) -> String {
        "a faulty camera".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn formats(&mut self) -> Result<Vec<Format>, StageError> {
        self.inner.formats()
    }
    fn configure(&mut self, format: Format) -> Result<SourcePlan, StageError> {
        self.inner.configure(format)
    }
    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError> {
        self.inner.attach(pool)
    }
    fn detach(&mut self) {
        self.inner.detach();
    }
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        if self.fault == Fault::Start {
            let refused = std::io::Error::other("STREAMON failed");
            return Err(StageError::failed(refused));
        }
        self.bed.clear();
        Ok(Arc::<Bed>::clone(&self.bed))
    }
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        while !self.bed.is_stopped() {
            self.bed.sleep(FAR);
        }
        Ok(None)
    }
    fn stop(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

/// Shows the frames of two cameras.
#[derive(Default)]
struct Wall {
    panics: bool,
}

impl Mixer for Wall {
    fn device(&self) -> String {
        "a wall".to_owned()
    }
    fn inputs(&self) -> usize {
        2
    }
    fn formats(&mut self, _input: usize) -> Result<Vec<Format>, StageError> {
        Ok(vec![Format::XRGB8888])
    }
    fn imports(&self) -> bool {
        false
    }
    fn attach(&mut self, _input: usize, _pool: &FramePool) -> Result<(), StageError> {
        Ok(())
    }
    fn arrange(&mut self) -> Result<Vec<Choice>, StageError> {
        Ok(Vec::new())
    }
    fn detach(&mut self, _input: usize) {}
    fn frames_held(&self) -> usize {
        0
    }
    fn ready(&mut self) -> Result<(), StageError> {
        assert!(!self.panics, "the wall fell");
        Ok(())
    }
    fn show(&mut self, frames: &mut [Option<Frame>]) -> Result<Timestamp, StageError> {
        frames.fill_with(|| None);
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

/// Two cameras on a wall.
fn wall(one: AnyStage, other: AnyStage) -> Pipeline {
    on_wall(Wall::default(), one, other)
}

fn on_wall(wall: Wall, one: AnyStage, other: AnyStage) -> Pipeline {
    let mut graph = Builder::new();
    let one = graph.add("one", one);
    let other = graph.add("other", other);
    let wall = graph.add("wall", AnyStage::mixer(wall));
    graph.connect(one, wall.input(0), QueuePolicy::Latest);
    graph.connect(other, wall.input(1), QueuePolicy::Latest);
    graph.prepare(&dmaflow_heaps::registry()).unwrap()
}

/// Runs a pipeline, which has to end in time.
fn ends(mut pipeline: Pipeline, limits: Limits) -> Result<Report, RunError> {
    let (told, outcome) = mpsc::channel();
    // It is not joined: where the run does not end, neither would the test.
    thread::spawn(move || {
        let outcome = pipeline.run(limits);
        for pool in pipeline.pools() {
            assert_eq!(pool.free(), pool.len(), "a frame was not let go");
        }
        told.send(outcome).ok();
    });
    outcome.recv_timeout(FAR).expect("the run ends")
}

#[test]
fn a_stage_that_does_not_start_ends_those_that_run_already() {
    let works = || AnyStage::source(test_src(None, None));
    for pipeline in [
        wall(works(), Faulty::stage(Fault::Start)),
        wall(Faulty::stage(Fault::Start), works()),
    ] {
        let error = ends(pipeline, Limits::default()).unwrap_err();
        assert!(matches!(error.cause, RunFailure::Stage { .. }), "{error}");
        assert!(error.to_string().contains("STREAMON failed"), "{error}");
        assert_eq!(error.report.unaccounted(), 0);
    }
}

#[test]
fn a_stage_that_does_not_start_is_the_failure_whatever_becomes_of_the_others() {
    let works = AnyStage::source(test_src(None, None));
    let pipeline = on_wall(Wall { panics: true }, Faulty::stage(Fault::Start), works);
    let error = ends(pipeline, Limits::default()).unwrap_err();
    assert!(error.to_string().contains("STREAMON failed"), "{error}");
}

/// Takes its time over its first frame.
struct Late {
    first: Option<Duration>,
}

impl Filter for Late {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        self.first.take().into_iter().for_each(thread::sleep);
        Ok(Some(frame))
    }
}

#[test]
fn a_source_that_waits_for_room_is_not_silent() {
    let mut graph = Builder::new();
    let camera = graph.add("camera", AnyStage::source(test_src(None, None)));
    let late = Late {
        first: Some(Duration::from_secs(8)),
    };
    let late = graph.add("late", AnyStage::filter(late));
    let screen = graph.add("screen", AnyStage::sink(NullSink::default()));
    let depth = NonZeroUsize::MIN;
    graph.connect(camera, late, QueuePolicy::Block { depth });
    graph.connect(late, screen, QueuePolicy::Latest);
    // More than it needs to go on.
    let buffers = Some(12);
    graph.set_pool(
        camera,
        PoolRequest {
            buffers,
            ..PoolRequest::default()
        },
    );
    let pipeline = graph.prepare(&dmaflow_heaps::registry()).unwrap();
    let limits = Limits {
        duration: None,
        frames: Some(20),
    };
    let report = ends(pipeline, limits).unwrap();
    assert_eq!((report.captured, report.unaccounted()), (20, 0));
}

#[test]
fn a_source_is_silent_also_when_another_has_come_to_its_end() {
    let short = AnyStage::source(test_src(None, Some(20)));
    let pipeline = wall(short, Faulty::stage(Fault::Silent));
    let control = pipeline.control_handle();
    let looking = thread::spawn(move || {
        let mut seen = None;
        while seen.is_none() {
            let state = control.state().ok();
            seen = state.filter(|state| !state.stages[0].running);
            thread::sleep(Duration::from_millis(1));
        }
        seen
    });
    let error = ends(pipeline, Limits::default()).unwrap_err();
    let RunFailure::Silent { stage, .. } = &error.cause else {
        panic!("{error}");
    };
    assert_eq!((stage.as_str(), error.report.captured), ("other", 20));
    let state = looking.join().unwrap().unwrap();
    assert!(state.stages[1].running, "{state:?}");
}

/// Passes pixels on as its device would, until it loses a frame.
struct Converter {
    output: Option<FramePool>,
    /// Frames until then.
    left: u64,
    bed: Arc<Bed>,
}

impl Transform for Converter {
    fn device(&self) -> String {
        "a converter".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn copies(&self) -> Option<String> {
        None
    }
    fn input_formats(&mut self) -> Result<Vec<Format>, StageError> {
        Ok(vec![Format::XRGB8888])
    }
    fn output_formats(&mut self, input: Format) -> Result<Vec<Format>, StageError> {
        Ok(vec![input])
    }
    fn configure(&mut self, input: &Layout, _output: Format) -> Result<SourcePlan, StageError> {
        Ok(SourcePlan {
            layout: input.clone(),
            rate: None,
            min_buffers: 1,
            choices: Vec::new(),
        })
    }
    fn attach_input(&mut self, _pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        Ok(Vec::new())
    }
    fn attach_output(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.output = Some(pool.clone());
        Ok(Vec::new())
    }
    fn detach_input(&mut self) {}
    fn detach_output(&mut self) {
        self.output = None;
    }
    fn frames_held(&self) -> usize {
        1
    }
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        self.bed.clear();
        Ok(Arc::<Bed>::clone(&self.bed))
    }
    fn transform(&mut self, _frame: Frame, send: &mut dyn FnMut(Frame)) -> Result<(), StageError> {
        if self.left == 0 {
            while !self.bed.is_stopped() {
                self.bed.sleep(FAR);
            }
            return Ok(());
        }
        self.left -= 1;
        let made = self.output.as_ref().and_then(FramePool::acquire);
        made.into_iter().for_each(send);
        Ok(())
    }
    fn stop(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

/// A camera, converted, on a screen.
fn converted(rate: Option<Rate>, left: u64) -> Pipeline {
    let mut graph = Builder::new();
    let camera = graph.add("camera", AnyStage::source(test_src(rate, None)));
    let converter = Converter {
        output: None,
        left,
        bed: Arc::default(),
    };
    let converter = graph.add("converter", AnyStage::transform(converter));
    let screen = graph.add("screen", AnyStage::sink(NullSink::default()));
    graph.connect(camera, converter, QueuePolicy::Latest);
    graph.connect(converter, screen, QueuePolicy::Latest);
    graph.prepare(&dmaflow_heaps::registry()).unwrap()
}

fn is_stuck(outcome: Result<Report, RunError>) {
    let error = outcome.unwrap_err();
    let RunFailure::Stuck { stage, .. } = &error.cause else {
        panic!("{error}");
    };
    assert_eq!(stage, "converter");
    assert_eq!(error.report.unaccounted(), 0);
}

#[test]
fn a_converter_that_loses_a_frame_is_noticed() {
    is_stuck(ends(converted(Rate::new(200, 1), 20), Limits::default()));
}

#[test]
fn a_converter_that_loses_a_frame_does_not_keep_a_run_from_its_end() {
    let limits = Limits {
        duration: Some(Duration::from_millis(300)),
        frames: None,
    };
    is_stuck(ends(converted(Rate::new(200, 1), 20), limits));
}

#[test]
fn a_converter_that_waits_for_frames_is_not_stuck() {
    let limits = Limits {
        duration: Some(Duration::from_secs(8)),
        frames: None,
    };
    // A frame comes seldom, and may be in work when somebody looks.
    let report = ends(converted(Rate::new(1, 4), u64::MAX), limits).unwrap();
    assert!(report.captured >= 1);
    assert_eq!(report.unaccounted(), 0);
}
