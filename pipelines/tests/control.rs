//! Pipelines that are looked at and changed while they run at full speed, of built-in stages.

#![expect(clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::stage::{
    Choice, ControlValue, Controls, Counter, Sink, Source, SourcePlan, StageError, Stopper,
};
use dmaflow_core::time::{Clock, Rate, Timestamp};
use dmaflow_kms_sink::{NullSink, PictureSink, PictureSinkConfig};
use dmaflow_pipelines::control::{LinkName, Role};
use dmaflow_pipelines::{
    AnyStage, Builder, Control, ControlError, Limits, Pipeline, QueuePolicy, Report, RunError,
    Selector, Supervisor,
};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

fn test_src(rate: Option<Rate>) -> TestSrc {
    TestSrc::new(TestSrcConfig {
        width: 80,
        height: 16,
        rate,
        ..TestSrcConfig::default()
    })
}

fn null() -> AnyStage {
    AnyStage::sink(NullSink::default())
}

fn prepared(mut graph: Builder) -> Pipeline {
    graph.set_spare(4);
    let prepared = graph.prepare(&dmaflow_heaps::registry());
    prepared.expect("a pipeline that runs anywhere")
}

fn link(text: &str) -> LinkName {
    text.parse().expect("a link")
}

fn queue(text: &str) -> QueuePolicy {
    text.parse().expect("a queue")
}

/// One camera, two sinks.
fn branched(rate: Option<Rate>) -> Pipeline {
    let mut graph = Builder::new();
    let camera = graph.add("camera", AnyStage::source(test_src(rate)));
    let screen = graph.add("screen", null());
    let record = graph.add("record", null());
    graph.connect(camera, screen, QueuePolicy::Latest);
    graph.connect(camera, record, QueuePolicy::FIFO);
    prepared(graph)
}

/// Runs a pipeline while `work` controls it, and stops it then.
fn controlled<T: Send>(
    pipeline: &mut Pipeline,
    work: impl FnOnce(&Control) -> T + Send,
) -> (Result<Report, RunError>, T) {
    let control = pipeline.control_handle();
    thread::scope(|scope| {
        let working = scope.spawn(move || {
            let end = StopAtEnd(control);
            until(|| end.0.state().is_ok(), "the run begins");
            work(&end.0)
        });
        let report = pipeline.run(Limits::default());
        match working.join() {
            Ok(outcome) => (report, outcome),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

struct StopAtEnd(Control);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn until(mut holds: impl FnMut() -> bool, what: &str) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Every frame is accounted for, and none is kept.
fn in_order(pipeline: &Pipeline, report: Result<Report, RunError>) -> Report {
    let report = report.expect("a run in good order");
    assert_eq!(report.unaccounted(), 0, "{report:?}");
    for pool in pipeline.pools() {
        assert_eq!(pool.free(), pool.len(), "a frame was not let go");
    }
    report
}

fn shown(report: &Report, stage: &str) -> u64 {
    let mut stages = report.stages.iter();
    let found = stages.find(|known| known.stage == stage);
    found.unwrap_or_else(|| panic!("no {stage}")).shown
}

/// Frames that a stage took so far.
fn taken(control: &Control, stage: &str) -> u64 {
    let seen = control.statistics().unwrap();
    let mut stages = seen.stages.iter();
    let found = stages.find(|known| known.stage == stage);
    found.unwrap_or_else(|| panic!("no {stage}")).taken
}

fn flows(control: &Control, stage: &str) {
    let before = taken(control, stage);
    until(|| taken(control, stage) > before + 20, "frames flow on");
}

/// Changes a queue, where that may come too soon after the change before.
fn changes_over(control: &Control, link: &LinkName, queue: QueuePolicy) {
    let is_taken = || match control.set_queue(link, queue) {
        Ok(()) => true,
        Err(ControlError::Waiting { .. } | ControlError::TooFewFrames { .. }) => false,
        Err(other) => panic!("{other}"),
    };
    until(is_taken, "the change is taken");
}

#[test]
fn without_a_run_there_is_nothing_to_control() {
    let mut pipeline = branched(None);
    let control = pipeline.control_handle();
    assert!(matches!(control.state(), Err(ControlError::NotRunning)));
    let limits = Limits {
        frames: Some(10),
        ..Limits::default()
    };
    pipeline.run(limits).unwrap();
    let refused = control.drop_branch(&link("camera->record"));
    assert!(matches!(refused, Err(ControlError::NotRunning)));
}

#[test]
fn a_supervised_pipeline_is_controlled() {
    let make = || {
        let mut graph = Builder::new();
        let camera = graph.add("camera", AnyStage::source(test_src(None)));
        let screen = graph.add("screen", null());
        graph.connect(camera, screen, QueuePolicy::Latest);
        graph.set_spare(4);
        graph.prepare(&dmaflow_heaps::registry())
    };
    let mut supervisor = Supervisor::new(make, Vec::new()).unwrap();
    let control = supervisor.control_handle();
    assert!(matches!(control.state(), Err(ControlError::NotRunning)));
    let report = thread::scope(|scope| {
        scope.spawn(|| {
            let end = StopAtEnd(control);
            let control = &end.0;
            until(|| control.state().is_ok(), "the run begins");
            let added = control.add_branch("camera", "more", null(), QueuePolicy::Latest);
            added.unwrap();
            flows(control, "more");
        });
        supervisor.run(Limits::default()).unwrap()
    });
    assert!(shown(&report, "more") >= 20);
    assert_eq!(report.unaccounted(), 0);
}

#[test]
fn a_run_tells_what_it_is_and_does() {
    let mut pipeline = branched(Rate::new(500, 1));
    let (report, ()) = controlled(&mut pipeline, |control| {
        flows(control, "screen");
        let state = control.state().unwrap();
        let stages: Vec<_> = state
            .stages
            .iter()
            .map(|stage| (stage.stage.as_str(), stage.role, stage.running))
            .collect();
        assert_eq!(
            stages,
            [
                ("camera", Role::Source, true),
                ("screen", Role::Sink, true),
                ("record", Role::Sink, true)
            ]
        );
        assert_eq!(state.links.len(), 2);
        assert_eq!(state.links[0].queue, QueuePolicy::Latest);
        assert_eq!(
            state.links[1].queue,
            queue("fifo:2"),
            "its frames are shared"
        );
        assert!(state.links[1].layouts[0].contains("80×16"), "{state:?}");
        assert_eq!(state.pools[0].spare, 4, "{state:?}");
        control.statistics().unwrap();
        thread::sleep(Duration::from_millis(200));
        let seen = control.statistics().unwrap();
        assert!((0.2..2.0).contains(&seen.since_s), "{seen:?}");
        let rate = seen.links[1].frames_per_second;
        assert!((100.0..700.0).contains(&rate), "{seen:?}");
        let first = control.clone().statistics().unwrap();
        assert!(
            first.since_s >= seen.elapsed_s,
            "each handle has its own looks"
        );
    });
    in_order(&pipeline, report);
}

#[test]
fn queues_change_while_frames_flow() {
    let mut pipeline = branched(None);
    let (report, ()) = controlled(&mut pipeline, |control| {
        for (link_name, policy) in [
            ("camera->screen", "fifo:3"),
            ("camera->record", "block:2"),
            ("camera->screen", "block"),
            ("camera->record", "latest"),
            ("camera->record", "fifo"),
            ("camera->screen", "latest"),
        ] {
            control.set_queue(&link(link_name), queue(policy)).unwrap();
            flows(control, "screen");
            flows(control, "record");
        }
        let state = control.state().unwrap();
        assert_eq!(state.links[0].queue, QueuePolicy::Latest);
        assert_eq!(state.links[1].queue, queue("fifo:2"));
    });
    let report = in_order(&pipeline, report);
    assert_eq!(report.links.len(), 2);
    assert_eq!(report.links[0].sent, report.captured, "no frame passed by");
    assert_eq!(report.links[1].sent, report.captured);
}

#[test]
fn nothing_is_lost_when_who_waits_for_room_changes_over() {
    let mut graph = Builder::new();
    let camera = graph.add("camera", AnyStage::source(test_src(None)));
    let screen = graph.add("screen", null());
    graph.connect(camera, screen, queue("block"));
    let mut pipeline = prepared(graph);
    let (report, ()) = controlled(&mut pipeline, |control| {
        for depth in (1..4).cycle().take(200) {
            let depth = NonZeroUsize::new(depth).unwrap();
            let queue = QueuePolicy::Block { depth };
            changes_over(control, &link("camera->screen"), queue);
        }
    });
    let report = in_order(&pipeline, report);
    assert_eq!(shown(&report, "screen"), report.captured);
    assert_eq!(report.dropped.total(), 0, "{report:?}");
}

#[test]
fn a_branch_is_dropped_and_the_other_goes_on() {
    let mut pipeline = branched(None);
    for _run in 0..2 {
        let (report, ()) = controlled(&mut pipeline, |control| {
            flows(control, "record");
            control.drop_branch(&link("camera->record")).unwrap();
            let ended = || {
                let state = control.state().unwrap();
                !state.stages[2].running && state.links.len() == 1
            };
            until(ended, "the branch ends");
            flows(control, "screen");
            let last = control.drop_branch(&link("camera->screen")).unwrap_err();
            assert!(matches!(last, ControlError::LastLink { .. }), "{last}");
            assert!(last.to_string().contains("stop the pipeline"), "{last}");
            let again = control.drop_branch(&link("camera->record")).unwrap_err();
            let told = again.to_string();
            assert_eq!(
                told,
                "there is no link camera->record; there are: camera->screen"
            );
            flows(control, "screen");
        });
        // The next run has all its branches again.
        let report = in_order(&pipeline, report);
        assert!(shown(&report, "record") > 0);
        assert!(report.links[0].sent > report.links[1].sent);
    }
}

/// Sinks and what waits for them behind a filter: all of it ends.
#[test]
fn what_stands_behind_a_dropped_link_ends_in_order() {
    let mut graph = Builder::new();
    let camera = graph.add("camera", AnyStage::source(test_src(None)));
    let screen = graph.add("screen", null());
    let half = dmaflow_pipelines::Decimate::new(2.try_into().unwrap());
    let half = graph.add("half", AnyStage::filter(half));
    let ends = ["one", "two"].map(|name| graph.add(name, null()));
    graph.connect(camera, screen, QueuePolicy::Latest);
    graph.connect(camera, half, QueuePolicy::FIFO);
    for end in ends {
        graph.connect(half, end, QueuePolicy::FIFO);
    }
    let mut pipeline = prepared(graph);
    let (report, ()) = controlled(&mut pipeline, |control| {
        flows(control, "two");
        control.drop_branch(&link("camera->half")).unwrap();
        until(
            || {
                let state = control.state().unwrap();
                state.stages.iter().filter(|stage| stage.running).count() == 2
            },
            "the filter and the sinks behind it end",
        );
        flows(control, "screen");
    });
    let report = in_order(&pipeline, report);
    let half: Vec<_> = report.links[2..].iter().map(|link| link.sent).collect();
    assert_eq!(half[0], half[1], "{report:?}");
}

#[test]
fn a_branch_is_added_and_dropped_again() {
    let mut pipeline = branched(None);
    let (report, ()) = controlled(&mut pipeline, |control| {
        for _time in 0..3 {
            control
                .add_branch("camera", "third", null(), queue("fifo:2"))
                .unwrap();
            flows(control, "third");
            let state = control.state().unwrap();
            assert_eq!(state.links.len(), 3);
            assert!(state.stages[3].added && state.stages[3].running);
            let twice = control.add_branch("camera", "third", null(), QueuePolicy::Latest);
            assert!(matches!(twice, Err(ControlError::NameTaken { .. })));
            control
                .set_queue(&link("camera->third"), QueuePolicy::Latest)
                .unwrap();
            flows(control, "third");
            control.drop_branch(&link("camera->third")).unwrap();
            let ended = || !control.state().unwrap().stages[3].running;
            until(ended, "the branch ends");
        }
        control
            .add_branch("camera", "fourth", null(), QueuePolicy::Latest)
            .unwrap();
        flows(control, "fourth");
    });
    let report = in_order(&pipeline, report);
    let names: Vec<_> = report.stages.iter().map(|stage| &stage.stage).collect();
    assert_eq!(names, ["camera", "screen", "record", "third", "fourth"]);
    assert!(shown(&report, "third") > 60);
}

#[test]
fn who_would_hold_too_many_frames_is_not_let_in() {
    let mut pipeline = branched(None);
    let (report, ()) = controlled(&mut pipeline, |control| {
        let refused = control.add_branch("camera", "deep", null(), queue("fifo:5"));
        let refused = refused.unwrap_err();
        assert!(
            matches!(
                refused,
                ControlError::TooFewFrames { needed: 5, frames, device, held, .. }
                    if frames == device + held + 4
            ),
            "{refused}"
        );
        assert!(refused.to_string().contains("`control`"), "{refused}");
        let fits = control.add_branch("camera", "deep", null(), queue("fifo:4"));
        fits.unwrap();
        assert_eq!(control.state().unwrap().pools[0].spare, 0);
        flows(control, "deep");
        // What a dropped branch held is there for others.
        control.drop_branch(&link("camera->deep")).unwrap();
        assert_eq!(control.state().unwrap().pools[0].spare, 4);
    });
    in_order(&pipeline, report);
}

#[test]
fn a_link_is_not_made_deeper_than_there_are_frames_to_spare() {
    let mut pipeline = branched(None);
    let (report, ()) = controlled(&mut pipeline, |control| {
        let screen = link("camera->screen");
        let refused = control.set_queue(&screen, queue("fifo:6")).unwrap_err();
        assert!(
            matches!(refused, ControlError::TooFewFrames { needed: 5, .. }),
            "{refused}"
        );
        control.set_queue(&screen, queue("fifo:5")).unwrap();
        assert_eq!(control.state().unwrap().pools[0].spare, 0);
        flows(control, "screen");
        for policy in ["block:5", "latest"] {
            changes_over(control, &screen, queue(policy));
        }
        assert_eq!(control.state().unwrap().pools[0].spare, 4);
    });
    in_order(&pipeline, report);
}

#[test]
fn a_sink_that_comes_again_goes_on_counting_all_it_counts() {
    let folder = std::env::temp_dir().join(format!("again-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut pipeline = branched(Rate::new(500, 1));
    let (report, ()) = controlled(&mut pipeline, |control| {
        for _time in 0..2 {
            let pictures = PictureSink::new(PictureSinkConfig {
                path: folder.join("{n}.png"),
                every: std::num::NonZeroU64::MIN,
            });
            let pictures = AnyStage::sink(pictures);
            control
                .add_branch("camera", "pictures", pictures, QueuePolicy::Latest)
                .unwrap();
            let before = taken(control, "pictures");
            until(|| taken(control, "pictures") > before + 3, "pictures");
            control.drop_branch(&link("camera->pictures")).unwrap();
            let ended = || !control.state().unwrap().stages[3].running;
            until(ended, "the branch ends");
        }
    });
    let report = in_order(&pipeline, report);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(shown(&report, "pictures") > 6);
    let counted = report.counter("pictures");
    assert_eq!(counted, Some(shown(&report, "pictures")), "{report:?}");
    let stage = &report.stages[3];
    assert_eq!(stage.taken, stage.shown + stage.at_stop);
}

#[test]
fn what_is_wrong_names_what_there_is() {
    let mut pipeline = branched(Rate::new(100, 1));
    let (report, ()) = controlled(&mut pipeline, |control| {
        let value = ControlValue::Integer(1);
        for (refused, told) in [
            (
                control.set_queue(&link("camera->nobody"), QueuePolicy::Latest),
                "there is no link camera->nobody; there are: camera->screen, camera->record",
            ),
            (
                control.select("nobody", "0"),
                "no stage is called `nobody`; there are: camera, screen, record",
            ),
            (
                control.select("camera", "0"),
                "stage `camera` does not choose between its inputs; these do: none",
            ),
            (
                control.set_control("screen", "brightness", &value),
                "stage `screen` has no controls; these have some: none",
            ),
            (
                control.add_branch("screen", "more", null(), QueuePolicy::Latest),
                "no frames leave stage `screen`; they leave: camera",
            ),
            (
                control.add_branch(
                    "camera",
                    "more",
                    AnyStage::source(test_src(None)),
                    QueuePolicy::Latest,
                ),
                "`more` does not use frames up: only sinks can be added",
            ),
        ] {
            assert_eq!(refused.unwrap_err().to_string(), told);
        }
        flows(control, "screen");
    });
    in_order(&pipeline, report);
}

#[test]
fn a_selector_changes_over() {
    let mut graph = Builder::new();
    let cameras = ["left", "right"].map(|name| {
        let camera = AnyStage::source(test_src(Rate::new(200, 1)));
        graph.add(name, camera)
    });
    let selector = graph.add("switch", AnyStage::router(Selector::new(2, 0)));
    let screen = graph.add("screen", null());
    graph.connect(cameras[0], selector.input(0), QueuePolicy::Latest);
    graph.connect(cameras[1], selector.input(1), QueuePolicy::Latest);
    graph.connect(selector, screen, QueuePolicy::Latest);
    let mut pipeline = prepared(graph);
    let (report, ()) = controlled(&mut pipeline, |control| {
        let selected = || {
            control
                .state()
                .unwrap()
                .stages
                .iter()
                .find_map(|stage| stage.selected)
        };
        assert_eq!(selected(), Some(0));
        for (input, number) in [("right", 1), ("left", 0), ("1", 1)] {
            control.select("switch", input).unwrap();
            assert_eq!(selected(), Some(number));
            flows(control, "screen");
        }
        let refused = control.select("switch", "2").unwrap_err().to_string();
        assert_eq!(refused, "`switch` has no input `2`; it has: left, right");
        // A sink behind it has the frames of both pools.
        let added = control.add_branch("switch", "more", null(), QueuePolicy::Latest);
        added.unwrap();
        flows(control, "more");
        // One of the inputs goes, the other stays.
        control.drop_branch(&link("left->switch")).unwrap_err();
    });
    in_order(&pipeline, report);
}

/// A picture's place in a directory of its own, which is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        Self(directory)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is overwritten some day; a test that failed tells more.
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn a_picture_is_taken_of_what_passes() {
    let scratch = Scratch::new("control-picture");
    let mut pipeline = branched(Rate::new(200, 1));
    let (report, ()) = controlled(&mut pipeline, |control| {
        let first = control.snapshot("camera", scratch.0.join("a.png")).unwrap();
        assert_eq!((first.width, first.height), (80, 16));
        // Of what a sink has, under the frame's number.
        let second = control.snapshot("screen", scratch.0.join("{n}.png"));
        let second = second.unwrap();
        assert!(second.sequence > first.sequence);
        let named = scratch.0.join(format!("{}.png", second.sequence));
        assert_eq!(second.path, named);
        for picture in [&first, &second] {
            let bytes = std::fs::read(&picture.path).unwrap();
            assert!(bytes.starts_with(b"\x89PNG"), "{picture:?}");
        }
        let refused = control.snapshot("camera", "/nonexistent-folder/a.png");
        let refused = refused.unwrap_err();
        assert!(matches!(refused, ControlError::Stage { .. }), "{refused}");
        thread::scope(|scope| {
            let many: Vec<_> = (0..4)
                .map(|number| {
                    let path = scratch.0.join(format!("many-{number}.png"));
                    scope.spawn(move || control.snapshot("camera", path))
                })
                .collect();
            for one in many {
                one.join().unwrap().unwrap();
            }
        });
        flows(control, "screen");
        assert_eq!(control.state().unwrap().stages.len(), 3);
    });
    let report = in_order(&pipeline, report);
    assert_eq!(shown(&report, "snapshot"), 6);
}

#[test]
fn an_added_sink_that_fails_ends_alone() {
    let mut pipeline = branched(Rate::new(200, 1));
    let (report, ()) = controlled(&mut pipeline, |control| {
        let pictures = PictureSink::new(PictureSinkConfig {
            path: "/nonexistent-folder/{n}.png".into(),
            every: 1.try_into().unwrap(),
        });
        control
            .add_branch(
                "camera",
                "stills",
                AnyStage::sink(pictures),
                QueuePolicy::Latest,
            )
            .unwrap();
        until(
            || control.state().unwrap().stages[3].failure.is_some(),
            "the sink fails",
        );
        let state = control.state().unwrap();
        let failure = state.stages[3].failure.as_deref().unwrap();
        assert!(failure.contains("/nonexistent-folder/"), "{failure}");
        flows(control, "screen");
        flows(control, "record");
    });
    in_order(&pipeline, report);
}

/// A camera whose controls are a list.
struct Camera {
    camera: TestSrc,
    set: Arc<Knobs>,
}

#[derive(Default)]
struct Knobs(Mutex<Vec<(String, ControlValue)>>);

impl Controls for Knobs {
    fn set(&self, name: &str, value: &ControlValue) -> Result<(), StageError> {
        let mut set = self.0.lock().expect("no panic");
        set.push((name.to_owned(), value.clone()));
        Ok(())
    }
}

impl Source for Camera {
    fn device(&self) -> String {
        self.camera.device()
    }
    fn imports(&self) -> bool {
        false
    }
    fn controls(&self) -> Option<Arc<dyn Controls>> {
        Some(Arc::<Knobs>::clone(&self.set))
    }
    fn formats(&mut self) -> Result<Vec<Format>, StageError> {
        self.camera.formats()
    }
    fn configure(&mut self, format: Format) -> Result<SourcePlan, StageError> {
        self.camera.configure(format)
    }
    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError> {
        self.camera.attach(pool)
    }
    fn detach(&mut self) {
        self.camera.detach();
    }
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        self.camera.start()
    }
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        self.camera.next_frame()
    }
    fn stop(&mut self) -> Result<(), StageError> {
        self.camera.stop()
    }
    fn counters(&self) -> Vec<Counter> {
        self.camera.counters()
    }
}

#[test]
fn a_control_is_set_while_frames_flow() {
    let set = Arc::new(Knobs::default());
    let mut graph = Builder::new();
    let camera = Camera {
        camera: test_src(None),
        set: Arc::clone(&set),
    };
    let camera = graph.add("camera", AnyStage::source(camera));
    let screen = graph.add("screen", null());
    graph.connect(camera, screen, QueuePolicy::Latest);
    let mut pipeline = prepared(graph);
    let (report, ()) = controlled(&mut pipeline, |control| {
        let value = ControlValue::Text("auto".to_owned());
        control.set_control("camera", "exposure", &value).unwrap();
        assert!(control.state().unwrap().stages[0].controls);
    });
    in_order(&pipeline, report);
    let set = set.0.lock().unwrap();
    assert_eq!(set.len(), 1);
    assert_eq!(set[0].0, "exposure");
}

/// Keeps a frame, as a display does, and takes its time.
struct Screen(Option<Frame>);

impl Sink for Screen {
    fn device(&self) -> String {
        "a screen".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        Ok(None)
    }
    fn attach(&mut self, _pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        Ok(Vec::new())
    }
    fn detach(&mut self) {
        self.0 = None;
    }
    fn frames_held(&self) -> usize {
        1
    }
    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError> {
        self.0 = Some(frame);
        thread::sleep(Duration::from_micros(50));
        Ok(Clock::Monotonic.now())
    }
    fn flips(&mut self, _flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        Ok(())
    }
    fn stop(&mut self) -> Result<(), StageError> {
        self.0 = None;
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

#[test]
fn a_dropped_screen_lets_go_of_what_it_shows() {
    let mut graph = Builder::new();
    let camera = graph.add("camera", AnyStage::source(test_src(Rate::new(200, 1))));
    let one = graph.add("one", AnyStage::sink(Screen(None)));
    let other = graph.add("other", null());
    graph.connect(camera, one, QueuePolicy::Latest);
    graph.connect(camera, other, QueuePolicy::Latest);
    let mut pipeline = prepared(graph);
    let pool = pipeline.pool().clone();
    let (report, ()) = controlled(&mut pipeline, |control| {
        flows(control, "one");
        control.drop_branch(&link("camera->one")).unwrap();
        until(
            || pool.free() == pool.len(),
            "the frame that it showed comes back",
        );
        flows(control, "other");
    });
    in_order(&pipeline, report);
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).expect("31 bits") % most
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

#[test]
fn a_thousand_commands_lose_no_frame() {
    let mut graph = Builder::new();
    let camera = graph.add("camera", AnyStage::source(test_src(None)));
    let half = dmaflow_pipelines::Decimate::new(2.try_into().unwrap());
    let half = graph.add("half", AnyStage::filter(half));
    let screen = graph.add("screen", AnyStage::sink(Screen(None)));
    let record = graph.add("record", null());
    graph.connect(camera, screen, QueuePolicy::Latest);
    graph.connect(camera, half, QueuePolicy::FIFO);
    graph.connect(half, record, QueuePolicy::FIFO);
    let mut pipeline = prepared(graph);
    let scratch = Scratch::new("control-thousand");
    let picture = scratch.0.join("picture.png");
    let names = ["a", "b", "c"];
    let links = [
        "camera->screen",
        "half->record",
        "camera->a",
        "camera->b",
        "camera->c",
        "half->a",
        "half->b",
        "half->c",
    ];
    let queues = ["latest", "fifo", "fifo:1", "fifo:3", "block:1", "block:2"];
    let (report, done) = controlled(&mut pipeline, |control| {
        let mut numbers = Numbers(7);
        let mut done = [0_u32; 5];
        for _command in 0..1000 {
            let kind = numbers.below(20);
            let (kind, outcome) = match kind {
                0..6 => {
                    let queue = queue(numbers.one_of(&queues));
                    (0, control.set_queue(&link(numbers.one_of(&links)), queue))
                }
                6..10 => {
                    let from = numbers.one_of(&["camera", "half"]);
                    let stage = if numbers.below(2) == 0 {
                        null()
                    } else {
                        AnyStage::sink(Screen(None))
                    };
                    let queue = queue(numbers.one_of(&queues));
                    (
                        1,
                        control.add_branch(from, numbers.one_of(&names), stage, queue),
                    )
                }
                10..16 => {
                    // The branch that the others hang on stays.
                    let dropped = numbers.one_of(&links[2..]);
                    (2, control.drop_branch(&link(dropped)))
                }
                16 => {
                    let taken = control.snapshot(numbers.one_of(&["camera", "half"]), &picture);
                    (3, taken.map(drop))
                }
                _ => (4, control.statistics().map(drop)),
            };
            match outcome {
                Ok(()) => done[kind] += 1,
                Err(
                    ControlError::NoLink { .. }
                    | ControlError::LinkEnded { .. }
                    | ControlError::NameTaken { .. }
                    | ControlError::TooFewFrames { .. }
                    | ControlError::Waiting { .. },
                ) => {}
                Err(other) => panic!("{other}"),
            }
        }
        flows(control, "screen");
        flows(control, "record");
        done
    });
    let report = in_order(&pipeline, report);
    assert!(done.iter().all(|done| *done >= 10), "{done:?}");
    assert_eq!(report.links[0].sent, report.captured);
}
