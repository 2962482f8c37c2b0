//! Stages whose frames come out by themselves: codecs, which keep some.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{
    Choice, Counter, Outlet, Sink, SourcePlan, StageError, Stopper, Transform,
};
use dmaflow_core::time::{Clock, Timestamp};
use dmaflow_pipelines::error::RunFailure;
use dmaflow_pipelines::{AnyStage, Builder, Limits, Pipeline, QueuePolicy, Report, RunError};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

const FAR: Duration = Duration::from_secs(30);

/// Frames that the coder keeps before it gives the first.
const KEPT: usize = 3;

/// What goes wrong with the coder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// One frame of five never comes out.
    Loses,
    /// The outlet fails after so many frames.
    OutletFails(u64),
    /// Nothing can be handed over after so many frames.
    InletFails(u64),
    /// The thread that hands frames over panics after so many.
    InletPanics(u64),
    /// The thread that waits for frames panics after so many.
    OutletPanics(u64),
    /// The end never comes out.
    NeverEnds,
    /// What comes out is larger after so many frames.
    Changes(u64),
}

/// What is inside the coder.
#[derive(Default)]
struct Inside {
    kept: VecDeque<FrameMeta>,
    finished: bool,
    stopped: bool,
}

#[derive(Default)]
struct Device {
    inside: Mutex<Inside>,
    changed: Condvar,
}

impl Device {
    fn change(&self, change: impl FnOnce(&mut Inside)) {
        change(&mut self.inside.lock().unwrap());
        self.changed.notify_all();
    }
}

impl Stopper for Device {
    fn stop(&self) {
        self.change(|inside| inside.stopped = true);
    }
}

/// Compresses frames, and keeps some.
struct Coder {
    device: Arc<Device>,
    output: Option<FramePool>,
    fault: Fault,
    taken: u64,
}

struct Out {
    device: Arc<Device>,
    pool: FramePool,
    fault: Fault,
    given: u64,
    changed: bool,
}

/// What the coder makes of pictures.
fn coded(size: (u32, u32), len: u32) -> Result<Layout, StageError> {
    Layout::compressed("FWHT".parse().unwrap(), size, len).map_err(StageError::failed)
}

impl Outlet for Out {
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        match self.fault {
            Fault::Changes(after) if self.given == after && !self.changed => return Ok(None),
            Fault::OutletFails(after) if self.given == after => {
                return Err(StageError::failed(std::io::Error::other("DQBUF failed")));
            }
            Fault::OutletPanics(after) => assert!(self.given < after, "the outlet fell"),
            _ => {}
        }
        let inside = self.device.inside.lock().unwrap();
        let never = self.fault == Fault::NeverEnds;
        let waits = |inside: &mut Inside| {
            let ends = inside.finished && !(never && inside.kept.is_empty());
            !inside.stopped && !ends && inside.kept.len() <= KEPT
        };
        let mut inside = self.device.changed.wait_while(inside, waits).unwrap();
        if inside.stopped {
            return Ok(None);
        }
        let Some(known) = inside.kept.pop_front() else {
            return Ok(None);
        };
        drop(inside);
        let mut made = loop {
            if let Some(free) = self.pool.acquire() {
                break free;
            }
            if self.device.inside.lock().unwrap().stopped {
                return Ok(None);
            }
            thread::yield_now();
        };
        made.set_meta(FrameMeta {
            bytes_used: Some(7),
            ..known
        });
        self.given += 1;
        Ok(Some(made))
    }

    fn changed(&mut self) -> Result<Option<Layout>, StageError> {
        let layout = self.pool.layout();
        match self.fault {
            Fault::Changes(after) if self.given == after && !self.changed => {
                coded((layout.width(), layout.height()), 9000).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError> {
        self.pool = pool.clone();
        self.changed = true;
        Ok(())
    }
}

impl Transform for Coder {
    fn device(&self) -> String {
        "a coder".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn copies(&self) -> Option<String> {
        None
    }
    fn input_formats(&mut self) -> Result<Vec<Format>, StageError> {
        Ok(vec![Format::XRGB8888, "FWHT".parse().unwrap()])
    }
    fn output_formats(&mut self, _input: Format) -> Result<Vec<Format>, StageError> {
        Ok(vec!["FWHT".parse().unwrap()])
    }
    fn configure(&mut self, input: &Layout, _output: Format) -> Result<SourcePlan, StageError> {
        Ok(SourcePlan {
            layout: coded((input.width(), input.height()), 5000)?,
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
        self.taken = 0;
        self.device.change(|inside| *inside = Inside::default());
        Ok(Arc::<Device>::clone(&self.device))
    }
    fn transform(&mut self, frame: Frame, _send: &mut dyn FnMut(Frame)) -> Result<(), StageError> {
        match self.fault {
            Fault::InletFails(after) if self.taken == after => {
                return Err(StageError::failed(std::io::Error::other("QBUF failed")));
            }
            Fault::InletPanics(after) => assert!(self.taken < after, "the inlet fell"),
            _ => {}
        }
        self.taken += 1;
        if self.fault != Fault::Loses || !self.taken.is_multiple_of(5) {
            self.device
                .change(|inside| inside.kept.push_back(frame.meta()));
        }
        Ok(())
    }
    fn outlet(&mut self) -> Option<Box<dyn Outlet>> {
        Some(Box::new(Out {
            device: Arc::clone(&self.device),
            pool: self.output.clone()?,
            fault: self.fault,
            given: 0,
            changed: false,
        }))
    }
    fn finish(&mut self) -> Result<(), StageError> {
        self.device.change(|inside| inside.finished = true);
        Ok(())
    }
    fn stop(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

/// Notes what comes, and may refuse to take more.
struct Notes {
    seen: mpsc::Sender<FrameMeta>,
    most: u64,
}

impl Sink for Notes {
    fn device(&self) -> String {
        "notes".to_owned()
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
    fn detach(&mut self) {}
    fn frames_held(&self) -> usize {
        1
    }
    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError> {
        if self.most == 0 {
            return Err(StageError::failed(std::io::Error::other("disk full")));
        }
        self.most -= 1;
        self.seen.send(frame.meta()).ok();
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

/// A camera of so many frames, a coder, and notes of what comes out of it.
fn pipeline(fault: Fault, frames: u64, most: u64) -> (Pipeline, mpsc::Receiver<FrameMeta>) {
    chain(&[fault], frames, most)
}

/// The same with several coders, one behind the other.
fn chain(faults: &[Fault], frames: u64, most: u64) -> (Pipeline, mpsc::Receiver<FrameMeta>) {
    let mut graph = Builder::new();
    let camera = TestSrc::new(TestSrcConfig {
        width: 80,
        height: 16,
        rate: None,
        frames: Some(frames),
        ..TestSrcConfig::default()
    });
    let camera = graph.add("camera", AnyStage::source(camera));
    let depth = NonZeroUsize::MIN;
    let mut last = camera;
    for (at, &fault) in faults.iter().enumerate() {
        let coder = Coder {
            device: Arc::default(),
            output: None,
            fault,
            taken: 0,
        };
        let coder = graph.add(&format!("coder{at}"), AnyStage::transform(coder));
        graph.connect(last, coder, QueuePolicy::Block { depth });
        last = coder;
    }
    let (seen, notes) = mpsc::channel();
    let sink = graph.add("notes", AnyStage::sink(Notes { seen, most }));
    graph.connect(last, sink, QueuePolicy::Latest);
    (graph.prepare(&dmaflow_heaps::registry()).unwrap(), notes)
}

/// Runs a pipeline, which has to end in time, and leave nothing.
fn ends(mut pipeline: Pipeline) -> Result<Report, RunError> {
    let (told, outcome) = mpsc::channel();
    // It is not joined: where the run does not end, neither would the test.
    thread::spawn(move || {
        let outcome = pipeline.run(Limits::default());
        for pool in pipeline.pools() {
            assert_eq!(pool.free(), pool.len(), "a frame was not let go");
        }
        told.send(outcome).ok();
    });
    outcome.recv_timeout(FAR).expect("the run ends")
}

#[test]
fn every_frame_comes_out_and_what_is_known_of_it_with_it() {
    let (pipeline, notes) = pipeline(Fault::None, 200, u64::MAX);
    let links = &pipeline.agreement().links;
    // Compressed frames build on each other: none is left out, whatever was asked for.
    let depth = NonZeroUsize::MIN;
    assert_eq!(links[1].queue, QueuePolicy::Block { depth });
    assert_eq!(links[1].layouts[0].buffer_lens(), [5000]);
    let report = ends(pipeline).unwrap();
    assert_eq!((report.captured, report.shown), (200, 200));
    assert_eq!(report.unaccounted(), 0);
    let seen: Vec<_> = notes.try_iter().collect();
    let sequences: Vec<_> = seen.iter().map(|meta| meta.sequence).collect();
    assert_eq!(sequences, (0..200).collect::<Vec<_>>());
    assert!(seen.iter().all(|meta| meta.bytes_used == Some(7)));
    assert!(seen.iter().all(|meta| meta.capture.is_some()));
}

#[test]
fn frames_that_change_come_in_another_pool_to_who_shows_them() {
    let (pipeline, notes) = pipeline(Fault::Changes(50), 100, u64::MAX);
    let report = ends(pipeline).unwrap();
    assert_eq!((report.captured, report.shown), (100, 100));
    assert_eq!((notes.try_iter().count(), report.unaccounted()), (100, 0));
}

#[test]
fn frames_that_change_end_the_run_where_a_stage_cannot_take_them() {
    let (pipeline, notes) = chain(&[Fault::Changes(50), Fault::None], 100, u64::MAX);
    let error = ends(pipeline).unwrap_err();
    let told = error.cause.to_string();
    let expected = "pictures change to 80×16 FWHT";
    assert!(told.contains("coder1") && told.contains(expected), "{told}");
    assert!(notes.try_iter().count() <= 50);
}

#[test]
fn what_does_not_come_out_is_accounted_for() {
    let (pipeline, _notes) = pipeline(Fault::Loses, 100, u64::MAX);
    let report = ends(pipeline).unwrap();
    assert_eq!((report.captured, report.shown), (100, 80));
    assert_eq!((report.dropped.at_stop, report.unaccounted()), (20, 0));
}

#[test]
fn a_stream_shorter_than_what_is_kept_comes_out_at_its_end() {
    let (pipeline, notes) = pipeline(Fault::None, 2, u64::MAX);
    let report = ends(pipeline).unwrap();
    assert_eq!((report.shown, notes.try_iter().count()), (2, 2));
}

#[test]
fn a_failure_on_either_side_ends_both() {
    for (fault, said) in [
        (Fault::OutletFails(0), "DQBUF failed"),
        (Fault::OutletFails(50), "DQBUF failed"),
        (Fault::InletFails(0), "QBUF failed"),
        (Fault::InletFails(50), "QBUF failed"),
    ] {
        let (pipeline, _notes) = pipeline(fault, 100_000, u64::MAX);
        let error = ends(pipeline).unwrap_err();
        assert!(error.to_string().contains(said), "{fault:?}: {error}");
        assert_eq!(error.report.unaccounted(), 0, "{fault:?}");
    }
}

#[test]
fn a_panic_on_either_side_ends_both() {
    for (fault, said) in [
        (Fault::InletPanics(20), "the inlet fell"),
        (Fault::OutletPanics(20), "the outlet fell"),
    ] {
        let (pipeline, _notes) = pipeline(fault, 100_000, u64::MAX);
        let error = ends(pipeline).unwrap_err();
        let RunFailure::Panicked { stage, message } = &error.cause else {
            panic!("{fault:?}: {error}");
        };
        assert_eq!((stage.as_str(), message.as_str()), ("coder0", said));
        assert_eq!(error.report.unaccounted(), 0, "{fault:?}");
    }
}

#[test]
fn an_end_that_does_not_come_out_is_noticed() {
    let (pipeline, notes) = pipeline(Fault::NeverEnds, 20, u64::MAX);
    let error = ends(pipeline).unwrap_err();
    let stuck = matches!(&error.cause, RunFailure::Stuck { stage, .. } if stage == "coder0");
    assert!(stuck, "{error}");
    assert_eq!((error.report.shown, error.report.unaccounted()), (20, 0));
    assert_eq!(notes.try_iter().count(), 20);
}

#[test]
fn nobody_waits_for_frames_that_nobody_takes() {
    let (pipeline, notes) = pipeline(Fault::None, 100_000, 30);
    let error = ends(pipeline).unwrap_err();
    assert!(error.to_string().contains("disk full"), "{error}");
    assert_eq!(error.report.unaccounted(), 0);
    assert_eq!(notes.try_iter().count(), 30);
}
