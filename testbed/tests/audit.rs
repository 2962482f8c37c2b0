//! Audits: a camera on a display keeps what zero-copy promises, and a copy is found.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::frame::Frame;
use dmaflow_core::stage::{Filter, StageError};
use dmaflow_kms_sink::{
    KmsInputConfig, KmsMixer, KmsMixerConfig, KmsSink, KmsSinkConfig, NullSink,
};
use dmaflow_pipelines::audit::Verdict;
use dmaflow_pipelines::description::RestartPolicy;
use dmaflow_pipelines::{
    AnyStage, AuditReport, Builder, Decimate, Limits, Pipeline, PipelineError, QueuePolicy,
    Situation, Supervisor,
};
use dmaflow_testbed::{Board, DmaBufs, Run, VIVID_ON_VKMS, dmaflow, modprobe, reload_vivid};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};

const fn frames(count: u64) -> Limits {
    Limits {
        duration: None,
        frames: Some(count),
    }
}

fn camera(device: &str, size: (u32, u32)) -> V4l2Src {
    let config = V4l2SrcConfig {
        device: Some(device.to_owned()),
        size: Some(size),
        ..V4l2SrcConfig::default()
    };
    V4l2Src::open(config).expect("a camera")
}

fn screen() -> KmsSink {
    let config = KmsSinkConfig {
        card: Some("vkms".to_owned()),
        ..KmsSinkConfig::default()
    };
    KmsSink::open(config).expect("vkms")
}

/// What an audit finds of vivid on vkms, with a filter on the way.
fn audited(filter: impl Filter + 'static) -> AuditReport {
    let (camera, screen) = (camera("vivid", (640, 480)), screen());
    let mut pipeline = Pipeline::link(("camera", camera), ("screen", screen))
        .filter("between", filter, QueuePolicy::FIFO)
        .queue(QueuePolicy::FIFO)
        .prepare(&dmaflow_heaps::registry())
        .expect("a plan");
    pipeline.set_audited(true);
    let report = pipeline.run(frames(60)).expect("a run");
    *report.audit.expect("an audit")
}

/// Reads each frame as one who copies it does.
struct Copier;

impl Filter for Copier {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        let bytes = frame.buffers()[0].read(CpuUse::Copy);
        drop(bytes.map_err(StageError::failed)?);
        Ok(Some(frame))
    }
}

/// Leaves frames alone.
struct Passes;

impl Filter for Passes {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        Ok(Some(frame))
    }
}

#[test]
fn a_camera_on_a_display_keeps_every_promise() {
    let Some(_board) = Board::for_test("a_camera_on_a_display_keeps_every_promise") else {
        return;
    };
    let before = DmaBufs::now();
    let audit = audited(Passes);
    println!("{:#?}", audit.findings);
    assert!(audit.is_kept(), "{audit:#?}");
    let (pool, end) = (&audit.pools[0], &audit.ends[0]);
    assert_eq!((end.stage.as_str(), end.whole), ("screen", true));
    assert!(!pool.filled.is_empty());
    assert_eq!(end.seen, pool.filled);
    let imported = end.imported.clone();
    assert_eq!(imported, Some(Ok(pool.buffers.clone())), "{audit:#?}");
    assert_eq!(
        (pool.cpu.opened, pool.cpu.mapped, pool.cpu.copied),
        (0, 0, 0)
    );
    let listed = pool.listed.as_ref().expect("root reads the listing");
    assert!(
        listed.devices.iter().any(|device| device.contains("vkms")),
        "{listed:?}"
    );
    assert!(
        audit
            .stages
            .iter()
            .all(|stage| stage.minor_faults.is_some())
    );
    before.assert_none_since();
}

#[test]
fn a_copy_on_the_way_to_a_display_is_found() {
    let Some(_board) = Board::for_test("a_copy_on_the_way_to_a_display_is_found") else {
        return;
    };
    let audit = audited(Copier);
    let broken = |what: &str| {
        let mut findings = audit.findings.iter();
        findings.any(|finding| finding.what == what && finding.verdict == Verdict::Broken)
    };
    assert!(
        broken("accesses by the CPU") && broken("bytes copied"),
        "{audit:#?}"
    );
    assert_eq!(audit.pools[0].cpu.opened, 60);
}

#[test]
fn the_program_ends_with_1_where_a_promise_is_broken() {
    let Some(_board) = Board::for_test("the_program_ends_with_1_where_a_promise_is_broken") else {
        return;
    };
    let run = |more: &[&str]| {
        let audited = ["--frames=60", "--audit", "--json"];
        let arguments = [&["run"], VIVID_ON_VKMS, &audited, more];
        Run::of(&mut dmaflow(&arguments.concat()))
    };
    let kept = run(&[]);
    kept.assert_went_well();
    assert_eq!(kept.json["audit"]["kept"], true, "{}", kept.json);
    // To compare what is shown, the CPU reads frames.
    let broken = run(&["--set=screen.verify=10"]);
    assert_eq!(broken.status, Some(1), "{}", broken.json);
    assert_eq!(broken.json["audit"]["kept"], false, "{}", broken.json);
    assert!(broken.number("/audit/pools/0/cpu/opened") > 0);
}

#[test]
fn two_cameras_on_one_display_and_a_side_branch_keep_every_promise() {
    let name = "two_cameras_on_one_display_and_a_side_branch_keep_every_promise";
    let Some(_board) = Board::for_test(name) else {
        return;
    };
    let before = DmaBufs::now();
    modprobe(&["-r", "vivid"]);
    let two = [
        "n_devs=2",
        "node_types=1,1",
        "num_inputs=1,1",
        "input_types=0,0",
    ];
    modprobe(&[&["vivid"], &two[..]].concat());
    let inputs = ["left", "right"].map(|name| KmsInputConfig {
        name: name.to_owned(),
        ..KmsInputConfig::default()
    });
    let screen = KmsMixer::open(KmsMixerConfig {
        card: Some("vkms".to_owned()),
        inputs: inputs.to_vec(),
        ..KmsMixerConfig::default()
    });
    let mut graph = Builder::new();
    let screen = graph.add("screen", AnyStage::mixer(screen.expect("vkms")));
    let both = [
        ("left", "platform:vivid-000"),
        ("right", "platform:vivid-001"),
    ];
    let both =
        both.map(|(name, device)| graph.add(name, AnyStage::source(camera(device, (320, 180)))));
    for (input, camera) in both.into_iter().enumerate() {
        graph.connect(camera, screen.input(input), QueuePolicy::FIFO);
    }
    let tenth = Decimate::new(NonZeroU64::new(10).expect("not 0"));
    let tenth = graph.add("tenth", AnyStage::filter(tenth));
    let aside = graph.add("aside", AnyStage::sink(NullSink::default()));
    graph.connect(both[0], tenth, QueuePolicy::FIFO);
    graph.connect(tenth, aside, QueuePolicy::FIFO);
    let mut pipeline = graph.prepare(&dmaflow_heaps::registry()).expect("a plan");
    pipeline.set_audited(true);
    let report = pipeline.run(frames(60)).expect("a run");
    let audit = report.audit.expect("an audit");
    println!("{:#?}", audit.findings);
    assert!(audit.is_kept(), "{audit:#?}");

    let pool = |stage: &str| audit.pools.iter().find(|pool| pool.stage == stage);
    let set = |inodes: &[u64]| inodes.iter().copied().collect::<BTreeSet<_>>();
    let [left, right] = ["left", "right"].map(|stage| pool(stage).expect("a pool"));
    let [of_left, of_right] = [left, right].map(|pool| set(&pool.buffers));
    assert!(of_left.is_disjoint(&of_right));
    let end = |stage: &str| audit.ends.iter().find(|end| end.stage == stage);
    let [screen, aside] = ["screen", "aside"].map(|stage| end(stage).expect("an end"));
    let all = of_left.union(&of_right).copied().collect::<BTreeSet<_>>();
    let imported = screen.imported.clone().expect("a display");
    assert_eq!(imported.as_deref().map(set), Ok(all));
    let filled: BTreeSet<_> = set(&left.filled)
        .union(&set(&right.filled))
        .copied()
        .collect();
    assert!(!screen.seen.is_empty() && set(&screen.seen).is_subset(&filled));
    assert!(!aside.seen.is_empty() && set(&aside.seen).is_subset(&set(&left.filled)));
    assert_eq!(audit.links.len(), 4);
    assert_eq!((left.cpu.opened, right.cpu.opened), (0, 0));
    drop(pipeline);
    before.assert_none_since();
    reload_vivid();
}

fn bind(how: &str) {
    let driver = Path::new("/sys/bus/platform/drivers/vivid");
    fs::write(driver.join(how), "vivid.0").expect("vivid's first device");
}

#[test]
fn a_camera_that_comes_back_is_audited_before_and_after() {
    let name = "a_camera_that_comes_back_is_audited_before_and_after";
    let Some(_board) = Board::for_test(name) else {
        return;
    };
    let before = DmaBufs::now();
    let heaps = dmaflow_heaps::registry();
    let make = || -> Result<Pipeline, PipelineError> {
        let config = V4l2SrcConfig {
            device: Some("vivid".to_owned()),
            size: Some((640, 480)),
            ..V4l2SrcConfig::default()
        };
        let camera = V4l2Src::open(config).map_err(|error| PipelineError::Stage {
            stage: "camera".to_owned(),
            source: StageError::failed(error),
        })?;
        Pipeline::link(("camera", camera), ("screen", screen()))
            .queue(QueuePolicy::FIFO)
            .prepare(&heaps)
    };
    let policy = RestartPolicy::OnFailure {
        first: Duration::from_millis(100),
        most: Duration::from_millis(500),
        attempts: Some(50),
    };
    let mut supervisor = Supervisor::new(make, [("camera".to_owned(), policy)]).expect("a plan");
    supervisor.set_audited(true);
    let (mut unplugged, mut plugged) = (false, false);
    let report = supervisor.run_watched(frames(120), |situation| {
        match situation {
            Situation::Running(progress) if !unplugged && progress.captured > 10 => {
                bind("unbind");
                unplugged = true;
            }
            Situation::Waiting { .. } if !plugged => {
                bind("bind");
                plugged = true;
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    let report = report.expect("a run");
    assert_eq!(report.interruptions.restarts, 1, "{report:?}");
    let audit = report.audit.expect("an audit");
    println!("{:#?}", audit.findings);
    assert!(audit.is_kept(), "{audit:#?}");
    let (pool, end) = (&audit.pools[0], &audit.ends[0]);
    // The pools of both parts.
    assert_eq!(
        pool.buffers.len(),
        2 * supervisor.agreement().pool().buffers
    );
    assert_eq!(end.imported, Some(Ok(pool.buffers.clone())));
    let threads = audit.stages.iter().map(|stage| stage.threads);
    assert!(threads.eq([2, 2]), "{:?}", audit.stages);
    drop(supervisor);
    before.assert_none_since();
}
