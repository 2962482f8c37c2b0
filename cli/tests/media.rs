//! `dmaflow media` on any machine; the virtual board's tests see real graphs.

mod support;

use support::{json, output};

#[test]
fn help_teaches_how_graphs_are_read() {
    let (status, help, _) = output(&["media", "--help"]);
    assert_eq!(status, 0);
    for word in [
        "entity",
        "pads",
        "(fixed)",
        "--json",
        "--mermaid",
        "Examples:",
        "v4l2-src",
    ] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
}

#[test]
fn graphs_are_listed_and_drawn_wherever_there_are_any_or_none() {
    let (status, text, _) = output(&["media"]);
    assert_eq!(status, 0);
    let (status, listed, _) = output(&["media", "--json"]);
    assert_eq!(status, 0);
    let listed = json(&listed);
    let (graphs, refused) = (&listed["media"], &listed["refused"]);
    let count = |value: &serde_json::Value| value.as_array().map_or(0, Vec::len);
    let nothing = count(graphs) + count(refused) == 0;
    assert_eq!(text.starts_with("none: no /dev/media*"), nothing, "{text}");
    for (format, begins) in [("--svg", "<svg"), ("--dot", "digraph"), ("--mermaid", "")] {
        let (status, drawing, stderr) = output(&["media", format]);
        assert_eq!(status, 0, "{stderr}");
        assert!(drawing.contains(begins) && !drawing.is_empty(), "{drawing}");
    }
}

#[test]
fn what_is_no_media_device_says_so() {
    let (status, stdout, stderr) = output(&["media", "no-such-device"]);
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert!(
        stderr.contains("no media device is called `no-such-device`"),
        "{stderr}"
    );
    let (status, _, stderr) = output(&["media", "/dev/null"]);
    assert_eq!(status, 1);
    assert!(
        stderr.contains("/dev/null") && stderr.contains("no media device"),
        "{stderr}"
    );
    let (status, _, stderr) = output(&["media", "-o", "graph.jpeg"]);
    assert_eq!(status, 2);
    assert!(
        stderr.contains("graph.jpeg") && stderr.contains("--svg"),
        "{stderr}"
    );
    let (status, _, _) = output(&["media", "--json", "--svg"]);
    assert_eq!(status, 2);
}
