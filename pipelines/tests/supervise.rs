//! Pipelines that go on over failures and changes, with sources that do as they are told.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::heap::HeapRegistry;
use dmaflow_core::stage::{Counter, Source, SourcePlan, StageError, Stopper};
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::description::RestartPolicy;
use dmaflow_pipelines::error::{PipelineError, RunFailure};
use dmaflow_pipelines::{
    AnyStage, Builder, Limits, Maker, Pipeline, QueuePolicy, Situation, Supervisor,
};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

/// What a source does in a part of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// It cannot be opened.
    Missing,
    /// It delivers so many frames, and then fails.
    Fail(u64),
    /// It is unplugged after so many.
    Gone(u64),
    /// Its signal changes after so many, to this width.
    Change(u64, u32),
    /// It delivers on and on.
    Go,
}

/// What is to happen, part by part; after the last act it goes on and on.
type Script = Arc<Mutex<VecDeque<Act>>>;

struct Actor {
    inner: TestSrc,
    act: Act,
    made: u64,
}

impl Source for Actor {
    fn device(&self) -> String {
        "an actor".to_owned()
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
        self.inner.start()
    }
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        let device = self.device();
        self.made += 1;
        match self.act {
            Act::Fail(after) if self.made > after => Err(StageError::failed(
                std::io::Error::other("the driver gave up"),
            )),
            Act::Gone(after) if self.made > after => Err(StageError::Gone { device }),
            Act::Change(after, width) if self.made > after => Err(StageError::Changed {
                device,
                what: format!("80×16 → {width}×16"),
            }),
            _ => self.inner.next_frame(),
        }
    }
    fn stop(&mut self) -> Result<(), StageError> {
        self.inner.stop()
    }
    fn counters(&self) -> Vec<Counter> {
        vec![Counter {
            name: "lost",
            count: 1,
        }]
    }
}

fn script(acts: &[Act]) -> Script {
    Arc::new(Mutex::new(acts.iter().copied().collect()))
}

/// Makes the next part of a script.
fn make(script: &Script, heaps: &HeapRegistry, width: &mut u32) -> Result<Pipeline, PipelineError> {
    let act = script.lock().unwrap().pop_front().unwrap_or(Act::Go);
    if act == Act::Missing {
        return Err(PipelineError::Stage {
            stage: "camera".to_owned(),
            source: StageError::Gone {
                device: "an actor".to_owned(),
            },
        });
    }
    let inner = TestSrc::new(TestSrcConfig {
        width: *width,
        height: 16,
        rate: None,
        ..TestSrcConfig::default()
    });
    if let Act::Change(_, next) = act {
        *width = next;
    }
    let mut graph = Builder::new();
    let actor = Actor {
        inner,
        act,
        made: 0,
    };
    let camera = graph.add("camera", AnyStage::source(actor));
    let sink = graph.add("sink", AnyStage::sink(NullSink::default()));
    graph.connect(camera, sink, QueuePolicy::FIFO);
    graph.prepare(heaps)
}

fn quick(attempts: Option<u32>) -> RestartPolicy {
    RestartPolicy::OnFailure {
        first: Duration::from_millis(1),
        most: Duration::from_millis(4),
        attempts,
    }
}

fn frames(count: u64) -> Limits {
    Limits {
        frames: Some(count),
        ..Limits::default()
    }
}

/// Runs a script with a policy to so many frames.
fn play(
    acts: &[Act],
    policy: RestartPolicy,
    count: u64,
) -> Result<dmaflow_pipelines::Report, dmaflow_pipelines::RunError> {
    let heaps = dmaflow_heaps::registry();
    let script = script(acts);
    let mut width = 80;
    let maker = || make(&script, &heaps, &mut width);
    let mut supervisor = Supervisor::new(maker, [("camera".to_owned(), policy)]).unwrap();
    let outcome = supervisor.run(frames(count));
    drop(supervisor);
    assert!(heaps.loans().is_empty(), "{}", heaps.loans());
    outcome
}

#[test]
fn a_failure_ends_a_run_that_is_not_restarted() {
    let error = play(&[Act::Fail(5)], RestartPolicy::Never, 100).unwrap_err();
    assert_eq!(error.report.captured, 5);
    assert_eq!(error.report.interruptions.last.len(), 0);
    assert!(matches!(error.cause, RunFailure::Stage { .. }), "{error}");
}

#[test]
fn a_failure_is_overcome_and_the_parts_are_one_report() {
    let acts = [Act::Fail(5), Act::Missing, Act::Gone(7), Act::Missing];
    let report = play(&acts, quick(None), 100).unwrap();
    assert_eq!((report.captured, report.shown), (100, 100));
    assert_eq!(report.unaccounted(), 0);
    assert_eq!(report.counter("lost"), Some(3), "one a part");
    assert_eq!(report.stages.len(), 2);
    let interruptions = &report.interruptions;
    assert_eq!((interruptions.restarts, interruptions.changes), (2, 0));
    let tries: Vec<_> = interruptions.last.iter().map(|it| it.tries).collect();
    assert_eq!(tries, [2, 2]);
    assert!(interruptions.last[0].reason.contains("gave up"));
    assert!(report.elapsed >= interruptions.away);
}

#[test]
fn a_change_is_followed_whatever_the_policy() {
    let acts = [
        Act::Change(5, 96),
        Act::Change(5, 112),
        Act::Missing,
        Act::Go,
    ];
    let heaps = dmaflow_heaps::registry();
    let script = script(&acts);
    let mut width = 80;
    let maker = || make(&script, &heaps, &mut width);
    let mut supervisor = Supervisor::new(maker, []).unwrap();
    assert_eq!(supervisor.agreement().pool().plan.layout.width(), 80);
    let report = supervisor.run(frames(50)).unwrap();
    assert_eq!(report.captured, 50);
    assert_eq!(supervisor.agreement().pool().plan.layout.width(), 112);
    let interruptions = report.interruptions;
    assert_eq!((interruptions.restarts, interruptions.changes), (0, 2));
    assert!(interruptions.last[0].reason.contains("80×16 → 96×16"));
    assert_eq!(interruptions.last[1].tries, 2, "it was away for a moment");
}

#[test]
fn a_change_to_nothing_ends_a_run_that_is_not_restarted() {
    let acts = [&[Act::Change(5, 96)][..], &[Act::Missing; 9]].concat();
    let error = play(&acts, RestartPolicy::Never, 50).unwrap_err();
    let RunFailure::NotAgain { cause, tries, .. } = &error.cause else {
        panic!("{error}");
    };
    assert!(cause.is_change());
    assert_eq!(*tries, 6);
    let report = play(&acts, quick(None), 50).unwrap();
    assert_eq!(report.captured, 50);
}

#[test]
fn attempts_in_a_row_come_to_an_end() {
    let acts = [&[Act::Gone(3)][..], &[Act::Missing; 9]].concat();
    let error = play(&acts, quick(Some(4)), 50).unwrap_err();
    let RunFailure::NotAgain { tries, .. } = error.cause else {
        panic!("{error}");
    };
    assert_eq!(tries, 4);
    assert_eq!(error.report.captured, 3);
    let error = play(&[Act::Gone(3); 9], quick(Some(4)), 50).unwrap_err();
    assert!(matches!(error.cause, RunFailure::Stage { .. }), "{error}");
    assert_eq!(error.report.interruptions.restarts, 4);
    assert_eq!(error.report.captured, 15);
}

/// A wait of a minute, and what ends it.
fn waiting(end: impl FnOnce(&mut Supervisor<'_>) -> dmaflow_pipelines::Report) {
    let heaps = dmaflow_heaps::registry();
    let script = script(&[Act::Gone(3)]);
    let mut width = 80;
    let long = RestartPolicy::OnFailure {
        first: Duration::from_secs(60),
        most: Duration::from_secs(60),
        attempts: None,
    };
    let maker = || make(&script, &heaps, &mut width);
    let mut supervisor = Supervisor::new(maker, [("camera".to_owned(), long)]).unwrap();
    let began = Instant::now();
    let report = end(&mut supervisor);
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(report.captured, 3);
    assert_eq!(report.interruptions.last[0].tries, 0);
}

#[test]
fn a_stop_a_limit_and_a_look_end_the_wait_at_once() {
    waiting(|supervisor| {
        let halt = supervisor.halt();
        let stopping = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            halt.stop();
        });
        let report = supervisor.run(Limits::default()).unwrap();
        stopping.join().unwrap();
        report
    });
    waiting(|supervisor| {
        let limits = Limits {
            duration: Some(Duration::from_millis(100)),
            frames: None,
        };
        supervisor.run(limits).unwrap()
    });
    waiting(|supervisor| {
        let mut waits = 0;
        let look = |situation: &Situation<'_>| match situation {
            Situation::Running(_) => std::ops::ControlFlow::Continue(()),
            Situation::Waiting { stage, left, .. } => {
                assert_eq!(*stage, "camera");
                assert!(*left > Duration::from_secs(30));
                waits += 1;
                std::ops::ControlFlow::Break(())
            }
        };
        let report = supervisor.run_watched(Limits::default(), look).unwrap();
        assert_eq!(waits, 1);
        report
    });
}

/// Makes the parts of a script, and tells whether the camera is there as it is written.
struct Plugged<'h> {
    script: Script,
    heaps: &'h HeapRegistry,
    /// The last one holds from then on.
    there: VecDeque<bool>,
}

impl Maker for Plugged<'_> {
    fn make(&mut self) -> Result<Pipeline, PipelineError> {
        make(&self.script, self.heaps, &mut 80)
    }

    fn is_back(&mut self, stage: &str) -> Option<bool> {
        assert_eq!(stage, "camera", "it alone went away");
        if self.there.len() > 1 {
            self.there.pop_front()
        } else {
            self.there.front().copied()
        }
    }
}

/// Has a camera go away that is there as it is told; how long that took.
fn gone(acts: &[Act], there: &[bool], wait: Duration) -> Duration {
    let heaps = dmaflow_heaps::registry();
    let maker = Plugged {
        script: script(acts),
        heaps: &heaps,
        there: there.iter().copied().collect(),
    };
    let policy = RestartPolicy::OnFailure {
        first: wait,
        most: wait,
        attempts: None,
    };
    let mut supervisor = Supervisor::new(maker, [("camera".to_owned(), policy)]).unwrap();
    let look = |_: &Situation<'_>| std::ops::ControlFlow::Continue(());
    let report = supervisor.run_watched(frames(20), look).unwrap();
    assert_eq!(report.interruptions.restarts, 1);
    report.interruptions.away
}

#[test]
fn a_device_that_is_back_and_cannot_be_used_is_waited_for_as_for_any_failure() {
    let wait = Duration::from_millis(100);
    let acts = [Act::Gone(3), Act::Missing, Act::Missing, Act::Missing];
    let took = gone(&acts, &[true], wait);
    assert!(took >= 3 * wait, "{took:?}: only the first wait is none");
}

#[test]
fn the_return_of_a_device_ends_the_wait() {
    let (wait, soon) = (Duration::from_secs(60), Duration::from_secs(30));
    let took = gone(&[Act::Gone(3)], &[true], wait);
    assert!(took < soon, "{took:?}: back before the first look");
    let took = gone(&[Act::Gone(3)], &[false, true], wait);
    assert!(took < soon, "{took:?}: back at the second look");
    let took = gone(&[Act::Gone(3), Act::Missing], &[true, false, true], wait);
    assert!(took < soon, "{took:?}: away and back after the first try");
}

#[test]
fn a_stop_before_the_run_ends_it_and_not_the_one_after() {
    let heaps = dmaflow_heaps::registry();
    let script = script(&[]);
    let mut width = 80;
    let maker = || make(&script, &heaps, &mut width);
    let mut supervisor = Supervisor::new(maker, []).unwrap();
    supervisor.halt().stop();
    assert!(supervisor.run(frames(1_000_000)).unwrap().captured < 1_000_000);
    assert_eq!(supervisor.run(frames(20)).unwrap().captured, 20);
}

#[test]
fn what_cannot_be_made_once_is_not_tried_again() {
    let heaps = dmaflow_heaps::registry();
    let script = script(&[Act::Missing]);
    let mut width = 80;
    let maker = || make(&script, &heaps, &mut width);
    let made = Supervisor::new(maker, [("camera".to_owned(), quick(None))]);
    assert!(matches!(made.err(), Some(PipelineError::Stage { .. })));
}

#[test]
fn every_part_is_audited_and_all_are_judged_as_one() {
    let heaps = dmaflow_heaps::registry();
    let acts = script(&[Act::Fail(20), Act::Change(20, 96), Act::Go]);
    let mut width = 80;
    let make = || make(&acts, &heaps, &mut width);
    let policies = [("camera".to_owned(), quick(Some(3)))];
    let mut supervisor = Supervisor::new(make, policies).unwrap();
    supervisor.set_audited(true);
    let report = supervisor.run(frames(60)).unwrap();
    assert_eq!(
        (report.interruptions.restarts, report.interruptions.changes),
        (1, 1)
    );
    let audit = report.audit.unwrap();
    assert!(audit.is_kept(), "{:#?}", audit.findings);
    assert_eq!(
        (audit.links.len(), audit.pools.len(), audit.ends.len()),
        (1, 1, 1)
    );
    let (pool, end) = (&audit.pools[0], &audit.ends[0]);
    let of_last = supervisor.agreement().pool().buffers;
    assert!(pool.buffers.len() > of_last, "{:?}", pool.buffers);
    assert_eq!(
        (&end.seen, &audit.links[0].taken),
        (&pool.filled, &pool.filled)
    );
    assert!(
        audit.stages.iter().all(|stage| stage.threads == 3),
        "{:?}",
        audit.stages
    );

    // Not any more.
    supervisor.set_audited(false);
    assert!(supervisor.run(frames(5)).unwrap().audit.is_none());
}
