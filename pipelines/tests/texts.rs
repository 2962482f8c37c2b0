//! Descriptions of several texts: includes, boards, variables; and those of one line.

use std::fs;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use dmaflow_core::format::Format;
use dmaflow_core::time::Rate;
use dmaflow_files::{FileSinkConfig, KeptBefore, Rotation};
use dmaflow_kms_sink::KmsSinkConfig;
use dmaflow_pipelines::description::{
    Description, FilterKind, MixerKind, Override, SinkKind, SourceKind, StageKind, boards,
};
use dmaflow_pipelines::{HeapRequest, PoolRequest, QueuePolicy};
use dmaflow_v4l2_src::{ControlValue, V4l2SrcConfig};

/// A directory of files for one test, gone with it.
struct Files(PathBuf);

impl Files {
    fn new(test: &str, files: &[(&str, &str)]) -> Self {
        let name = format!("dmaflow-{test}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        for (name, text) in files {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            fs::write(path, text).expect("written");
        }
        Self(directory)
    }

    fn load(&self, name: &str, overrides: &[&str]) -> Description {
        let overrides: Vec<_> = overrides.iter().copied().map(Override::from).collect();
        let loaded = Description::load(self.0.join(name), &overrides);
        loaded.expect("a right description")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("removed");
    }
}

fn line(text: &str) -> Description {
    let read = Description::parse_line(text, &[]);
    read.expect("a right description")
}

fn parse(text: &str) -> Description {
    let read = Description::parse(text, "test.toml", &[]);
    read.expect("a right description")
}

/// The camera of a description that has one.
fn camera(description: &Description) -> (&V4l2SrcConfig, &PoolRequest) {
    let found = description
        .sources()
        .find_map(|(_, kind, pool)| match kind {
            SourceKind::V4l2(config) => Some((config, pool)),
            _ => None,
        });
    found.expect("a camera")
}

fn display(description: &Description) -> &KmsSinkConfig {
    let found = description
        .stages
        .iter()
        .find_map(|stage| match &stage.kind {
            StageKind::Sink(SinkKind::Kms(config)) => Some(config),
            _ => None,
        });
    found.expect("a display")
}

fn names(description: &Description) -> Vec<&str> {
    let stages = description.stages.iter();
    stages.map(|stage| stage.name.as_str()).collect()
}

fn links(description: &Description) -> Vec<(&str, &str)> {
    let names = names(description);
    let links = description.links.iter();
    links
        .map(|link| (names[link.from.stage], names[link.to.stage]))
        .collect()
}

const BASE: &str = r#"
version = 1
links = ["camera -> screen"]
[vars]
width = 640
[stage.camera]
kind = "v4l2-src"
device = "vivid"
width = "${width}"
height = 480
[stage.screen]
kind = "kms-sink"
card = "vkms"
[run]
frames = 3
"#;

#[test]
fn a_file_lies_over_what_it_includes_key_by_key() {
    let files = Files::new(
        "includes",
        &[
            ("parts/base.toml", BASE),
            (
                "parts/card.toml",
                "include = [\"base.toml\"]\nstage.screen.card = \"bochs\"",
            ),
            ("parts/rate.toml", "stage.camera.rate = 25"),
            (
                "whole.toml",
                "include = [\"parts/card.toml\", \"parts/rate.toml\", \"parts/base.toml\"]\n\
                 [stage.camera]\ndevice = \"uvcvideo\"\n[vars]\nwidth = 800",
            ),
            (
                "over.toml",
                "include = [\"parts/base.toml\", \"parts/card.toml\"]",
            ),
        ],
    );
    let whole = files.load("whole.toml", &[]);
    let (config, _) = camera(&whole);
    assert_eq!(config.device.as_deref(), Some("uvcvideo"));
    assert_eq!(config.size, Some((800, 480)));
    assert_eq!(config.rate, Rate::new(25, 1));
    // What is included last lies on top.
    assert_eq!(display(&whole).card.as_deref(), Some("vkms"));
    assert_eq!(
        display(&files.load("over.toml", &[])).card.as_deref(),
        Some("bochs")
    );
    assert_eq!(whole.limits.frames, Some(3));

    let set = files.load("whole.toml", &["var.width=320", "screen.card=cirrus"]);
    assert_eq!(camera(&set).0.size, Some((320, 480)));
    assert_eq!(display(&set).card.as_deref(), Some("cirrus"));
}

#[test]
fn variables_keep_their_type_alone_and_are_text_within_text() {
    let description = parse(
        r#"
        links = ["${source} -> screen"]
        [vars]
        source = "camera"
        width = 1280
        node = 3
        heaps = ["system", "${cma}"]
        cma = "default_cma_region"
        size = "${width}x720"
        [stage.camera]
        kind = "v4l2-src"
        device = "/dev/video${node}"
        width = "${width}"
        height = 720
        heap = "${heaps}"
        controls = { test_pattern = "costs $${money}" }
        [stage.screen]
        kind = "kms-sink"
        mode = "${size}@60"
        "#,
    );
    let (config, pool) = camera(&description);
    assert_eq!(config.device.as_deref(), Some("/dev/video3"));
    assert_eq!(config.size, Some((1280, 720)));
    let heaps = ["system", "default_cma_region"].map(str::to_owned);
    assert_eq!(pool.heaps, HeapRequest::Names(heaps.to_vec()));
    let text = ControlValue::Text("costs ${money}".to_owned());
    assert_eq!(config.controls, [("test_pattern".to_owned(), text)]);
    assert_eq!(display(&description).mode, "1280x720@60".parse().unwrap());
}

#[test]
fn a_camera_of_several_devices_is_set_up_by_hand() {
    let description = parse(
        r#"
        links = ["camera -> nothing"]
        [stage.camera]
        kind = "v4l2-src"
        [stage.camera.media]
        sensor = "Sensor A"
        pads = ["Sensor A:0 SBGGR8_1X8 640x480", "Scaler:0 320x240"]
        links = ["Debayer A:1 -> Scaler:0 off"]
        [stage.nothing]
        kind = "null-sink"
        "#,
    );
    let media = camera(&description).0.media.as_ref().expect("what was set");
    assert_eq!(media.sensor.as_deref(), Some("Sensor A"));
    assert_eq!(media.pads[0].size, Some((640, 480)));
    assert_eq!((media.pads[1].code, media.pads[1].pad), (None, 0));
    assert!(!media.links[0].enable);
}

#[test]
fn a_board_fills_what_stages_leave_out() {
    const TWO: &str = r#"
        links = ["camera -> screen"]
        [stage.camera]
        kind = "v4l2-src"
        [stage.screen]
        kind = "kms-sink"
    "#;
    for name in boards::names() {
        let description = parse(&format!("board = \"{name}\"{TWO}"));
        assert!(display(&description).card.is_some(), "{name}");
        assert_ne!(camera(&description).1.heaps, HeapRequest::Any, "{name}");
    }
    assert!(boards::names().len() >= 6, "{:?}", boards::names());

    let named = format!("board = \"am62x-sk\"{TWO}card = \"vkms\"\n[defaults.v4l2-src]\nrate = 30");
    let description = parse(&named);
    assert_eq!(display(&description).card.as_deref(), Some("vkms"));
    let (config, _) = camera(&description);
    assert_eq!(config.rate, Rate::new(30, 1));
    assert_eq!(config.device.as_deref(), Some("j721e-csi2rx"));
    // Stages of other kinds take nothing from them.
    assert_eq!(
        parse(TWO),
        parse(&format!("{TWO}[defaults.test-src]\nrate = 5"))
    );
}

#[test]
fn keys_that_go_together_come_from_one_place() {
    let queues = "[defaults.null-sink]\nqueue = \"fifo\"\ndepth = 2";
    let queue = |sink: &str| {
        let stages = "stage.a.kind = \"test-src\"\nstage.b.kind = \"null-sink\"";
        parse(&format!("links = [\"a -> b\"]\n{stages}\n{sink}\n{queues}")).links[0].queue
    };
    let fifo = |depth| QueuePolicy::Fifo {
        depth: NonZeroUsize::new(depth),
    };
    assert_eq!(queue(""), fifo(2));
    assert_eq!(queue("stage.b.queue = \"latest\""), QueuePolicy::Latest);
    assert_eq!(queue("stage.b.queue = \"fifo\""), QueuePolicy::FIFO);
    // A depth alone says nothing against the order.
    assert_eq!(queue("stage.b.depth = 3"), fifo(3));
}

#[test]
fn a_line_is_the_file_that_it_stands_for() {
    let from_line = line(
        "v4l2-src name=camera device=/dev/video0 format=NV12 width=1280 height=720 \
         rate=30000/1001 heap=['system', \"cma\"] controls.test_pattern='75% Colorbar' \
         ! decimate every=2 queue=fifo depth=3 ! kms-sink name=screen mode=1280x720@60",
    );
    let from_file = parse(
        r#"
        links = ["camera -> decimate -> screen"]
        [stage.camera]
        kind = "v4l2-src"
        device = "/dev/video0"
        format = "NV12"
        width = 1280
        height = 720
        rate = "30000/1001"
        heap = ["system", "cma"]
        controls = { test_pattern = "75% Colorbar" }
        [stage.decimate]
        kind = "decimate"
        every = 2
        queue = "fifo"
        depth = 3
        [stage.screen]
        kind = "kms-sink"
        mode = "1280x720@60"
        "#,
    );
    assert_eq!(from_line, from_file);
    let every = NonZeroU64::new(2).unwrap();
    let decimate = StageKind::Filter(FilterKind::Decimate { every });
    assert_eq!(from_line.stages[1].kind, decimate);
    assert_ne!(from_line.links[0].queue, QueuePolicy::Latest);
    assert_eq!(camera(&from_line).0.format, Some(Format::NV12));
}

#[test]
fn lines_branch_and_join_at_names() {
    let tee = line("test-src name=t ! kms-sink t. ! decimate every=10 ! null-sink");
    assert_eq!(
        links(&tee),
        [
            ("t", "kms-sink"),
            ("t", "decimate"),
            ("decimate", "null-sink")
        ]
    );
    let join = line(
        "kms-sink name=wall place.left.x=0 place.left.y=0 \
         test-src name=left ! wall. test-src name=right ! wall.",
    );
    assert_eq!(links(&join), [("left", "wall"), ("right", "wall")]);
    let StageKind::Mixer(MixerKind::Kms { inputs, .. }) = &join.stages[2].kind else {
        panic!("{:?}", join.stages);
    };
    assert_eq!(inputs[0].place.at, Some((0, 0)));
    // Two of a kind are told apart without names.
    let two = line("test-src ! null-sink test-src ! null-sink");
    assert_eq!(
        links(&two),
        [("test-src", "null-sink"), ("test-src-2", "null-sink-2")]
    );
    let set = Description::parse_line("test-src ! null-sink", &["test-src.rate=5".into()]).unwrap();
    assert_ne!(set, line("test-src ! null-sink"));
}

#[test]
fn a_file_that_is_there_goes_before_a_line() {
    let files = Files::new("argument", &[("test-src", BASE)]);
    let read = |text: &str| Description::from_argument(text, &[]);
    let path = files.0.join("test-src").display().to_string();
    assert_eq!(names(&read(&path).unwrap()), ["camera", "screen"]);
    assert_eq!(
        names(&read("test-src ! null-sink").unwrap()),
        ["test-src", "null-sink"]
    );
    let missing = read("camera.toml").unwrap_err().to_string();
    assert!(missing.contains("cannot read camera.toml"), "{missing}");
    let foreign = read("videotestsrc ! autovideosink")
        .unwrap_err()
        .to_string();
    assert!(foreign.contains("here it is `test-src`"), "{foreign}");
}

#[test]
fn no_damage_to_a_line_makes_its_reader_panic() {
    let whole = "test-src name=t a.b='c d' ! kms-sink heap=[1, 2] t. ! null-sink";
    for (at, character) in whole.char_indices() {
        let (before, after) = (&whole[..at], &whole[at + character.len_utf8()..]);
        for damaged in [
            before.to_owned(),
            format!("{before}{after}"),
            format!("{before}→{after}"),
        ] {
            if let Err(diagnostics) = Description::parse_line(&damaged, &[]) {
                assert!(diagnostics.render(true).contains("error"), "{damaged}");
            }
        }
    }
}

#[test]
fn a_recording_says_how_its_files_follow_each_other() {
    let sink = |text: &str| {
        let read = line(&format!("test-src ! {text}"));
        let found = read.stages.into_iter().find_map(|stage| match stage.kind {
            StageKind::Sink(SinkKind::File(config)) => Some(config),
            _ => None,
        });
        found.expect("a file")
    };
    let plain = sink("file-sink path=a.mp4");
    assert_eq!(plain, FileSinkConfig::new("a.mp4".into()));
    let whole = sink(
        "file-sink path=a.mp4 rotate.size=1GiB rotate.time=10m before.time=10s before.size=8MiB \
         fragment=500ms",
    );
    let expected = FileSinkConfig {
        rotate: Some(Rotation {
            bytes: Some(1 << 30),
            time: Some(Duration::from_secs(600)),
        }),
        before: Some(KeptBefore {
            time: Duration::from_secs(10),
            bytes: 8 << 20,
        }),
        fragment: Some(Duration::from_millis(500)),
        ..plain
    };
    assert_eq!(whole, expected);
    let short = sink("file-sink path=a.mp4 before=3s rotate=1h");
    let hour = Some(Duration::from_secs(3600));
    assert_eq!(short.rotate.and_then(|rotate| rotate.time), hour);
    let short = short.before.expect("kept");
    assert_eq!(short.time, Duration::from_secs(3));
    assert_eq!(short.bytes, KeptBefore::USUAL_BYTES);
}
