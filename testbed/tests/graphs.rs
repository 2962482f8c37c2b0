//! Pipelines that branch and join, on real drivers: every frame accounted for, none held up.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "graphs/copies.rs"]
mod copies;

use std::fs;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dmaflow_core::format::Format;
use dmaflow_core::frame::Frame;
use dmaflow_core::stage::{Filter, Sink, StageError};
use dmaflow_core::time::Rate;
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig, NullSink, PictureSink, PictureSinkConfig};
use dmaflow_pipelines::description::Description;
use dmaflow_pipelines::{
    AnyStage, Builder, Decimate, Limits, LinkReport, Pipeline, QueuePolicy, Report,
};
use dmaflow_testbed::bars::{wrong_in_frame, wrong_in_picture};
use dmaflow_testbed::{Board, Cameras, DmaBufs, open_files};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};

/// A small picture, so that an emulated processor draws and compares it in time, and one that
/// has room for bars below vivid's text.
const SMALL: (u32, u32) = (320, 180);
const WITH_BARS: (u32, u32) = (640, 360);

fn vivid(format: Format, size: (u32, u32), rate: u32) -> AnyStage {
    let config = V4l2SrcConfig {
        device: Some("vivid".to_owned()),
        format: Some(format),
        size: Some(size),
        rate: Rate::new(rate, 1),
        ..V4l2SrcConfig::default()
    };
    AnyStage::source(V4l2Src::open(config).unwrap())
}

/// The display, which compares every so many pictures with what its writeback connector saw; 0
/// for formats that cannot be compared.
fn vkms(every: u32) -> KmsSink {
    let config = KmsSinkConfig {
        card: Some("vkms".to_owned()),
        mode: "640x480".parse().unwrap(),
        verify: NonZeroU32::new(every),
        ..KmsSinkConfig::default()
    };
    KmsSink::open(config).unwrap()
}

fn fifo(depth: usize) -> QueuePolicy {
    QueuePolicy::Fifo {
        depth: NonZeroUsize::new(depth),
    }
}

fn prepared(graph: Builder) -> Pipeline {
    graph.prepare(&dmaflow_heaps::registry()).unwrap()
}

fn run(pipeline: &mut Pipeline, frames: u64) -> Report {
    let limits = Limits {
        frames: Some(frames),
        ..Limits::default()
    };
    let report = pipeline.run(limits).unwrap();
    assert_eq!(report.unaccounted(), 0, "{report:?}");
    report
}

fn shown(report: &Report, stage: &str) -> u64 {
    let mut stages = report.stages.iter();
    stages.find(|known| known.stage == stage).unwrap().shown
}

fn link<'r>(report: &'r Report, from: &str, to: &str) -> &'r LinkReport {
    let mut links = report.links.iter();
    let found = links.find(|link| link.from == from && link.to == to);
    found.unwrap()
}

/// Every picture that the display compared was as committed, and there were some.
fn assert_verified(report: &Report, (width, height): (u32, u32)) {
    let pixels = u64::from(width * height);
    let compared = report.counter("verified").unwrap();
    assert!(compared > 0, "{report:?}");
    assert_eq!(report.counter("verified_pixels"), Some(compared * pixels));
    assert_eq!(report.counter("differing_pixels"), Some(0));
}

/// A frame as it passed: its number, and the inode of its memory.
type Seen = (u64, u64);

/// Writes down what passes, and looks at it.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Vec<Seen>>>);

impl Watch {
    fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }
}

impl Filter for Watch {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        let wrong = wrong_in_frame(&frame).map_err(StageError::failed)?;
        assert_eq!(wrong, None);
        let inode = frame.buffers()[0].id().inode();
        let mut seen = self.0.lock().unwrap();
        seen.push((frame.meta().sequence, inode));
        drop(seen);
        Ok(Some(frame))
    }
}

/// A directory that goes at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dmaflow-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = (fs::read_dir(&self.0).unwrap().flatten())
            .map(|entry| entry.path())
            .collect();
        files.sort();
        files
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn a_display_and_a_picture_of_every_tenth_frame() {
    if Board::for_test_on(&["pc"], "a_display_and_a_picture_of_every_tenth_frame").is_none() {
        return;
    }
    let (buffers, files) = (DmaBufs::now(), open_files());
    let scratch = Scratch::new("every-tenth");
    let pictures = PictureSinkConfig {
        path: scratch.0.join("frame-{n}.png"),
        every: NonZeroU64::MIN,
    };
    let (all, screened) = (Watch::default(), Watch::default());
    let mut graph = Builder::new();
    let camera = graph.add("camera", vivid(Format::XRGB8888, WITH_BARS, 10));
    let watch = graph.add("watch", AnyStage::filter(screened.clone()));
    let screen = graph.add("screen", AnyStage::sink(vkms(3)));
    let aside = graph.add("aside", AnyStage::filter(all.clone()));
    let tenth = Decimate::new(NonZeroU64::new(10).unwrap());
    let tenth = graph.add("tenth", AnyStage::filter(tenth));
    let sink = PictureSink::new(pictures.clone());
    let sink = graph.add("pictures", AnyStage::sink(sink));
    // Comparing takes its time on an emulated processor.
    let wait = QueuePolicy::Block {
        depth: NonZeroUsize::new(2).unwrap(),
    };
    graph.connect(camera, watch, wait);
    graph.connect(watch, screen, wait);
    graph.connect(camera, aside, wait);
    graph.connect(aside, tenth, wait);
    graph.connect(tenth, sink, wait);
    let mut pipeline = prepared(graph);
    assert_eq!(pipeline.pools().len(), 1, "one pool for all users");
    let report = run(&mut pipeline, 30);

    assert_eq!(report.captured, 30);
    for (from, to) in [("camera", "watch"), ("camera", "aside")] {
        let link = link(&report, from, to);
        assert_eq!((link.sent, link.superseded), (30, 0), "{link:?}");
    }
    assert_eq!(shown(&report, "screen"), 30, "{report:?}");
    assert_eq!(shown(&report, "pictures"), 3, "{report:?}");
    assert_verified(&report, WITH_BARS);
    // The same frames, in the same memory, for both.
    let (all, screened) = (all.seen(), screened.seen());
    assert_eq!(all, screened);
    let pool: Vec<_> = (pipeline.pool().buffers().flatten())
        .map(|buffer| buffer.id().inode())
        .collect();
    assert!(all.iter().all(|(_, inode)| pool.contains(inode)));
    let mut expected: Vec<_> = (all.iter().step_by(10))
        .map(|(sequence, _)| pictures.path_of(*sequence))
        .collect();
    expected.sort();
    assert_eq!(scratch.files(), expected);
    for picture in &expected {
        assert_eq!(wrong_in_picture(picture), None, "{}", picture.display());
    }
    drop(pipeline);
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

/// Two cameras, beside each other on one display.
const SIDE_BY_SIDE: &str = r#"
links = ["left -> wall", "right -> wall"]

[defaults.v4l2-src]
format = "XRGB8888"
width = 320
height = 180
rate = 10

[stage.left]
kind = "v4l2-src"
device = "platform:vivid-000"

[stage.right]
kind = "v4l2-src"
device = "platform:vivid-001"

[stage.wall]
kind = "kms-sink"
card = "vkms"
mode = "640x480"
verify = 1
queue = "fifo"
"#;

#[test]
fn two_cameras_side_by_side_on_one_display() {
    if Board::for_test_on(&["pc"], "two_cameras_side_by_side_on_one_display").is_none() {
        return;
    }
    let cameras = Cameras::load(&[(1, false), (2, false)]);
    let (buffers, files) = (DmaBufs::now(), open_files());
    let described = Description::parse(SIDE_BY_SIDE, "side-by-side.toml", &[]).unwrap();
    let mut pipeline = prepared(described.build().unwrap());
    let agreed = pipeline.agreement();
    assert_eq!(agreed.pools.len(), 2);
    assert!(agreed.zero_copy);
    let on = |input: &str, plane: &str| {
        let words = format!("`{input}` on {plane} (");
        let mut choices = agreed.choices.iter();
        choices.any(|(_stage, choice)| choice.chosen.starts_with(&words))
    };
    assert!(on("left", "primary"), "{:?}", agreed.choices);
    assert!(on("right", "overlay"), "{:?}", agreed.choices);
    for _run in 0..2 {
        let report = run(&mut pipeline, 12);
        for camera in ["left", "right"] {
            let link = link(&report, camera, "wall");
            assert!(link.taken > 0, "{link:?}");
            assert_eq!((link.taken, link.superseded), (link.sent, 0), "{link:?}");
        }
        assert_eq!(report.shown, report.captured, "{report:?}");
        assert_eq!(report.cpu.copied, 0);
        assert_verified(&report, SMALL);
    }
    drop(pipeline);
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
    drop(cameras);
}

/// Takes its time over each frame.
struct Slow(Duration);

impl Filter for Slow {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        thread::sleep(self.0);
        Ok(Some(frame))
    }
}

/// Frames that the camera lost on the way to a display, beside which there is a slow branch; the
/// display shows all others.
fn lost_beside(policy: QueuePolicy, depth: usize) -> u64 {
    let frames = 30;
    let mut graph = Builder::new();
    let camera = graph.add("camera", vivid(Format::XRGB8888, SMALL, 10));
    let screen = graph.add("screen", AnyStage::sink(vkms(10)));
    graph.connect(camera, screen, fifo(depth));
    let slow = AnyStage::filter(Slow(Duration::from_millis(300)));
    let slow = graph.add("slow", slow);
    let end = graph.add("end", AnyStage::sink(NullSink::default()));
    graph.connect(camera, slow, policy);
    graph.connect(slow, end, QueuePolicy::Latest);
    let mut pipeline = prepared(graph);
    let report = run(&mut pipeline, frames);
    assert_eq!(report.captured, frames);
    let fast = link(&report, "camera", "screen");
    assert_eq!((fast.sent, fast.superseded), (frames, 0), "{fast:?}");
    assert_eq!(shown(&report, "screen"), frames, "{report:?}");
    assert_eq!(report.cpu.copied, 0);
    assert_verified(&report, SMALL);
    assert!(link(&report, "camera", "slow").taken > 0, "{report:?}");
    report.counter("lost").unwrap()
}

#[test]
fn a_slow_branch_costs_the_display_no_frame() {
    if Board::for_test_on(&["pc"], "a_slow_branch_costs_the_display_no_frame").is_none() {
        return;
    }
    let (buffers, files) = (DmaBufs::now(), open_files());
    for policy in [fifo(2), QueuePolicy::Latest] {
        // An emulated processor that others use, too, may lose one by itself: one run of several
        // is to lose none.
        let mut lost = (0..4).map(|_run| lost_beside(policy, 16));
        assert!(lost.any(|lost| lost == 0), "{policy}");
    }
    // A branch that the camera does wait for costs two of three frames, once its buffers are full.
    let wait = QueuePolicy::Block {
        depth: NonZeroUsize::MIN,
    };
    let lost = lost_beside(wait, 4);
    assert!(lost >= 15, "{lost}");
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn a_converter_is_put_in_where_the_display_cannot_take_the_camera() {
    let name = "a_converter_is_put_in_where_the_display_cannot_take_the_camera";
    let Some(board) = Board::for_test_on(&["pc"], name) else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let taken = vkms(0).formats().unwrap().unwrap();
    let both = ["RGB888", "BGR888"].map(|name| name.parse::<Format>().unwrap());
    // The driver of newer kernels takes them as they are, and no converter is wanted.
    let Some(format) = both.into_iter().find(|format| !taken.contains(format)) else {
        assert!(board.kernel >= (6, 13), "{taken:?}");
        return;
    };
    let mut graph = Builder::new();
    let camera = graph.add("camera", vivid(format, WITH_BARS, 10));
    let screen = graph.add("screen", AnyStage::sink(vkms(0)));
    graph.connect(camera, screen, fifo(4));
    let mut pipeline = prepared(graph);
    let agreed = pipeline.agreement();
    assert!(agreed.zero_copy, "{agreed:?}");
    let mut choices = agreed.choices.iter();
    let put_in = choices.find(|(_stage, choice)| choice.what == "converter");
    let (stage, put_in) = put_in.unwrap();
    let device = agreed.devices.iter().find(|(known, _)| known == stage);
    let said = format!("{:?}: {}", device.unwrap(), put_in.chosen);
    let why = [
        "vim2m",
        "put in: `camera` offers",
        "`screen` takes",
        "no format in common",
    ];
    for part in why.into_iter().chain([format.name()]) {
        assert!(said.contains(part), "{part} in {said}");
    }
    let formats: Vec<_> = (agreed.pools.iter())
        .map(|pool| pool.plan.layout.format().name())
        .collect();
    assert_eq!(formats, [format.name(), "RGB565"]);
    let report = run(&mut pipeline, 10);
    assert!(shown(&report, "screen") > 0, "{report:?}");
    assert_eq!(report.cpu.copied, 0);
    drop(pipeline);
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}
