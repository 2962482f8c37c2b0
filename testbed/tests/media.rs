//! Cameras that are made of several devices: vimc, whose links and formats nobody set up.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::stage::{Source, SourcePlan};
use dmaflow_testbed::{Board, DmaBufs, dmaflow, open_files};
use dmaflow_v4l2::media::{
    Entity, LinkConfig, MediaConfig, MediaDevice, NodeKind, PadConfig, PadDirection, PadFormat,
    Subdevice, Topology,
};
use dmaflow_v4l2::{ControlValue, Direction, VideoDevice};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};

/// The board, where it has vimc.
fn board(test: &str) -> Option<Board> {
    Board::for_test_on(&["rockchip"], test)
}

fn graph() -> Topology {
    let vimc = MediaDevice::open_matching("vimc").unwrap();
    vimc.topology().unwrap()
}

fn node(name: &str) -> PathBuf {
    let graph = graph();
    let entity = graph.find(name).expect(name);
    entity.node.as_ref().unwrap().path.clone()
}

/// Links, the formats of all pads and those of all video nodes.
#[derive(Debug, PartialEq, Eq)]
struct State {
    graph: Topology,
    pads: Vec<(String, u16, PadFormat)>,
    nodes: Vec<(String, String)>,
}

/// `without` is the node that was captured from, which keeps its format.
fn state(without: &str) -> State {
    let graph = graph();
    let (mut pads, mut nodes) = (Vec::new(), Vec::new());
    let with_node = |entity: &&Entity| entity.node.is_some() && entity.name != without;
    for entity in graph.entities.iter().filter(with_node) {
        let node = entity.node.as_ref().unwrap();
        if node.kind == NodeKind::Video {
            let video = VideoDevice::open(&node.path).unwrap();
            let layout = video.layout(Direction::Capture).unwrap();
            nodes.push((entity.name.clone(), layout.to_string()));
            continue;
        }
        let subdevice = Subdevice::open(&node.path, &entity.name).unwrap();
        for pad in &entity.pads {
            let format = subdevice.format(pad.index).unwrap();
            pads.push((entity.name.clone(), pad.index, format));
        }
    }
    State { graph, pads, nodes }
}

fn config(name: &str, format: Format, size: (u32, u32)) -> V4l2SrcConfig {
    V4l2SrcConfig {
        device: Some(node(name).display().to_string()),
        format: Some(format),
        size: Some(size),
        ..V4l2SrcConfig::default()
    }
}

fn format(name: &str) -> Format {
    Format::all().find(|format| format.name() == name).unwrap()
}

/// Opens and configures; the camera's choice about media in words.
fn configured(config: V4l2SrcConfig) -> (V4l2Src, SourcePlan, String) {
    let asked = config.format.unwrap();
    let mut camera = V4l2Src::open(config).unwrap();
    assert!(camera.formats().unwrap().contains(&asked));
    let size = Source::size(&mut camera).unwrap();
    let plan = camera.configure(asked).unwrap();
    assert_eq!(size, Some((plan.layout.width(), plan.layout.height())));
    let choice = plan.choices.iter().find(|choice| choice.what == "media");
    let chosen = choice.expect("a choice about media").chosen.clone();
    (camera, plan, chosen)
}

/// Starts the camera, looks at some frames more than there are buffers, stops it; twice.
fn captured(camera: &mut V4l2Src, plan: &SourcePlan, look: impl Fn(&Frame)) {
    let heap = dmaflow_heaps::registry().open("system").unwrap();
    let pool = FramePool::allocate(&heap, &plan.layout, 4).unwrap();
    camera.attach(&pool).unwrap();
    for _twice in 0..2 {
        let _stopper = camera.start().unwrap();
        for _frame in 0..6 {
            look(&camera.next_frame().unwrap().unwrap());
        }
        camera.stop().unwrap();
    }
    camera.detach();
}

/// The eight bars of the test pattern that vimc's sensor paints without a control set: 75 %
/// white, yellow, cyan, green, magenta, red, blue, black, from left to right.
const BARS: [[bool; 3]; 8] = [
    [true, true, true],
    [true, true, false],
    [false, true, true],
    [false, true, false],
    [true, false, true],
    [true, false, false],
    [false, false, true],
    [false, false, false],
];

/// Whether the bars stand where they should, by the mean of a few pixels in each bar's middle.
/// The rows at the bottom have no text over them.
fn has_bars(size: (u32, u32), colour_at: impl Fn(u32, u32) -> [u8; 3]) {
    let row = size.1 - size.1 / 8;
    for (number, bar) in (0..).zip(BARS) {
        let column = size.0 * (2 * number + 1) / 16;
        let colour = colour_at(column, row);
        let seen = colour.map(|value| value > 96);
        assert_eq!(seen, bar, "bar {number} at {column}, {row} is {colour:?}");
    }
}

#[test]
fn vimc_without_any_set_up_shows_its_bars_through_debayer_and_scaler() {
    let name = "vimc_without_any_set_up_shows_its_bars_through_debayer_and_scaler";
    let Some(_board) = board(name) else {
        return;
    };
    let (buffers, files, before) = (DmaBufs::now(), open_files(), state("RGB/YUV Capture"));
    for size in [(640, 480), (320, 240), (800, 600)] {
        let (mut camera, plan, chosen) =
            configured(config("RGB/YUV Capture", format("BGR888"), size));
        assert!(chosen.starts_with("Sensor A:0 "), "{chosen}");
        assert!(chosen.contains("Debayer A:1 RGB888_1X24"), "{chosen}");
        assert!(chosen.ends_with("RGB/YUV Capture RGB3"), "{chosen}");
        assert_eq!((plan.layout.width(), plan.layout.height()), size);
        captured(&mut camera, &plan, |frame| {
            let stride = plan.layout.planes()[0].stride;
            let bytes = frame.buffers()[0].read(CpuUse::Inspect).unwrap();
            has_bars(size, |column, row| {
                let at = (row * stride + column * 3) as usize;
                [bytes[at], bytes[at + 1], bytes[at + 2]]
            });
        });
        assert_ne!(state("RGB/YUV Capture"), before, "{size:?} was set up");
        drop(camera);
        assert_eq!(state("RGB/YUV Capture"), before, "{size:?}");
    }
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn vimc_without_any_set_up_gives_what_its_sensor_sees() {
    let name = "vimc_without_any_set_up_gives_what_its_sensor_sees";
    let Some(_board) = board(name) else {
        return;
    };
    let (buffers, files, before) = (DmaBufs::now(), open_files(), state("Raw Capture 0"));
    for (raw, size) in [("SBGGR8", (640, 480)), ("SRGGB8", (480, 320))] {
        let (mut camera, plan, chosen) = configured(config("Raw Capture 0", format(raw), size));
        let expected = format!("Sensor A:0 {}×{} {raw}_1X8 → Raw Capture 0", size.0, size.1);
        assert!(chosen.starts_with(&expected), "{chosen}");
        // The debayer hangs on the sensor for good, what follows it does not.
        assert!(
            chosen.ends_with("; disabled Debayer A:1 → Scaler:0"),
            "{chosen}"
        );
        captured(&mut camera, &plan, |frame| {
            let stride = plan.layout.planes()[0].stride;
            let bytes = frame.buffers()[0].read(CpuUse::Inspect).unwrap();
            let at = |column: u32, row: u32| bytes[(row * stride + column) as usize];
            has_bars(size, |column, row| {
                let (column, row) = (column & !1, row & !1);
                let first = at(column, row);
                let last = at(column + 1, row + 1);
                let green = at(column + 1, row);
                if raw == "SBGGR8" {
                    [last, green, first]
                } else {
                    [first, green, last]
                }
            });
        });
        drop(camera);
        assert_eq!(state("Raw Capture 0"), before, "{raw}");
    }
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn without_a_size_the_sensors_is_taken() {
    let Some(_board) = board("without_a_size_the_sensors_is_taken") else {
        return;
    };
    // The node's own was left behind by whoever captured last.
    let mut left = config("RGB/YUV Capture", format("BGR888"), (320, 240));
    drop(configured(left.clone()));
    left.size = None;
    let (_camera, plan, chosen) = configured(left);
    assert_eq!(
        (plan.layout.width(), plan.layout.height()),
        (640, 480),
        "{chosen}"
    );
}

#[test]
fn another_sensor_is_linked_and_let_go() {
    let Some(_board) = board("another_sensor_is_linked_and_let_go") else {
        return;
    };
    let before = state("RGB/YUV Capture");
    let mut asked = config("RGB/YUV Capture", format("BGR888"), (640, 480));
    asked.controls = vec![("brightness".to_owned(), ControlValue::Integer(128))];
    for media in [
        MediaConfig {
            sensor: Some("Sensor B".to_owned()),
            pads: vec!["Sensor B:0 SGRBG8_1X8".parse::<PadConfig>().unwrap()],
            ..MediaConfig::default()
        },
        MediaConfig {
            links: ["Debayer B:1 -> Scaler:0", "Debayer A:1 -> Scaler:0 off"]
                .map(|link| link.parse::<LinkConfig>().unwrap())
                .to_vec(),
            ..MediaConfig::default()
        },
        // What else enters the scaler is switched off without being asked.
        MediaConfig {
            links: vec!["Debayer B:1 -> Scaler:0".parse::<LinkConfig>().unwrap()],
            ..MediaConfig::default()
        },
    ] {
        let explicit = !media.pads.is_empty();
        asked.media = Some(media);
        let (mut camera, plan, chosen) = configured(asked.clone());
        assert!(chosen.starts_with("Sensor B:0 640×480 S"), "{chosen}");
        assert_eq!(chosen.contains("SGRBG8_1X8"), explicit, "{chosen}");
        for change in [
            "disabled Debayer A:1 → Scaler:0",
            "enabled Debayer B:1 → Scaler:0",
        ] {
            assert!(chosen.contains(change), "{chosen}");
        }
        captured(&mut camera, &plan, |frame| {
            let stride = plan.layout.planes()[0].stride;
            let bytes = frame.buffers()[0].read(CpuUse::Inspect).unwrap();
            has_bars((640, 480), |column, row| {
                let at = (row * stride + column * 3) as usize;
                [bytes[at], bytes[at + 1], bytes[at + 2]]
            });
        });
        drop(camera);
        assert_eq!(state("RGB/YUV Capture"), before);
    }
}

#[test]
fn what_cannot_be_set_up_says_why_and_changes_nothing() {
    let Some(_board) = board("what_cannot_be_set_up_says_why_and_changes_nothing") else {
        return;
    };
    // The node that is captured from keeps the format that it was set to.
    let (files, before) = (open_files(), state("RGB/YUV Capture"));
    let failed = |config: V4l2SrcConfig| {
        let format = config.format.unwrap();
        let error = match V4l2Src::open(config) {
            Ok(mut camera) => camera.configure(format).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(state("RGB/YUV Capture"), before, "{error}");
        error
    };
    let contains = |error: &str, words: &[&str]| {
        for word in words {
            assert!(error.contains(word), "{word} is not in: {error}");
        }
    };
    let rgb = format("BGR888");
    let with = |media: MediaConfig| V4l2SrcConfig {
        media: Some(media),
        ..config("RGB/YUV Capture", rgb, (640, 480))
    };

    let sensor = Some("Sensor C".to_owned());
    let error = failed(with(MediaConfig {
        sensor,
        ..MediaConfig::default()
    }));
    contains(
        &error,
        &["no entity called `Sensor C`", "Sensor A", "Lens B"],
    );

    let error = failed(with(MediaConfig {
        sensor: Some("Lens A".to_owned()),
        ..MediaConfig::default()
    }));
    contains(&error, &["Lens A", "to RGB/YUV Capture", "Sensor B"]);

    let link = "Sensor A:0 -> Raw Capture 0:0 off".parse::<LinkConfig>();
    let error = failed(with(MediaConfig {
        links: vec![link.unwrap()],
        ..MediaConfig::default()
    }));
    contains(&error, &["Sensor A:0 → Raw Capture 0:0", "immutable"]);

    let link = "Sensor A:0 -> Scaler:0".parse::<LinkConfig>();
    let error = failed(with(MediaConfig {
        links: vec![link.unwrap()],
        ..MediaConfig::default()
    }));
    contains(
        &error,
        &["no link Sensor A:0 -> Scaler:0", "Debayer B:1 → Scaler:0"],
    );

    let pad = "Debayer A:7 RGB888_1X24".parse::<PadConfig>();
    let error = failed(with(MediaConfig {
        pads: vec![pad.unwrap()],
        ..MediaConfig::default()
    }));
    contains(&error, &["Debayer A:7", "has 2 pads"]);

    let pad = "Debayer A:0 RGB888_1X24".parse::<PadConfig>();
    let error = failed(with(MediaConfig {
        pads: vec![pad.unwrap()],
        ..MediaConfig::default()
    }));
    contains(&error, &["Debayer A:0", "RGB888_1X24"]);

    let error = failed(config("RGB/YUV Capture", rgb, (5000, 5000)));
    contains(&error, &["5000×5000", "4096×2160"]);

    // The debayer, which the sensor feeds whatever is wished, takes raw pictures only.
    let error = failed(config("Raw Capture 0", rgb, (640, 480)));
    contains(&error, &["Raw Capture 0", "RGB3"]);

    let mut unknown = config("RGB/YUV Capture", rgb, (640, 480));
    unknown.controls = vec![("iso".to_owned(), ControlValue::Integer(1))];
    let error = failed(unknown);
    contains(&error, &["`iso`", "Sensor A", "test_pattern"]);
    assert_eq!(open_files(), files);
}

#[test]
fn the_graph_is_told_as_it_is() {
    let Some(_board) = board("the_graph_is_told_as_it_is") else {
        return;
    };
    let graph = graph();
    let sensor = graph.find("Sensor A").unwrap();
    assert_eq!(sensor.function.name(), Some("camera sensor"));
    assert_eq!(sensor.pads.len(), 1);
    assert_eq!(sensor.pads[0].direction, PadDirection::Source);
    let path = &sensor.node.as_ref().unwrap().path;
    assert!(path.starts_with("/dev") && path.exists(), "{path:?}");
    assert_eq!(graph.find(path.to_str().unwrap()), Some(sensor));
    let links: Vec<_> = graph
        .links
        .iter()
        .map(|link| (graph.link_name(link), link.enabled, link.immutable))
        .collect();
    for (name, enabled, immutable) in [
        ("Sensor A:0 → Debayer A:0", true, true),
        ("Debayer A:1 → Scaler:0", true, false),
        ("Debayer B:1 → Scaler:0", false, false),
    ] {
        let link = (name.to_owned(), enabled, immutable);
        assert!(links.contains(&link), "{name} in {links:?}");
    }
}

#[test]
fn the_program_shows_the_graph_and_says_what_it_set_up() {
    let Some(_board) = board("the_program_shows_the_graph_and_says_what_it_set_up") else {
        return;
    };
    let said = |arguments: &[&str]| {
        let ended = dmaflow(arguments).output().expect("dmaflow");
        let text = String::from_utf8(ended.stdout).unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{text}{errors}");
        text
    };
    let contains = |text: &str, words: &[&str]| {
        for word in words {
            assert!(text.contains(word), "{word} is not in\n{text}");
        }
    };
    let capture = node("RGB/YUV Capture").display().to_string();
    for device in ["vimc", "VIMC MDEV", &capture] {
        let text = said(&["media", device]);
        contains(
            &text,
            &[
                "(vimc, /dev/media",
                "Sensor A: camera sensor, /dev/v4l-subdev",
                "with Lens A",
                "        → Raw Capture 0:0 (fixed)\n",
                "        → Scaler:0\n",
                "        → Scaler:0 (off)\n",
                "        ← Scaler:1 (fixed)\n",
                "0 in   640×480 SRGGB8_1X8\n",
            ],
        );
    }
    let graph: serde_json::Value = serde_json::from_str(&said(&["media", "--json"])).unwrap();
    let drivers = graph["media"].as_array().unwrap().iter();
    let vimc = drivers.clone().find(|it| it["driver"] == "vimc").unwrap();
    assert_eq!(vimc["entities"].as_array().unwrap().len(), 11, "{vimc}");
    assert_eq!(vimc["links"].as_array().unwrap().len(), 8, "{vimc}");
    assert_eq!(vimc["entities"][0]["pads"][0]["format"]["width"], 640);
    for (format, words) in [
        ("--svg", ["<svg", "Debayer A"]),
        ("--dot", ["digraph", "Debayer A"]),
        ("--mermaid", ["flowchart", "Debayer A"]),
    ] {
        contains(&said(&["media", "vimc", format]), &words);
    }

    let file = std::env::temp_dir().join("media-pipeline.toml");
    let description = format!(
        "links = [\"camera -> nothing\"]\n\
         [stage.camera]\nkind = \"v4l2-src\"\ndevice = \"{capture}\"\n\
         width = 320\nheight = 240\n[stage.nothing]\nkind = \"null-sink\"\n"
    );
    std::fs::write(&file, description).unwrap();
    let file = file.to_str().unwrap();
    let before = state("RGB/YUV Capture");
    let chosen = ["Sensor A:0 320×240 ", "RGB/YUV Capture RGB3"];
    contains(&said(&["check", file]), &chosen);
    contains(
        &said(&["run", file, "--frames=5", "--quiet"]),
        &["5 frames"],
    );
    assert_eq!(state("RGB/YUV Capture"), before);
}
