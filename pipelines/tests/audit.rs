//! Audits of pipelines of built-in stages: what copies, looks, maps or changes frames is found.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use dmaflow_core::dma_buf::{CpuUse, DmaBuf};
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::stage::{Choice, Counter, Filter, Sink, StageError};
use dmaflow_core::time::{Rate, Timestamp};
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::audit::Verdict;
use dmaflow_pipelines::{AnyStage, AuditReport, Builder, Limits, Pipeline, QueuePolicy};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

/// A camera, a filter, and an end that looks at nothing, audited twice.
fn audited(filter: impl Filter + 'static) -> [AuditReport; 2] {
    audited_with(filter, NullSink::default())
}

/// The same, with another end.
fn audited_with(filter: impl Filter + 'static, end: impl Sink + 'static) -> [AuditReport; 2] {
    let source = TestSrc::new(TestSrcConfig {
        width: 80,
        height: 16,
        rate: None,
        ..TestSrcConfig::default()
    });
    let mut pipeline = Pipeline::link(("camera", source), ("end", end))
        .filter("between", filter, QueuePolicy::FIFO)
        .queue(QueuePolicy::FIFO)
        .prepare(&dmaflow_heaps::registry())
        .unwrap();
    pipeline.set_audited(true);
    let limits = Limits {
        frames: Some(100),
        ..Limits::default()
    };
    [(); 2].map(|()| *pipeline.run(limits).unwrap().audit.unwrap())
}

/// What was found to be otherwise than promised.
fn broken(audit: &AuditReport) -> Vec<&str> {
    let findings = audit.findings.iter();
    findings
        .filter(|finding| finding.verdict == Verdict::Broken)
        .map(|finding| finding.what.as_str())
        .collect()
}

/// Does something with each frame, and passes it on.
struct With<F>(F);

impl<F: FnMut(Frame) -> Frame + Send> Filter for With<F> {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        Ok(Some(self.0(frame)))
    }
}

#[test]
fn a_pipeline_that_leaves_frames_alone_keeps_its_promises() {
    for audit in audited(With(|frame| frame)) {
        assert!(audit.is_kept(), "{:#?}", audit.findings);
        let (pool, end) = (&audit.pools[0], &audit.ends[0]);
        assert!(!pool.buffers.is_empty() && !pool.filled.is_empty());
        assert_eq!((&end.seen, end.whole), (&pool.filled, true));
        assert_eq!(audit.links.len(), 2);
        for link in &audit.links {
            assert_eq!(link.taken, pool.filled, "{link:?}");
        }
        // The built-in camera draws, as was known.
        assert!(pool.cpu.drawn > 0);
        let names = ["camera", "between", "end"];
        for name in names {
            let stage = audit.stages.iter().find(|stage| stage.stage == name);
            assert!(stage.unwrap().minor_faults.is_some(), "{name}");
        }
    }
}

#[test]
fn without_an_audit_there_is_none() {
    let mut pipeline = Pipeline::link(
        ("camera", TestSrc::new(TestSrcConfig::default())),
        ("end", NullSink::default()),
    )
    .prepare(&dmaflow_heaps::registry())
    .unwrap();
    let limits = Limits {
        frames: Some(2),
        ..Limits::default()
    };
    assert!(pipeline.run(limits).unwrap().audit.is_none());
}

#[test]
fn a_copy_behind_the_pipelines_back_is_found() {
    let mut kept = Vec::new();
    let copier = With(move |frame: Frame| {
        let bytes = frame.buffers()[0].read(CpuUse::Copy).unwrap();
        kept.clear();
        kept.extend_from_slice(&bytes);
        drop(bytes);
        frame
    });
    for audit in audited(copier) {
        assert_eq!(broken(&audit)[0], "accesses by the CPU");
        assert!(broken(&audit).contains(&"bytes copied"), "{audit:#?}");
        let mut findings = audit.findings.iter();
        let copied = findings.find(|finding| finding.what == "bytes copied");
        assert!(copied.unwrap().found.contains("by `between`"));
    }
}

#[test]
fn a_look_that_copies_nothing_is_found() {
    let looker = With(|frame: Frame| {
        drop(frame.buffers()[0].read(CpuUse::Inspect).unwrap());
        frame
    });
    for audit in audited(looker) {
        assert_eq!(broken(&audit), ["accesses by the CPU"]);
    }
}

#[test]
fn frames_of_other_memory_are_found() {
    let mut own: Option<FramePool> = None;
    let swapper = With(move |frame: Frame| {
        let own = own.get_or_insert_with(|| {
            let heap = dmaflow_heaps::registry().open("memfd").unwrap();
            FramePool::allocate(&heap, frame.layout(), 8).unwrap()
        });
        own.acquire().unwrap_or(frame)
    });
    for audit in audited(swapper) {
        let strange = "frames of other pools";
        assert!(broken(&audit).contains(&strange), "{:#?}", audit.findings);
    }
}

/// A second `DmaBuf` over the same memory, which the pool does not know of.
fn second(buffer: &DmaBuf) -> DmaBuf {
    let fd = buffer.as_fd().try_clone_to_owned().unwrap();
    DmaBuf::from_memory(fd).unwrap()
}

#[test]
fn a_mapping_by_other_means_is_found() {
    let mut others = Vec::new();
    let mapper = With(move |frame: Frame| {
        if others.is_empty() {
            let other = second(&frame.buffers()[0]);
            assert!(!other.read(CpuUse::Inspect).unwrap().is_empty());
            others.push(other);
        }
        frame
    });
    let [first, again] = audited(mapper);
    let expected = ["accesses by the CPU", "mappings"];
    assert_eq!(broken(&first), expected, "{:#?}", first.findings);
    // It is there still, and could be read without a guard.
    assert_eq!(broken(&again), ["mappings"], "{:#?}", again.findings);
    assert_eq!(again.mapped_unseen, Some(1));
}

#[test]
fn a_copy_through_other_guards_is_found_though_they_are_gone() {
    let mut kept = Vec::new();
    let copier = With(move |frame: Frame| {
        let other = second(&frame.buffers()[0]);
        kept.clear();
        kept.extend_from_slice(&other.read(CpuUse::Copy).unwrap());
        frame
    });
    for audit in audited(copier) {
        assert_eq!(
            (audit.mapped_unseen, audit.pools[0].cpu.copied),
            (Some(0), 0)
        );
        let expected = ["accesses by the CPU", "mappings", "bytes copied"];
        assert_eq!(broken(&audit), expected, "{:#?}", audit.findings);
        let mut findings = audit.findings.iter();
        let copied = findings.find(|finding| finding.what == "bytes copied");
        assert!(copied.unwrap().found.ends_with("by `between`"));
    }
}

/// Maps the pool behind its back, as soon as it has it.
#[derive(Default)]
struct MapsEarly(NullSink, Vec<DmaBuf>);

impl Sink for MapsEarly {
    fn device(&self) -> String {
        "maps early".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        self.0.formats()
    }
    fn attach(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        let other = second(&pool.buffers().next().unwrap()[0]);
        drop(other.read(CpuUse::Inspect).unwrap());
        self.1.push(other);
        Ok(Vec::new())
    }
    fn detach(&mut self) {
        self.1.clear();
    }
    fn frames_held(&self) -> usize {
        0
    }
    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError> {
        self.0.show(frame)
    }
    fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        self.0.flips(flipped)
    }
    fn stop(&mut self) -> Result<(), StageError> {
        self.0.stop()
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

#[test]
fn a_mapping_from_before_the_run_is_found() {
    for audit in audited_with(With(|frame| frame), MapsEarly::default()) {
        assert_eq!(broken(&audit), ["mappings"], "{:#?}", audit.findings);
    }
}

/// Passes nothing on.
struct Nothing;

impl Filter for Nothing {
    fn pass(&mut self, _frame: Frame) -> Result<Option<Frame>, StageError> {
        Ok(None)
    }
}

#[test]
fn where_no_frame_came_nothing_is_told_and_nothing_broken() {
    for audit in audited(Nothing) {
        assert!(audit.is_kept(), "{:#?}", audit.findings);
        assert!(audit.ends[0].seen.is_empty() && !audit.ends[0].filled.is_empty());
        let mut findings = audit.findings.iter();
        let end = findings.find(|finding| finding.what == "buffers at `end`");
        assert_eq!(end.unwrap().verdict, Verdict::Unknown);
    }
}

#[test]
fn a_picture_that_was_asked_for_is_told_and_not_held_against_the_run() {
    let name = format!("audit-{}.png", std::process::id());
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let source = TestSrc::new(TestSrcConfig {
        width: 80,
        height: 16,
        rate: Rate::new(200, 1),
        ..TestSrcConfig::default()
    });
    let mut graph = Builder::new();
    let camera = graph.add("camera", AnyStage::source(source));
    let end = graph.add("end", AnyStage::sink(NullSink::default()));
    graph.connect(camera, end, QueuePolicy::FIFO);
    graph.set_spare(4);
    let mut pipeline = graph.prepare(&dmaflow_heaps::registry()).unwrap();
    pipeline.set_audited(true);
    let control = pipeline.control_handle();
    let report = thread::scope(|scope| {
        scope.spawn(|| {
            while control.state().is_err() {
                thread::sleep(Duration::from_millis(1));
            }
            let taken = control.snapshot("camera", &path);
            control.stop();
            taken.unwrap();
        });
        pipeline.run(Limits::default()).unwrap()
    });
    std::fs::remove_file(&path).unwrap();
    let audit = report.audit.unwrap();
    assert!(audit.is_kept(), "{:#?}", audit.findings);
    assert!(report.cpu.copied > 0);
    let findings = audit.findings.iter();
    let unknown = findings.filter(|finding| finding.verdict == Verdict::Unknown);
    let unknown: Vec<_> = unknown.map(|finding| finding.what.as_str()).collect();
    for what in [
        "buffers at `snapshot`",
        "bytes copied",
        "accesses by the CPU",
    ] {
        assert!(unknown.contains(&what), "{what} in {unknown:?}");
    }
}

#[test]
fn the_branch_that_copies_is_named() {
    let mut graph = Builder::new();
    let source = TestSrc::new(TestSrcConfig {
        rate: None,
        ..TestSrcConfig::default()
    });
    let camera = graph.add("camera", AnyStage::source(source));
    for name in ["clean", "copying"] {
        let copies = name == "copying";
        let filter = With(move |frame: Frame| {
            if copies {
                drop(frame.buffers()[0].read(CpuUse::Copy).unwrap());
            }
            frame
        });
        let filter = graph.add(name, AnyStage::filter(filter));
        let end = format!("end of {name}");
        let end = graph.add(&end, AnyStage::sink(NullSink::default()));
        graph.connect(camera, filter, QueuePolicy::FIFO);
        graph.connect(filter, end, QueuePolicy::FIFO);
    }
    let mut pipeline = graph.prepare(&dmaflow_heaps::registry()).unwrap();
    pipeline.set_audited(true);
    let limits = Limits {
        frames: Some(50),
        ..Limits::default()
    };
    let audit = pipeline.run(limits).unwrap().audit.unwrap();
    assert_eq!((audit.links.len(), audit.ends.len()), (4, 2));
    // One may have let frames go that the other took; neither has any but the camera's.
    for end in &audit.ends {
        let filled = &audit.pools[0].filled;
        assert!(!end.seen.is_empty());
        assert!(end.seen.iter().all(|inode| filled.contains(inode)));
    }
    let copied = audit.findings.iter();
    let copied = copied.filter(|finding| finding.what == "bytes copied");
    let found: Vec<_> = copied.map(|finding| finding.found.as_str()).collect();
    assert!(found[0].ends_with("by `copying`"), "{found:?}");
    assert!(!found[0].contains("`clean`"), "{found:?}");
}
