//! The usual way of writing descriptions.

use std::fs;
use std::path::PathBuf;

use dmaflow_pipelines::description::{Description, format};
use proptest::prelude::*;

fn formatted(text: &str) -> String {
    let text = format(text, "test.toml").expect("TOML");
    let again = format(&text, "test.toml").expect("TOML");
    assert_eq!(again, text, "what was put in order stays so");
    text
}

#[test]
fn order_and_blanks_are_the_usual_ones() {
    let wild = r#"# Two cameras.
# Nothing else.

# how it goes
links=["left->screen" ,  'right -> screen']   # both
version   =  1
[run]
frames=300
for = "10s"



[stage.screen] # the wall
place."left"={x=0,y = 0}
connector = "HDMI-A-1"
  kind = "kms-sink"
# rate = 30
# commented out

# about the right one
[ stage . right ]
kind = "v4l2-src"
heap = [ "system", "cma" ]
device = "/dev/video1" # the second

[stage.screen.place.right]
y = 0
x = 640

[stage.left]
# of the left
kind = "v4l2-src"

rate = 30
[defaults.v4l2-src]
height = 480
width = 640
[vars]
b = """
# no comment
"""
a = { x = [1,2], y = {} }
# the end
"#;
    let right = r#"# Two cameras.
# Nothing else.

version = 1
# how it goes
links = ["left->screen", 'right -> screen'] # both

[vars]
b = """
# no comment
"""
a = { x = [1, 2], y = {} }
# the end

[defaults.v4l2-src]
width = 640
height = 480

[stage.left]
# of the left
kind = "v4l2-src"

rate = 30

[stage.screen] # the wall
kind = "kms-sink"
connector = "HDMI-A-1"
place."left" = { x = 0, y = 0 }
# rate = 30
# commented out

[stage.screen.place.right]
x = 640
y = 0

# about the right one
[stage.right]
kind = "v4l2-src"
device = "/dev/video1" # the second
heap = ["system", "cma"]

[run]
for = "10s"
frames = 300
"#;
    assert_eq!(formatted(wild), right);
}

#[test]
fn lists_keep_their_lines_and_comments() {
    let wild = r#"links = [ "a -> b", # first
 # above
   { from="a",to = "c" }
   # last
]
include = [
"x.toml", "y.toml",
]
control = "/run/a.sock"
board = "rk3399"
defaults.test-src.heap = ["a long name of a heap", "another long name of a heap", "a third name of one", "four"]
empty = [ ]
"#;
    let right = r#"include = [
    "x.toml",
    "y.toml",
]
board = "rk3399"
control = "/run/a.sock"
links = [
    "a -> b", # first
    # above
    { from = "a", to = "c" },
    # last
]
defaults.test-src.heap = [
    "a long name of a heap",
    "another long name of a heap",
    "a third name of one",
    "four",
]
empty = []
"#;
    assert_eq!(formatted(wild), right);
}

#[test]
fn what_speaks_to_editors_stays_at_the_top() {
    const IN_ORDER: &str = "#:schema x.json\n\nboard = \"rk3588\"\nlinks = [\"a -> b\"]\n";
    let moved = formatted("#:schema x.json\nlinks = [\"a -> b\"]\nboard = \"rk3588\"");
    assert_eq!(moved, IN_ORDER);
    assert_eq!(formatted(IN_ORDER), IN_ORDER);
    let headed = formatted("\n#:schema x.json\n[run]\nframes = 1\n[vars]\na = 1");
    assert_eq!(
        headed,
        "#:schema x.json\n\n[vars]\na = 1\n\n[run]\nframes = 1\n"
    );
    for about in ["# About.\n\n", "\n# About.\n\n", "\n# Of the links.\n"] {
        let text = format!("#:schema x.json\n{about}links = [\"a -> b\"]\n");
        assert_eq!(formatted(&text), text);
    }
}

#[test]
fn what_is_no_toml_is_left_alone() {
    let error = format("links = [", "test.toml").unwrap_err().to_string();
    assert!(error.contains("test.toml:1"), "{error}");
    assert_eq!(formatted(""), "");
    assert_eq!(formatted("\n\n# only this\n\n"), "# only this\n");
}

/// Descriptions of ours.
fn descriptions() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in ["../examples", "boards", "boards/profiles", "tests/wrong"] {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|ending| ending == "toml")
                && !path.ends_with("Cargo.toml")
            {
                found.push(path);
            }
        }
    }
    found
}

fn comments(text: &str) -> usize {
    text.lines()
        .filter(|line| line.trim_start().starts_with('#'))
        .count()
}

#[test]
fn examples_mean_the_same_and_are_in_order() {
    let mut count = 0;
    for path in descriptions() {
        let Ok(text) = fs::read_to_string(&path) else {
            continue; // One is no UTF-8.
        };
        let Ok(once) = format(&text, "test.toml") else {
            continue; // Some are no TOML.
        };
        assert_eq!(formatted(&once), once, "{}", path.display());
        assert_eq!(comments(&once), comments(&text), "{}", path.display());
        count += 1;
        if path.starts_with("tests") {
            continue;
        }
        assert_eq!(
            once,
            text,
            "{}: write it with `dmaflow fmt`",
            path.display()
        );
        let read = |text: &str| Description::parse(text, "test.toml", &[]).ok();
        assert_eq!(read(&once), read(&text), "{}", path.display());
    }
    assert!(count > 60, "{count}");
}

/// Pieces that texts are put together of.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "kind = \"v4l2-src\"",
        "width=640",
        "  height =  480",
        "# a comment",
        "",
        "",
        "heap = [\"a\", # why\n \"b\"]",
        "[stage.a]",
        "[stage.b] # behind",
        "[run]",
        "[vars]",
        "links = [\"a -> b\",\n\"b -> c\"]",
        "version = 1 # one",
        "controls = { a = 1, b = [1,2,] }",
        "place.left = {x=1}",
        "place.right.x = 5",
        "text = '''\n# [no]\n'''",
        "for = \"a # b\"",
        "[stage.a.place.left]",
        "x = 1",
        "[defaults.kms-sink]",
        "\"quoted.key\" = 1",
        "other = []",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_toml_is_put_in_order_once(pieces in prop::collection::vec(piece(), 0..14)) {
        let text = pieces.join("\n");
        if toml::from_str::<toml::Table>(&text).is_ok() {
            let once = formatted(&text);
            let (before, after): (toml::Table, toml::Table) =
                (toml::from_str(&text).unwrap(), toml::from_str(&once).unwrap());
            prop_assert_eq!(before, after);
            prop_assert_eq!(once.matches('#').count(), text.matches('#').count());
        }
    }
}
