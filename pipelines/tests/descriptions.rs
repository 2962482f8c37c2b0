//! Right descriptions are understood, wrong ones get the message that `wrong/` keeps of them.
//!
//! `wrong/NAME.toml` goes with `wrong/NAME.txt`, and so does `wrong/NAME.line`, a pipeline in a
//! line; what files there include is in `wrong/parts`. Lines `# --set stage.key=value` in it are
//! applied as overrides. `UPDATE_EXPECTED=1 cargo test -p dmaflow-pipelines --test descriptions`
//! writes every message anew, for a look at the difference.

use std::collections::BTreeSet;
use std::fs;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dmaflow_core::format::Format;
use dmaflow_core::time::Rate;
use dmaflow_kms_sink::{KmsSinkConfig, ModeRequest, PlaneRequest};
use dmaflow_pipelines::description::{
    Description, Diagnostics, FilterKind, MixerKind, Override, Place, RestartPolicy, RouterKind,
    SinkKind, SourceKind, StageKind, ZeroCopy,
};
use dmaflow_pipelines::{HeapRequest, PoolRequest, QueuePolicy};
use dmaflow_v4l2_src::{ControlValue, TestSrcConfig, V4l2SrcConfig};

const WRONG: &str = "tests/wrong";

fn with_ending(directory: &Path, ending: &str) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory of the tests");
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect()
}

fn overrides(path: &Path) -> Vec<Override> {
    let text = fs::read(path).expect("a case");
    let text = String::from_utf8_lossy(&text);
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("# --set "));
    lines.map(Override::from).collect()
}

/// The cases of wrong descriptions.
fn cases() -> BTreeSet<PathBuf> {
    let wrong = Path::new(WRONG);
    let files = with_ending(wrong, "toml").into_iter();
    files.chain(with_ending(wrong, "line")).collect()
}

fn read(case: &Path) -> Result<Description, Diagnostics> {
    if case.extension().is_some_and(|ending| ending == "line") {
        let line = fs::read_to_string(case).expect("a case");
        Description::parse_line(line.trim_end(), &[])
    } else {
        Description::load(case, &overrides(case))
    }
}

#[test]
fn wrong_descriptions_get_their_messages() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut differing = Vec::new();
    let cases = cases();
    for case in &cases {
        let found = match read(case) {
            Ok(description) => format!("no error: {description:?}"),
            Err(diagnostics) => diagnostics.to_string(),
        } + "\n";
        let kept = case.with_extension("txt");
        if update {
            fs::write(&kept, &found).unwrap();
        }
        let expected = fs::read_to_string(&kept).unwrap_or_default();
        if found.trim_end() != expected.trim_end() || found.starts_with("no error") {
            differing.push(format!(
                "{}: expected\n{expected}\nfound\n{found}",
                case.display()
            ));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(cases.len() >= 25, "{} cases are left", cases.len());

    let kept = with_ending(Path::new(WRONG), "txt");
    let named: BTreeSet<_> = cases
        .iter()
        .map(|case| case.with_extension("txt"))
        .collect();
    assert_eq!(kept, named, "every message belongs to a case");
}

#[test]
fn every_message_has_a_place_and_a_mend() {
    for case in cases() {
        let diagnostics = read(&case).unwrap_err();
        assert!(diagnostics.iter().count() > 0);
        for diagnostic in diagnostics.iter() {
            let case = case.display();
            assert!(diagnostic.line_column.is_some(), "{case}: {diagnostic:?}");
            assert!(!diagnostic.label.is_empty(), "{case}: {diagnostic:?}");
        }
    }
}

#[test]
fn a_missing_file_is_named_and_a_near_one_offered() {
    let diagnostics = Description::load("tests/wrong/syntaks.toml", &[]).unwrap_err();
    let expected = "\
error: cannot read tests/wrong/syntaks.toml: No such file or directory (os error 2)
 │
 ╰ help: did you mean `tests/wrong/syntax.toml`?";
    assert_eq!(diagnostics.to_string(), expected);
    assert_eq!(diagnostics.iter().next().unwrap().line_column, None);
}

/// Text without escape sequences, which end with an `m`.
fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('m').expect("the end of a colour").1);
    first + &rest.collect::<String>()
}

#[test]
fn colours_change_nothing_but_colour() {
    let path = "tests/wrong/syntax.toml";
    let diagnostics = Description::load(path, &[]).unwrap_err();
    let (coloured, plain) = (diagnostics.render(true), diagnostics.render(false));
    assert!(coloured.contains('\u{1b}'));
    assert_eq!(without_colours(&coloured), plain);
}

fn parse(text: &str, overrides: &[&str]) -> Description {
    let overrides: Vec<_> = overrides.iter().copied().map(Override::from).collect();
    Description::parse(text, "test.toml", &overrides).expect("a right description")
}

/// The camera that is its first stage.
fn camera(description: &Description) -> (&V4l2SrcConfig, &PoolRequest) {
    let found = description
        .sources()
        .find_map(|(_, kind, pool)| match kind {
            SourceKind::V4l2(config) => Some((config, pool)),
            _ => None,
        });
    found.expect("a source of this kind")
}

/// The built-in camera that is its first stage.
fn pattern(description: &Description) -> (&TestSrcConfig, &PoolRequest) {
    let found = description
        .sources()
        .find_map(|(_, kind, pool)| match kind {
            SourceKind::Test(config) => Some((config, pool)),
            _ => None,
        });
    found.expect("a source of this kind")
}

/// The display that is its last stage.
fn display(description: &Description) -> &KmsSinkConfig {
    let kind = description.stages.last().map(|stage| &stage.kind);
    let found = kind.and_then(|kind| match kind {
        StageKind::Sink(SinkKind::Kms(config)) => Some(config),
        _ => None,
    });
    found.expect("a display at the end")
}

const WHOLE: &str = r#"
links = ["camera -> thin", "thin->screen"]

[stage.screen]
kind = "kms-sink"
card = "vkms"
connector = "Virtual-1"
mode = "1280x720@60"
plane = "overlay"
verify = 10
queue = "fifo"

[stage.camera]
kind = "v4l2-src"
device = "vivid"
format = "nv12"
width = 1280
height = 720
rate = "30000/1001"
controls = { brightness = 128, horizontal_flip = true, test_pattern = "75% Colorbar" }
heap = ["system", "default_cma_region"]
buffers = 5

[stage.thin]
kind = "decimate"
every = 2

[run]
for = "1.5m"
frames = 300
"#;

#[test]
fn every_key_is_understood() {
    let description = parse(WHOLE, &[]);
    assert_eq!(description.limits.duration, Some(Duration::from_secs(90)));
    assert_eq!(description.limits.frames, Some(300));
    let names = description.stages.iter().map(|stage| stage.name.as_str());
    assert!(names.eq(["camera", "thin", "screen"]));

    let (config, pool) = camera(&description);
    assert_eq!(config.device.as_deref(), Some("vivid"));
    assert_eq!(config.format, Some(Format::NV12));
    assert_eq!(config.size, Some((1280, 720)));
    assert_eq!(config.rate, Rate::new(30_000, 1001));
    assert_eq!(
        config.controls,
        [
            ("brightness".to_owned(), ControlValue::Integer(128)),
            ("horizontal_flip".to_owned(), ControlValue::Boolean(true)),
            (
                "test_pattern".to_owned(),
                ControlValue::Text("75% Colorbar".to_owned())
            ),
        ]
    );
    let heaps = ["system", "default_cma_region"].map(str::to_owned).to_vec();
    assert_eq!(pool.heaps, HeapRequest::Names(heaps));
    assert_eq!(pool.buffers, Some(5));

    let every = NonZeroU64::new(2).unwrap();
    let thin = StageKind::Filter(FilterKind::Decimate { every });
    assert_eq!(description.stages[1].kind, thin);

    let config = display(&description);
    assert_eq!(config.card.as_deref(), Some("vkms"));
    assert_eq!(config.mode, "1280x720@60".parse::<ModeRequest>().unwrap());
    assert!(config.verify.is_some_and(|every| every.get() == 10));
    let queues = description.links.iter().map(|link| link.queue);
    assert!(queues.eq([QueuePolicy::Latest, QueuePolicy::FIFO]));
}

#[test]
fn overrides_take_the_place_of_what_the_file_says() {
    let plain = parse(WHOLE, &[]);
    let overridden = parse(
        WHOLE,
        &[
            "screen.mode=preferred",
            "screen.connector = \"HDMI-A-1\"",
            "camera.rate=29.97",
            "camera.heap=[\"system\"]",
            "camera.controls.brightness=7",
            "run.frames=2",
        ],
    );
    assert_ne!(plain, overridden);
    let (config, pool) = camera(&overridden);
    assert_eq!(config.rate, Rate::new(2997, 100));
    assert_eq!(pool.heaps, HeapRequest::Names(vec!["system".to_owned()]));
    let brightness = ("brightness".to_owned(), ControlValue::Integer(7));
    assert!(config.controls.contains(&brightness));
    assert_eq!(config.controls.len(), 3);
    let config = display(&overridden);
    assert_eq!(config.mode, ModeRequest::Preferred);
    assert_eq!(config.connector.as_deref(), Some("HDMI-A-1"));
    assert_eq!(overridden.limits.frames, Some(2));

    let without_run = parse(&WHOLE[..WHOLE.find("[run]").unwrap()], &["run.for=10s"]);
    assert_eq!(without_run.limits.duration, Some(Duration::from_secs(10)));
}

#[test]
fn no_damage_to_a_description_makes_its_reader_panic() {
    let overrides = [Override::from("screen.mode=preferred")];
    for (at, character) in WHOLE.char_indices() {
        let (before, after) = (&WHOLE[..at], &WHOLE[at + character.len_utf8()..]);
        for damaged in [
            before.to_owned(),
            format!("{before}{after}"),
            format!("{before}→{after}"),
        ] {
            if let Err(diagnostics) = Description::parse(&damaged, "damaged", &overrides) {
                assert!(diagnostics.render(true).contains("error"), "{damaged}");
            }
        }
    }
}

#[test]
fn defaults_fill_what_is_left_out() {
    let description = parse(
        "links = [\"a -> b\"]\nstage.a.kind = \"test-src\"\nstage.b.kind = \"null-sink\"",
        &[],
    );
    let (config, pool) = pattern(&description);
    assert_eq!(config.format, Format::XRGB8888);
    assert_eq!((config.width, config.height), (640, 480));
    assert_eq!(pool.heaps, HeapRequest::Any);
    assert_eq!(pool.buffers, None);
    assert_eq!(description.limits, dmaflow_pipelines::Limits::default());
}

const GRAPH: &str = r#"
zero-copy = "allow"
control = "/run/dmaflow/control.sock"
links = [
    "chosen -> screen",
    { from = "front", to = "chosen", queue = "fifo", depth = 3 },
    "back -> chosen",
    "front -> screen",
    "back -> thin -> convert -> pictures",
]

[stage.screen]
kind = "kms-sink"
place.front = { x = 640, y = 0, width = 320, height = 240, plane = "overlay" }

[stage.pictures]
kind = "picture-sink"
path = "frame.png"
queue = "block"
depth = 2

[stage.thin]
kind = "rate-limit"
rate = 5

[stage.convert]
kind = "v4l2-convert"
device = "vim2m"
format = "XRGB8888"
buffers = 3
queue = "fifo"

[stage.chosen]
kind = "selector"
select = "back"

[stage.front]
kind = "v4l2-src"
restart = "on-failure"

[stage.back]
kind = "test-src"
restart = { most = "1s", attempts = 5 }
"#;

#[test]
fn a_graph_is_understood() {
    let graph = parse(GRAPH, &[]);
    assert_eq!(graph.zero_copy, ZeroCopy::Allow);
    let socket = Path::new("/run/dmaflow/control.sock");
    assert_eq!(graph.control.as_deref(), Some(socket));

    let names: Vec<_> = graph.stages.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "front", "back", "thin", "convert", "pictures", "chosen", "screen"
        ]
    );
    let links: Vec<_> = graph
        .links
        .iter()
        .map(|link| {
            assert_eq!(link.from.port, 0);
            let (from, to) = (names[link.from.stage], names[link.to.stage]);
            assert!(link.from.stage < link.to.stage, "{from} before {to}");
            (from, to, link.to.port, link.queue)
        })
        .collect();
    let depth = |depth| NonZeroUsize::new(depth).unwrap();
    let (latest, three) = (QueuePolicy::Latest, Some(depth(3)));
    let block = QueuePolicy::Block { depth: depth(2) };
    assert_eq!(
        links,
        [
            ("chosen", "screen", 0, latest),
            ("front", "chosen", 0, QueuePolicy::Fifo { depth: three }),
            ("back", "chosen", 1, latest),
            ("front", "screen", 1, latest),
            ("back", "thin", 0, latest),
            ("thin", "convert", 0, QueuePolicy::FIFO),
            ("convert", "pictures", 0, block),
        ]
    );
    assert_eq!(graph.stages[0].restart, RestartPolicy::ON_FAILURE);
    let twice = RestartPolicy::OnFailure {
        first: Duration::from_millis(200),
        most: Duration::from_secs(1),
        attempts: Some(5),
    };
    assert_eq!(graph.stages[1].restart, twice);

    let StageKind::Router(RouterKind::Selector { inputs, selected }) = &graph.stages[5].kind else {
        panic!("{:?}", graph.stages[5]);
    };
    assert_eq!(
        (&inputs[..], *selected),
        (&["front", "back"].map(String::from)[..], 1)
    );
    let StageKind::Mixer(MixerKind::Kms { inputs, .. }) = &graph.stages[6].kind else {
        panic!("{:?}", graph.stages[6]);
    };
    let place = Place {
        at: Some((640, 0)),
        size: Some((320, 240)),
        plane: Some(PlaneRequest::Overlay),
    };
    let names = ["chosen", "front"].map(str::to_owned);
    let inputs = inputs.iter().map(|input| (&input.name, input.place));
    assert!(inputs.eq([(&names[0], Place::default()), (&names[1], place)]));
}

#[test]
fn a_display_with_one_link_is_a_sink_and_with_a_place_a_mixer() {
    let one = "links = [\"a -> b\"]\nstage.a.kind = \"test-src\"\nstage.b.kind = \"kms-sink\"";
    display(&parse(one, &[]));
    let placed = parse(one, &["b.place.a = { x = 1, y = 1 }"]);
    assert!(matches!(placed.stages[1].kind, StageKind::Mixer(_)));
}
