//! Pipelines of built-in stages: beginnings, ends, accounts.

use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::stage::{Choice, Counter, Filter, Sink, StageError};
use dmaflow_core::time::{Clock, Rate, Timestamp};
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::error::RunFailure;
use dmaflow_pipelines::{
    Decimate, HeapRequest, Limits, Pipeline, PipelineError, PoolRequest, QueuePolicy, Step,
};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

fn source(rate: Option<Rate>) -> TestSrc {
    TestSrc::new(TestSrcConfig {
        width: 80,
        height: 16,
        rate,
        ..TestSrcConfig::default()
    })
}

fn frames(count: u64) -> Limits {
    Limits {
        frames: Some(count),
        ..Limits::default()
    }
}

#[test]
fn every_frame_is_accounted_for_run_after_run() {
    let heaps = dmaflow_heaps::registry();
    let every = NonZeroU64::new(3).unwrap();
    let mut pipeline = Pipeline::link(("source", source(None)), ("sink", NullSink::default()))
        .filter("third", Decimate::new(every), QueuePolicy::FIFO)
        .queue(QueuePolicy::FIFO)
        .prepare(&heaps)
        .unwrap();
    assert_eq!(pipeline.agreement().pool().heap, "memfd");
    for _run in 0..10 {
        let report = pipeline.run(frames(99)).unwrap();
        assert_eq!((report.captured, report.shown), (99, 33));
        assert_eq!(report.dropped.filtered, 66);
        assert_eq!(report.unaccounted(), 0);
        assert_eq!(report.cpu.copied, 0);
        assert!(report.cpu.drawn > 0);
        let steps = report
            .latencies
            .iter()
            .map(|(step, took)| (*step, took.count));
        for (step, count) in steps.filter(|(step, _)| *step == Step::DequeueToFlip) {
            assert_eq!(count, 33, "{step:?}");
        }
        assert_eq!(pipeline.pool().free(), pipeline.pool().len());
    }
    drop(pipeline);
    assert_eq!(heaps.open("memfd").unwrap().stats().usage.live, 0);
}

#[test]
fn a_duration_a_handle_and_a_look_end_a_run() {
    let mut pipeline = Pipeline::link(
        ("source", source(Rate::new(100, 1))),
        ("sink", NullSink::default()),
    )
    .prepare(&dmaflow_heaps::registry())
    .unwrap();
    let short = Limits {
        duration: Some(Duration::from_millis(200)),
        ..Limits::default()
    };
    let report = pipeline.run(short).unwrap();
    assert!(report.captured > 0 && report.elapsed >= Duration::from_millis(200));

    let handle = pipeline.stop_handle();
    let stopper = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        handle.stop();
    });
    let report = pipeline.run(Limits::default()).unwrap();
    stopper.join().unwrap();
    assert!(report.captured > 0);
    assert_eq!(report.unaccounted(), 0);

    let mut looks = 0;
    let look = |progress: &dmaflow_pipelines::Progress<'_>| {
        looks += 1;
        assert!(progress.captured > 0 && progress.frames_per_second > 0.0);
        ControlFlow::Break(())
    };
    pipeline.run_watched(Limits::default(), look).unwrap();
    assert_eq!(looks, 1);
}

#[test]
fn a_stop_before_the_run_ends_it_at_once() {
    let mut pipeline = Pipeline::link(
        ("source", source(Rate::new(10, 1))),
        ("sink", NullSink::default()),
    )
    .prepare(&dmaflow_heaps::registry())
    .unwrap();
    pipeline.stop_handle().stop();
    let report = pipeline.run(frames(1000)).unwrap();
    assert!(report.captured < 1000);
}

/// Fails, or panics, at its tenth frame.
struct Faulty {
    panics: bool,
    seen: u32,
}

impl Faulty {
    fn tenth(&mut self) -> Result<(), StageError> {
        self.seen += 1;
        assert!(!(self.panics && self.seen == 10), "the tenth frame");
        if self.seen == 10 {
            return Err(StageError::Gone {
                device: "a test".to_owned(),
            });
        }
        Ok(())
    }
}

impl Filter for Faulty {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        self.tenth().map(|()| Some(frame))
    }
}

impl Sink for Faulty {
    fn device(&self) -> String {
        "faulty".to_owned()
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
        0
    }
    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn show(&mut self, _frame: Frame) -> Result<Timestamp, StageError> {
        self.tenth().map(|()| Clock::Monotonic.now())
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
fn a_failing_stage_ends_the_run_with_its_reason() {
    for panics in [false, true] {
        let faulty = || Faulty { panics, seen: 0 };
        let in_the_sink = Pipeline::link(("source", source(None)), ("faulty", faulty()));
        let in_a_filter = Pipeline::link(("source", source(None)), ("sink", NullSink::default()))
            .filter("faulty", faulty(), QueuePolicy::FIFO);
        for builder in [in_the_sink, in_a_filter] {
            let mut pipeline = builder.prepare(&dmaflow_heaps::registry()).unwrap();
            let error = pipeline.run(Limits::default()).unwrap_err();
            match &error.cause {
                RunFailure::Stage { stage, .. } if !panics => assert_eq!(stage, "faulty"),
                RunFailure::Panicked { stage, message } if panics => {
                    assert_eq!(stage, "faulty");
                    assert!(message.contains("tenth"), "{message}");
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(error.report.unaccounted(), 0, "{:?}", error.report);
            assert_eq!(pipeline.pool().free(), pipeline.pool().len());
        }
    }
}

/// Takes its time.
struct Slow(Duration);

impl Filter for Slow {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        thread::sleep(self.0);
        Ok(Some(frame))
    }
}

#[test]
fn a_source_that_has_ended_is_not_silent_while_its_frames_are_shown() {
    // Longer than a source may be silent, and a look more.
    let slow = Slow(Duration::from_millis(900));
    let mut pipeline = Pipeline::link(("source", source(None)), ("sink", NullSink::default()))
        .filter("slow", slow, QueuePolicy::FIFO)
        .pool(PoolRequest {
            buffers: Some(8),
            ..PoolRequest::default()
        })
        .prepare(&dmaflow_heaps::registry())
        .unwrap();
    let watched = pipeline.run_watched(frames(5), |_progress| ControlFlow::Continue(()));
    let report = watched.unwrap();
    assert_eq!((report.captured, report.unaccounted()), (5, 0));
}

/// Takes its time with the first frame.
struct SlowAtFirst(Duration);

impl Filter for SlowAtFirst {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        thread::sleep(std::mem::take(&mut self.0));
        Ok(Some(frame))
    }
}

#[test]
fn a_source_whose_frames_others_keep_is_not_silent() {
    let slow = SlowAtFirst(Duration::from_millis(4500));
    let mut pipeline = Pipeline::link(("source", source(None)), ("sink", NullSink::default()))
        .filter("slow", slow, QueuePolicy::FIFO)
        .queue(QueuePolicy::FIFO)
        .prepare(&dmaflow_heaps::registry())
        .unwrap();
    let watched = pipeline.run_watched(frames(20), |_progress| ControlFlow::Continue(()));
    let report = watched.unwrap();
    assert_eq!((report.captured, report.unaccounted()), (20, 0));
}

#[test]
fn a_look_that_panics_ends_the_run_as_well() {
    let mut pipeline = Pipeline::link(
        ("source", source(Rate::new(100, 1))),
        ("sink", NullSink::default()),
    )
    .prepare(&dmaflow_heaps::registry())
    .unwrap();
    let run = panic::catch_unwind(AssertUnwindSafe(|| {
        pipeline.run_watched(Limits::default(), |_| panic!("nobody reads standard error"))
    }));
    assert!(run.is_err());
    let report = pipeline.run(frames(10)).unwrap();
    assert_eq!((report.captured, report.unaccounted()), (10, 0));
}

#[test]
fn a_limit_that_cannot_be_reached_is_none() {
    let mut pipeline = Pipeline::link(("source", source(None)), ("sink", NullSink::default()))
        .prepare(&dmaflow_heaps::registry())
        .unwrap();
    let limits = Limits {
        duration: Some(Duration::MAX),
        frames: Some(10),
    };
    let report = pipeline.run(limits).unwrap();
    assert_eq!(report.captured, 10);
}

#[test]
fn too_few_buffers_are_refused_before_anything_flows() {
    let error = Pipeline::link(("source", source(None)), ("sink", NullSink::default()))
        .pool(PoolRequest {
            heaps: HeapRequest::Any,
            buffers: Some(0),
        })
        .prepare(&dmaflow_heaps::registry())
        .map(drop)
        .unwrap_err();
    assert!(error.to_string().contains("too few"), "{error}");
}

#[test]
fn heaps_that_are_not_there_are_named() {
    let with_heap = |name: &str| {
        Pipeline::link(("source", source(None)), ("sink", NullSink::default()))
            .pool(PoolRequest {
                heaps: HeapRequest::Names(vec![name.to_owned()]),
                buffers: None,
            })
            .prepare(&dmaflow_heaps::registry())
            .map(drop)
    };
    let error = with_heap("sytem").unwrap_err();
    assert!(matches!(error, PipelineError::Refused(_)), "{error}");
    assert!(error.to_string().contains("`sytem`") && error.to_string().contains("memfd"));
    with_heap("memfd").unwrap();
}
