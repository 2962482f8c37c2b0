//! Right descriptions are understood, wrong ones get the message that `wrong/` keeps of them.
//!
//! `wrong/NAME.toml` goes with `wrong/NAME.txt`. Lines `# --set stage.key=value` in it are
//! applied as overrides. `UPDATE_EXPECTED=1 cargo test -p dmaflow-pipelines --test descriptions`
//! writes every message anew, for a look at the difference.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dmaflow_core::format::Format;
use dmaflow_core::time::Rate;
use dmaflow_kms_sink::ModeRequest;
use dmaflow_pipelines::description::{Description, FilterKind, Override, SinkKind, SourceKind};
use dmaflow_pipelines::{HeapRequest, QueuePolicy};
use dmaflow_v4l2_src::ControlValue;

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

#[test]
fn wrong_descriptions_get_their_messages() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut differing = Vec::new();
    let cases = with_ending(Path::new(WRONG), "toml");
    for case in &cases {
        let found = match Description::load(case, &overrides(case)) {
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
    for case in with_ending(Path::new(WRONG), "toml") {
        let diagnostics = Description::load(&case, &overrides(&case)).unwrap_err();
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
    assert_eq!(description.source.name, "camera");
    assert_eq!(description.filters[0].name, "thin");
    assert_eq!(description.sink.name, "screen");

    let SourceKind::V4l2(config) = &description.source.kind else {
        panic!("{:?}", description.source);
    };
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
    assert_eq!(description.source.pool.heaps, HeapRequest::Names(heaps));
    assert_eq!(description.source.pool.buffers, Some(5));

    assert_eq!(description.filters.len(), 1);
    let FilterKind::Decimate { every } = description.filters[0].kind;
    assert_eq!(every, NonZeroU64::new(2).unwrap());
    assert_eq!(description.filters[0].queue, QueuePolicy::Latest);

    let SinkKind::Kms(config) = &description.sink.kind else {
        panic!("{:?}", description.sink);
    };
    assert_eq!(config.card.as_deref(), Some("vkms"));
    assert_eq!(config.mode, "1280x720@60".parse::<ModeRequest>().unwrap());
    assert!(config.verify.is_some_and(|every| every.get() == 10));
    assert_eq!(description.sink.queue, QueuePolicy::Fifo);
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
    let SourceKind::V4l2(config) = &overridden.source.kind else {
        panic!("{:?}", overridden.source);
    };
    let pool = &overridden.source.pool;
    assert_eq!(config.rate, Rate::new(2997, 100));
    assert_eq!(pool.heaps, HeapRequest::Names(vec!["system".to_owned()]));
    let brightness = ("brightness".to_owned(), ControlValue::Integer(7));
    assert!(config.controls.contains(&brightness));
    assert_eq!(config.controls.len(), 3);
    let SinkKind::Kms(config) = &overridden.sink.kind else {
        panic!("{:?}", overridden.sink);
    };
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
    let SourceKind::Test(config) = &description.source.kind else {
        panic!("{:?}", description.source);
    };
    assert_eq!(config.format, Format::XRGB8888);
    assert_eq!((config.width, config.height), (640, 480));
    assert_eq!(description.source.pool.heaps, HeapRequest::Any);
    assert_eq!(description.source.pool.buffers, None);
    assert_eq!(description.limits, dmaflow_pipelines::Limits::default());
}

#[test]
fn every_example_is_right() {
    let examples = with_ending(Path::new("../examples"), "toml");
    let descriptions = examples.iter().filter(|path| !path.ends_with("Cargo.toml"));
    let mut count = 0;
    for path in descriptions {
        if let Err(diagnostics) = Description::load(path, &[]) {
            panic!("{diagnostics}");
        }
        count += 1;
    }
    assert!(count >= 4, "{count} examples are left");
}

#[test]
fn every_description_in_the_readme_is_right() {
    let Ok(readme) = fs::read_to_string("../README.md") else {
        panic!("there is no README.md");
    };
    let blocks: Vec<_> = readme
        .split("```toml\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .collect();
    for block in &blocks {
        if let Err(diagnostics) = Description::parse(block, "README.md", &[]) {
            panic!("{diagnostics}");
        }
    }
    assert!(!blocks.is_empty(), "the README shows a description");
}
