//! Audits of pipelines of built-in stages: what copies, looks, maps or changes frames is found.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::AsFd;

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::stage::{Filter, StageError};
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::audit::Verdict;
use dmaflow_pipelines::{AnyStage, AuditReport, Builder, Limits, Pipeline, QueuePolicy};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

/// A camera, a filter, and an end that looks at nothing, audited twice.
fn audited(filter: impl Filter + 'static) -> [AuditReport; 2] {
    let source = TestSrc::new(TestSrcConfig {
        width: 80,
        height: 16,
        rate: None,
        ..TestSrcConfig::default()
    });
    let mut pipeline = Pipeline::link(("camera", source), ("end", NullSink::default()))
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

#[test]
fn a_mapping_by_other_means_is_found() {
    // A second `DmaBuf` over the same memory, which the pool does not know of.
    let mut second = Vec::new();
    let mapper = With(move |frame: Frame| {
        if second.is_empty() {
            let fd = frame.buffers()[0].as_fd().try_clone_to_owned().unwrap();
            let other = dmaflow_core::dma_buf::DmaBuf::from_memory(fd).unwrap();
            assert!(!other.read(CpuUse::Inspect).unwrap().is_empty());
            second.push(other);
        }
        frame
    });
    let [first, _again] = audited(mapper);
    assert_eq!(broken(&first), ["mappings"], "{:#?}", first.findings);
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
