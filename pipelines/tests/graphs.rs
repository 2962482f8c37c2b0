//! Pipelines that branch and join, of built-in stages.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::stage::{Choice, Counter, Filter, Mixer, Router, Sink, StageError};
use dmaflow_core::time::{Clock, Rate, Timestamp};
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::error::GraphError;
use dmaflow_pipelines::{
    AnyStage, Builder, Decimate, Limits, Pipeline, PipelineError, QueuePolicy, Report, StageId,
};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

fn source(rate: Option<Rate>) -> AnyStage {
    AnyStage::source(TestSrc::new(TestSrcConfig {
        width: 80,
        height: 16,
        rate,
        ..TestSrcConfig::default()
    }))
}

fn frames(count: u64) -> Limits {
    Limits {
        frames: Some(count),
        ..Limits::default()
    }
}

fn depth(depth: usize) -> NonZeroUsize {
    NonZeroUsize::new(depth).expect("more than none")
}

fn prepared(graph: Builder) -> Pipeline {
    let prepared = graph.prepare(&dmaflow_heaps::registry());
    prepared.expect("a pipeline that runs anywhere")
}

fn shown(report: &Report, stage: &str) -> u64 {
    let stages = report.stages.iter();
    stages
        .filter(|known| known.stage == stage)
        .map(|known| known.shown)
        .sum()
}

fn all_free(pipeline: &Pipeline) -> bool {
    pipeline
        .pools()
        .iter()
        .all(|pool| pool.free() == pool.len())
}

/// Takes its time over each frame.
struct Slow(Duration);

impl Filter for Slow {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        thread::sleep(self.0);
        Ok(Some(frame))
    }
}

#[test]
fn a_frame_has_several_users_and_every_tenth_goes_aside() {
    let mut graph = Builder::new();
    let camera = graph.add("camera", source(None));
    let screen = graph.add("screen", AnyStage::sink(NullSink::default()));
    let tenth = Decimate::new(NonZeroU64::new(10).unwrap());
    let tenth = graph.add("tenth", AnyStage::filter(tenth));
    let pictures = graph.add("pictures", AnyStage::sink(NullSink::default()));
    let wait = QueuePolicy::Block { depth: depth(2) };
    graph.connect(camera, screen, wait);
    graph.connect(camera, tenth, wait);
    graph.connect(tenth, pictures, wait);
    let mut pipeline = prepared(graph);
    assert_eq!(pipeline.pools().len(), 1, "one pool for all users");
    for _run in 0..5 {
        let report = pipeline.run(frames(200)).unwrap();
        assert_eq!(report.captured, 200);
        assert_eq!(
            (shown(&report, "screen"), shown(&report, "pictures")),
            (200, 20)
        );
        assert_eq!((report.unaccounted(), report.dropped.filtered), (0, 180));
        assert_eq!(report.dropped.superseded + report.dropped.at_stop, 0);
        assert!(all_free(&pipeline));
    }
}

#[test]
fn a_slow_branch_does_not_slow_the_other() {
    for policy in [
        QueuePolicy::Latest,
        QueuePolicy::FIFO,
        QueuePolicy::Fifo {
            depth: Some(depth(3)),
        },
    ] {
        let mut graph = Builder::new();
        let camera = graph.add("camera", source(Rate::new(200, 1)));
        let fast = graph.add("fast", AnyStage::sink(NullSink::default()));
        let slow = graph.add("slow", AnyStage::filter(Slow(Duration::from_millis(60))));
        let end = graph.add("end", AnyStage::sink(NullSink::default()));
        graph.connect(
            camera,
            fast,
            QueuePolicy::Fifo {
                // Whatever else this machine does.
                depth: Some(depth(100)),
            },
        );
        graph.connect(camera, slow, policy);
        graph.connect(slow, end, QueuePolicy::Latest);
        let mut pipeline = prepared(graph);
        let report = pipeline.run(frames(100)).unwrap();
        assert_eq!(report.captured, 100, "{policy}");
        assert_eq!(shown(&report, "fast"), 100, "{policy}: {:?}", report.links);
        let slow = &report.links[1];
        assert!(slow.superseded > 0, "{policy}: {slow:?}");
        assert_eq!(report.unaccounted(), 0);
        assert!(all_free(&pipeline));
    }
}

/// Passes frames of one input on, and changes over when it is told.
struct Switch(Arc<AtomicU64>);

impl Router for Switch {
    fn inputs(&self) -> usize {
        2
    }

    fn outputs(&self) -> usize {
        1
    }

    fn route(
        &mut self,
        input: usize,
        frame: Frame,
        send: &mut dyn FnMut(usize, Frame),
    ) -> Result<(), StageError> {
        if self.0.load(Ordering::Relaxed) == input as u64 {
            send(0, frame);
        }
        Ok(())
    }
}

/// Tells which pools its frames came from.
#[derive(Default)]
struct Pools {
    seen: Arc<AtomicU64>,
    known: Vec<FramePool>,
}

impl Sink for Pools {
    fn device(&self) -> String {
        "pools".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        Ok(None)
    }
    fn attach(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.known.push(pool.clone());
        Ok(Vec::new())
    }
    fn detach(&mut self) {
        self.known.clear();
    }
    fn frames_held(&self) -> usize {
        0
    }
    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError> {
        let place = self.known.iter().position(|pool| pool.id() == frame.pool());
        let place = place.expect("a pool that was attached");
        self.seen.fetch_or(1 << place, Ordering::Relaxed);
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

/// Fails after some frames, by itself or with all others.
struct Fails {
    after: u64,
    alone: bool,
}

impl Sink for Fails {
    fn device(&self) -> String {
        "a full disk".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn fails_alone(&self) -> bool {
        self.alone
    }
    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        Ok(None)
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
    fn show(&mut self, _frame: Frame) -> Result<Timestamp, StageError> {
        self.after = self
            .after
            .checked_sub(1)
            .ok_or_else(|| StageError::failed(std::io::Error::other("no space left")))?;
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

#[test]
fn a_sink_that_fails_alone_ends_its_branch_and_no_other() {
    let wait = QueuePolicy::Block { depth: depth(2) };
    let run = |alone: bool, beside: bool| {
        let mut graph = Builder::new();
        let camera = graph.add("camera", source(None));
        let thin = graph.add("thin", AnyStage::filter(Slow(Duration::ZERO)));
        let disk = graph.add("disk", AnyStage::sink(Fails { after: 5, alone }));
        graph.connect(camera, thin, wait);
        graph.connect(thin, disk, wait);
        if beside {
            let screen = graph.add("screen", AnyStage::sink(NullSink::default()));
            graph.connect(camera, screen, wait);
        }
        let mut pipeline = prepared(graph);
        let outcome = pipeline.run(frames(100));
        assert!(all_free(&pipeline));
        outcome
    };
    let report = run(true, true).expect("the screen goes on");
    assert_eq!((report.captured, shown(&report, "screen")), (100, 100));
    // Of the last one that it took it is not known.
    assert_eq!((shown(&report, "disk"), report.unaccounted()), (4, 0));
    for stage in &report.stages {
        let told = stage.failure.as_deref();
        let right = (stage.stage == "disk").then_some("stage `disk`: no space left");
        assert_eq!(told, right, "{}", stage.stage);
    }
    for (alone, beside) in [(true, false), (false, true)] {
        let error = run(alone, beside).expect_err("the run fails");
        assert!(error.to_string().contains("no space left"), "{error}");
    }
}

#[test]
fn two_sources_take_turns_at_one_sink() {
    let (chosen, sink) = (Arc::new(AtomicU64::new(0)), Pools::default());
    let seen = Arc::clone(&sink.seen);
    let mut graph = Builder::new();
    let one = graph.add("one", source(Rate::new(200, 1)));
    let other = graph.add("other", source(Rate::new(200, 1)));
    let switch = graph.add("switch", AnyStage::router(Switch(Arc::clone(&chosen))));
    let sink = graph.add("sink", AnyStage::sink(sink));
    graph.connect(one, switch.input(0), QueuePolicy::Latest);
    graph.connect(other, switch.input(1), QueuePolicy::Latest);
    graph.connect(switch, sink, QueuePolicy::Latest);
    let mut pipeline = prepared(graph);
    assert_eq!(pipeline.pools().len(), 2);
    let report = pipeline.run(frames(20)).unwrap();
    assert_eq!(seen.swap(0, Ordering::Relaxed), 0b01);
    assert_eq!((report.captured, report.unaccounted()), (40, 0));
    chosen.store(1, Ordering::Relaxed);
    pipeline.run(frames(20)).unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 0b10);
    assert!(all_free(&pipeline));
}

/// Keeps the newest frame of each input.
struct Mosaic {
    inputs: usize,
    kept: Vec<Option<Frame>>,
    arranged: bool,
}

impl Mosaic {
    fn new(inputs: usize) -> Self {
        let kept = (0..inputs).map(|_input| None).collect();
        Self {
            inputs,
            kept,
            arranged: false,
        }
    }
}

impl Mixer for Mosaic {
    fn device(&self) -> String {
        "mosaic".to_owned()
    }
    fn inputs(&self) -> usize {
        self.inputs
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
        self.arranged = true;
        Ok(Vec::new())
    }
    fn detach(&mut self, _input: usize) {}
    fn frames_held(&self) -> usize {
        1
    }
    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn show(&mut self, frames: &mut [Option<Frame>]) -> Result<Timestamp, StageError> {
        assert!(self.arranged);
        for (kept, frame) in self.kept.iter_mut().zip(frames) {
            if let Some(frame) = frame.take() {
                *kept = Some(frame);
            }
        }
        Ok(Clock::Monotonic.now())
    }
    fn flips(&mut self, _flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        Ok(())
    }
    fn stop(&mut self) -> Result<(), StageError> {
        self.kept.fill_with(|| None);
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

#[test]
fn several_sources_are_shown_together() {
    let mut graph = Builder::new();
    let mosaic = graph.add("mosaic", AnyStage::mixer(Mosaic::new(3)));
    for (input, rate) in [(0, 100), (1, 50), (2, 200)] {
        let camera = graph.add(&format!("camera-{input}"), source(Rate::new(rate, 1)));
        let fifo = QueuePolicy::Fifo { depth: None };
        graph.connect(camera, mosaic.input(input), fifo);
    }
    let mut pipeline = prepared(graph);
    let report = pipeline.run(frames(20)).unwrap();
    assert_eq!((report.captured, report.unaccounted()), (60, 0));
    assert_eq!(shown(&report, "mosaic"), 60, "{report:?}");
    assert!(all_free(&pipeline));
}

#[test]
fn what_is_no_pipeline_says_why() {
    let refused = |join: &dyn Fn(&mut Builder, StageId, StageId)| {
        let mut graph = Builder::new();
        let camera = graph.add("camera", source(None));
        let sink = graph.add("sink", AnyStage::sink(NullSink::default()));
        join(&mut graph, camera, sink);
        match graph.prepare(&dmaflow_heaps::registry()).map(drop) {
            Err(PipelineError::Graph(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let latest = QueuePolicy::Latest;
    assert!(matches!(
        refused(&|_, _, _| {}),
        GraphError::NothingLeaves { .. }
    ));
    let into_source = refused(&|graph, camera, sink| graph.connect(sink, camera, latest));
    assert!(matches!(into_source, GraphError::NoOutput { port: 0, .. }));
    let twice = refused(&|graph, camera, sink| {
        graph.connect(camera, sink, latest);
        graph.connect(camera, sink, latest);
    });
    assert!(matches!(twice, GraphError::TwoLinks { .. }), "{twice}");
    let cycle = refused(&|graph, camera, sink| {
        graph.connect(camera, sink, latest);
        let one = graph.add("one", AnyStage::filter(Slow(Duration::ZERO)));
        let other = graph.add("other", AnyStage::filter(Slow(Duration::ZERO)));
        graph.connect(one, other, latest);
        graph.connect(other, one, latest);
    });
    assert_eq!(cycle, GraphError::Cycle("one".to_owned()));
}
