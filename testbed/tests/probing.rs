//! Heaps offered to real drivers: which they take, why not, what is remembered, what is left.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use dmaflow_core::Errno;
use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::{Heap, HeapRegistry};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, DeviceKey, ImportRefused, Sink, Source, StageError};
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig};
use dmaflow_pipelines::Pipeline;
use dmaflow_pipelines::probe::{
    Answers, Importer, Probe, SinkImporter, SourceImporter, Unfit, Verdict, Wanted, probe,
};
use dmaflow_testbed::{Board, DmaBufs, Run, dmaflow, open_files};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};
use serde_json::Value;

const FRAMES: usize = 4;

fn camera() -> V4l2Src {
    V4l2Src::open(V4l2SrcConfig {
        device: Some("vivid".to_owned()),
        size: Some((640, 480)),
        ..V4l2SrcConfig::default()
    })
    .unwrap()
}

fn vkms() -> KmsSink {
    KmsSink::open(KmsSinkConfig {
        card: Some("vkms".to_owned()),
        ..KmsSinkConfig::default()
    })
    .unwrap()
}

/// The camera, set to a format, and what it is to import.
fn configured() -> (V4l2Src, Wanted) {
    let mut camera = camera();
    let plan = camera.configure(Format::XRGB8888).unwrap();
    let wanted = Wanted {
        layout: plan.layout,
        buffers: FRAMES,
    };
    (camera, wanted)
}

fn heaps() -> Vec<Heap> {
    dmaflow_heaps::registry().heaps().cloned().collect()
}

fn is_cma(name: &str) -> bool {
    ["default_cma_region", "reserved"].contains(&name)
}

/// The heap that a camera of this board is to get.
fn is_right(board: &Board, name: &str) -> bool {
    match board.is(&["ti"]) {
        true => is_cma(name),
        false => name == "system",
    }
}

fn on<'p>(probe: &'p Probe, heap: &str) -> &'p Verdict {
    let mut all = probe.ranked.iter();
    all.find(|verdict| verdict.heap.name() == heap).unwrap()
}

/// Who refused a heap, in the order in which they were asked.
fn refusals(verdict: &Verdict) -> Vec<&ImportRefused> {
    let Err(Unfit::Refused(refused)) = &verdict.outcome else {
        return Vec::new();
    };
    let reasons = refused.iter().map(|refused| match &refused.reason {
        StageError::Refused(refused) => &**refused,
        other => unreachable!("{other}"),
    });
    reasons.collect()
}

/// An importer that counts how often it is asked.
struct Counted<'i> {
    importer: &'i mut dyn Importer,
    count: usize,
}

impl Importer for Counted<'_> {
    fn device(&self) -> String {
        self.importer.device()
    }
    fn key(&self) -> Option<DeviceKey> {
        self.importer.key()
    }
    fn import(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.count += 1;
        self.importer.import(pool)
    }
    fn undo(&mut self) {
        self.importer.undo();
    }
}

/// A directory that goes at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("dmaflow-{name}-{}", std::process::id())))
    }
    fn file(&self) -> PathBuf {
        self.0.join("heap-answers.json")
    }
    fn answers(&self) -> Answers {
        Answers::at(self.file())
    }
    /// Changes what is in the file.
    fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut contents = serde_json::from_slice(&fs::read(self.file()).unwrap()).unwrap();
        change(&mut contents);
        fs::write(self.file(), contents.to_string()).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// The framebuffers of every card, as the kernel lists them.
fn framebuffers() -> String {
    let devices = fs::read_dir("/sys/kernel/debug/dri").unwrap().flatten();
    let mut listed: Vec<_> = devices
        .filter_map(|device| fs::read_to_string(device.path().join("framebuffer")).ok())
        .collect();
    listed.sort();
    assert!(!listed.is_empty());
    listed.concat()
}

#[test]
fn the_camera_gets_the_heap_that_fits_and_every_refusal_says_why() {
    let test = "the_camera_gets_the_heap_that_fits_and_every_refusal_says_why";
    let Some(board) = Board::for_test(test) else {
        return;
    };
    let run = Run::of(&mut dmaflow(&[
        "heaps", "probe", "--camera", "vivid", "--json",
    ]));
    assert_eq!(run.status, Some(0), "{run:?}");
    let best = run.json["best"].as_str().unwrap();
    assert!(is_right(&board, best), "{}", run.json);
    let ranked = run.json["probes"][0]["ranked"].as_array().unwrap();
    let of = |name: &str| ranked.iter().find(|heap| heap["heap"] == name).unwrap();
    let memfd = &of("memfd")["refused"][0];
    assert_eq!(memfd["errno_name"], "EINVAL", "{}", run.json);
    assert!(memfd["meaning"].as_str().unwrap().contains("no dma-buf"));
    assert!(memfd["remedy"].as_str().unwrap().contains("udmabuf"));
    for scattered in ["system", "udmabuf"] {
        let verdict = of(scattered);
        assert_eq!(verdict["accepted"], !board.is(&["ti"]), "{verdict}");
        assert!(verdict["allocation_us"].as_u64().unwrap() > 0, "{verdict}");
        if board.is(&["ti"]) {
            let refused = &verdict["refused"][0];
            assert_eq!(refused["call"], "VIDIOC_QBUF");
            assert_eq!(refused["errno"], Errno::EFAULT as i32);
            assert!(refused["meaning"].as_str().unwrap().contains("contiguous"));
            assert!(
                refused["remedy"]
                    .as_str()
                    .unwrap()
                    .contains("default_cma_region")
            );
        }
    }
}

#[test]
fn camera_and_display_must_both_accept_and_nothing_is_left() {
    let test = "camera_and_display_must_both_accept_and_nothing_is_left";
    let Some(board) = Board::for_test(test) else {
        return;
    };
    let ((mut camera, wanted), mut display, heaps) = (configured(), vkms(), heaps());
    let (buffers, files, shown) = (DmaBufs::now(), open_files(), framebuffers());
    let importers: &mut [&mut dyn Importer] = &mut [
        &mut SourceImporter(&mut camera),
        &mut SinkImporter(&mut display),
    ];
    let found = probe(&heaps, importers, &wanted, &mut Answers::none());
    assert_eq!(open_files(), files);
    assert_eq!(framebuffers(), shown);
    buffers.assert_none_since();
    for heap in &heaps {
        let usage = heap.stats().usage;
        assert_eq!((usage.live, usage.total), (0, FRAMES as u64), "{heap:?}");
    }
    let best = found.best().unwrap();
    assert!(is_right(&board, best.heap.name()), "{found:?}");
    let order: Vec<_> = found
        .ranked
        .iter()
        .map(|verdict| verdict.heap.name())
        .collect();
    if board.is(&["ti"]) {
        assert_eq!(order[1..], ["system", "udmabuf", "memfd"]);
        let refused = refusals(on(&found, "system"));
        assert_eq!(refused.len(), 1, "the display takes it: {found:?}");
        assert_eq!(
            (refused[0].errno, &*refused[0].call),
            (Errno::EFAULT, "VIDIOC_QBUF")
        );
    } else {
        assert_eq!(order[..2], ["system", "udmabuf"]);
        assert!(is_cma(order[2]), "{order:?}");
        assert_eq!(
            found
                .ranked
                .iter()
                .filter(|heap| heap.is_accepted())
                .count(),
            3
        );
    }
    let memfd: Vec<_> = refusals(on(&found, "memfd"))
        .iter()
        .map(|refused| (&*refused.call, refused.errno))
        .collect();
    let expected = [
        ("VIDIOC_QBUF", Errno::EINVAL),
        ("PRIME_FD_TO_HANDLE", Errno::EINVAL),
    ];
    assert_eq!(memfd, expected);
    // A queue that still had buffers would keep its format: EBUSY.
    self::camera().configure(Format::NV12).unwrap();
    drop((camera, display));
    buffers.assert_none_since();
}

#[test]
fn where_there_is_udmabuf_only_it_is_udmabuf() {
    let Some(board) = Board::for_test("where_there_is_udmabuf_only_it_is_udmabuf") else {
        return;
    };
    let hidden =
        "mount -t tmpfs none /dev/dma_heap && exec dmaflow heaps probe --camera vivid --json";
    let mut alone = Command::new("unshare");
    alone
        .args(["--mount", "sh", "-c", hidden])
        .env("DMAFLOW_CACHE", "");
    let run = Run::of(&mut alone);
    let ranked = run.json["probes"][0]["ranked"].as_array().unwrap();
    let names: Vec<_> = ranked
        .iter()
        .map(|verdict| verdict["heap"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["udmabuf", "memfd"], "{run:?}");
    if board.is(&["ti"]) {
        // Its pages are scattered: nothing fits, and the exit status says so.
        assert_eq!((run.status, &run.json["best"]), (Some(1), &Value::Null));
        assert!(run.messages.contains("no heap fits"), "{}", run.messages);
    } else {
        assert_eq!(
            (run.status, &run.json["best"]),
            (Some(0), &"udmabuf".into())
        );
    }
}

#[test]
fn what_is_known_is_told_without_touching_a_device() {
    let test = "what_is_known_is_told_without_touching_a_device";
    let Some(_board) = Board::for_test(test) else {
        return;
    };
    let ((mut camera, wanted), mut display, heaps) = (configured(), vkms(), heaps());
    let scratch = Scratch::new("known");
    let mut ask = |wanted: &Wanted, answers: &mut Answers| {
        let (mut camera, mut display) = (SourceImporter(&mut camera), SinkImporter(&mut display));
        let mut counted = [
            Counted {
                importer: &mut camera,
                count: 0,
            },
            Counted {
                importer: &mut display,
                count: 0,
            },
        ];
        let [first, second] = &mut counted;
        let found = probe(&heaps, &mut [first, second], wanted, answers);
        let told: Vec<_> = found
            .ranked
            .iter()
            .map(|verdict| format!("{:?} {:?}", verdict.heap, verdict.outcome))
            .collect();
        (counted.map(|counted| counted.count), told)
    };
    let all = [heaps.len(); 2];
    let (asked, first) = ask(&wanted, &mut scratch.answers());
    assert_eq!(asked, all);
    let allocated = || -> u64 { heaps.iter().map(|heap| heap.stats().usage.total).sum() };
    let before = allocated();
    let (asked, again) = ask(&wanted, &mut scratch.answers());
    assert_eq!((asked, allocated()), ([0, 0], before));
    assert_eq!(again, first);
    assert_eq!(ask(&wanted, &mut scratch.answers().fresh()).0, all);

    let other_layout = Wanted {
        buffers: FRAMES + 1,
        ..wanted.clone()
    };
    assert_eq!(ask(&other_layout, &mut scratch.answers()).0, all);
    scratch.edit(|contents| contents["kernel"] = "another kernel".into());
    assert_eq!(ask(&wanted, &mut scratch.answers()).0, all);
    assert_eq!(ask(&wanted, &mut scratch.answers()).0, [0, 0]);
    let whole = fs::read(scratch.file()).unwrap();
    fs::write(scratch.file(), &whole[..whole.len() / 2]).unwrap();
    let (asked, told) = ask(&wanted, &mut scratch.answers());
    assert_eq!((asked, told), (all, first));
}

fn prepared(registry: &HeapRegistry, answers: Answers) -> Pipeline {
    Pipeline::link(("camera", camera()), ("screen", vkms()))
        .answers(answers)
        .prepare(registry)
        .unwrap()
}

#[test]
fn a_pipeline_passes_over_what_was_refused_and_is_not_misled() {
    let test = "a_pipeline_passes_over_what_was_refused_and_is_not_misled";
    let Some(board) = Board::for_test(test) else {
        return;
    };
    let (registry, scratch) = (dmaflow_heaps::registry(), Scratch::new("negotiation"));
    let tried = || -> Vec<u64> {
        let totals = registry.heaps().map(|heap| heap.stats().usage.total);
        totals.collect()
    };
    let heaps_tried = |before: &[u64]| {
        let after = tried();
        let mut pairs = before.iter().zip(&after);
        pairs
            .by_ref()
            .filter(|(before, after)| before < after)
            .count()
    };
    let buffers = DmaBufs::now();
    let refused_first = if board.is(&["ti"]) { 2 } else { 0 };
    for (run, expected) in [refused_first + 1, 1].into_iter().enumerate() {
        let before = tried();
        let pipeline = prepared(&registry, scratch.answers());
        assert!(
            is_right(&board, &pipeline.agreement().pool().heap),
            "run {run}"
        );
        assert_eq!(
            pipeline.agreement().refusals.len(),
            refused_first,
            "run {run}"
        );
        assert_eq!(heaps_tried(&before), expected, "run {run}");
    }
    // Every yes becomes a no, and every no a yes.
    scratch.edit(|contents| {
        for answer in contents["answers"].as_array_mut().unwrap() {
            answer["no"] = match answer["no"].is_null() {
                true => serde_json::json!({
                    "call": "VIDIOC_QBUF", "errno": 14, "meaning": "a lie", "remedy": "",
                }),
                false => Value::Null,
            };
        }
    });
    let pipeline = prepared(&registry, scratch.answers());
    let agreement = pipeline.agreement();
    let lies = agreement.refusals.iter();
    let lies = lies.filter(|no| no.reason.to_string().contains("a lie"));
    if board.is(&["ti"]) {
        // The camera refuses what it is said to take, and everything is asked afresh.
        assert!(is_cma(&agreement.pool().heap), "{agreement:?}");
        assert_eq!((lies.count(), agreement.refusals.len()), (0, refused_first));
    } else {
        // Another heap does as well; what is wrong of both devices costs the first choice, no
        // more.
        assert_eq!(
            (agreement.pool().heap.as_str(), lies.count()),
            ("udmabuf", 2)
        );
    }
    drop(pipeline);
    let before = tried();
    drop(prepared(&registry, scratch.answers()));
    assert_eq!(heaps_tried(&before), 1, "what was asked afresh is kept");
    buffers.assert_none_since();
}

#[test]
fn a_framebuffer_that_is_too_large_is_told_so() {
    let Some(_board) = Board::for_test("a_framebuffer_that_is_too_large_is_told_so") else {
        return;
    };
    let mut display = vkms();
    let heap = dmaflow_heaps::registry().open("system").unwrap();
    let layout = Layout::packed(Format::XRGB8888, 9216, 16).unwrap();
    let pool = FramePool::allocate(&heap, &layout, 1).unwrap();
    let refused = display.attach(&pool).unwrap_err();
    let StageError::Refused(refused) = refused else {
        unreachable!("{refused}");
    };
    assert_eq!((&*refused.call, refused.errno), ("ADDFB2", Errno::EINVAL));
    for part in ["8192×8192", "9216×16"] {
        assert!(refused.meaning.contains(part), "{refused}");
    }
    assert!(refused.remedy.contains("size"), "{refused}");
}
