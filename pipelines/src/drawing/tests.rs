//! What every drawing must be, whatever is in it.

use proptest::prelude::*;

use super::layout::{Layout, Point, Rect};
use super::route::{Move, Route};
use super::{Drawing, Edge, EdgeStyle, Emphasis, Node, NodeStyle};

mod samples {
    use super::*;

    pub(super) fn chain() -> Drawing {
        let mut drawing = Drawing::new("camera to display");
        drawing
            .node(
                Node::new("camera", NodeStyle::Source)
                    .line("v4l2-src")
                    .line("vivid (/dev/video0)"),
            )
            .node(Node::new("half", NodeStyle::Filter).line("decimate, every 2"))
            .node(
                Node::new("screen", NodeStyle::Sink)
                    .line("kms-sink")
                    .line("vkms (/dev/dri/card0)"),
            )
            .edge(
                Edge::new("camera", "half")
                    .line("1280×720 NV12, stride 1280")
                    .line("heap default_cma_region, 5 buffers"),
            )
            .edge(Edge::new("half", "screen").line("15.0 fps"));
        drawing
    }

    pub(super) fn tee() -> Drawing {
        let mut drawing = Drawing::new("tee");
        drawing
            .node(Node::new("camera", NodeStyle::Source).line("v4l2-src"))
            .node(Node::new("screen", NodeStyle::Sink).line("kms-sink"))
            .node(Node::new("tenth", NodeStyle::Filter).line("decimate, every 10"))
            .node(Node::new("pictures", NodeStyle::Sink).line("picture-sink"))
            .node(Node::new("model", NodeStyle::Sink).line("null-sink"))
            .node(
                Node::new("cma", NodeStyle::Memory)
                    .title("default_cma_region")
                    .line("7 of 7 buffers"),
            )
            .edge(
                Edge::new("camera", "screen")
                    .line("latest")
                    .line("30.0 fps, 0 dropped"),
            )
            .edge(Edge::new("camera", "tenth").line("30.0 fps"))
            .edge(Edge::new("tenth", "pictures").line("3.0 fps"))
            .edge(
                Edge::new("camera", "model")
                    .line("fifo 2")
                    .line("30.0 fps, 184 dropped")
                    .emphasis(Emphasis::Notice),
            )
            .edge(Edge::new("cma", "camera").style(EdgeStyle::Disabled));
        drawing
    }

    pub(super) fn mixer() -> Drawing {
        let mut drawing = Drawing::new("two cameras side by side");
        for (camera, side) in [("left", "plane-1"), ("right", "plane-2")] {
            drawing.node(Node::new(camera, NodeStyle::Source).line("v4l2-src"));
            drawing.edge(
                Edge::new(camera, "screen")
                    .to_port(side)
                    .line("640×480 XRGB8888, stride 2560"),
            );
        }
        drawing.node(
            Node::new("screen", NodeStyle::Sink)
                .line("kms-sink")
                .line("1280x720@60"),
        );
        drawing
    }

    /// The graph of `drivers/media/test-drivers/vimc/vimc-core.c`.
    pub(super) fn vimc() -> Drawing {
        let mut drawing = Drawing::new("vimc");
        let links: [(&str, &str, &str, &str, EdgeStyle); 10] = [
            ("Sensor A", "0", "Debayer A", "0", EdgeStyle::Immutable),
            ("Sensor A", "0", "Raw Capture 0", "0", EdgeStyle::Immutable),
            ("Sensor B", "0", "Debayer B", "0", EdgeStyle::Immutable),
            ("Sensor B", "0", "Raw Capture 1", "0", EdgeStyle::Immutable),
            ("Debayer A", "1", "Scaler", "0", EdgeStyle::Frames),
            ("Debayer B", "1", "Scaler", "0", EdgeStyle::Disabled),
            ("RGB/YUV Input", "0", "Scaler", "0", EdgeStyle::Disabled),
            ("Scaler", "1", "RGB/YUV Capture", "0", EdgeStyle::Immutable),
            ("Lens A", "0", "Sensor A", "1", EdgeStyle::Disabled),
            ("Lens B", "0", "Sensor B", "1", EdgeStyle::Disabled),
        ];
        for (from, source, to, sink, style) in links {
            drawing.edge(
                Edge::new(from, to)
                    .from_port(source)
                    .to_port(sink)
                    .style(style),
            );
        }
        drawing.group("/dev/media0", ["Raw Capture 0", "Raw Capture 1"]);
        drawing
    }

    pub(super) fn cycle() -> Drawing {
        let mut drawing = Drawing::new("a cycle");
        drawing
            .edge(Edge::new("a", "b").line("on"))
            .edge(Edge::new("b", "c").line("and on"))
            .edge(
                Edge::new("c", "a")
                    .line("and back to where it began")
                    .emphasis(Emphasis::Fault),
            )
            .edge(Edge::new("b", "b").line("again"));
        drawing
    }

    /// What has a meaning in one of the languages.
    pub(super) fn escapes() -> Drawing {
        let titles = [
            "<b>&amp;\"'</b>",
            "]]></text>",
            "\\N\\l\\\"",
            "{a|b}<p>",
            "\"]; end",
            "#quot; %% ;",
            "1. one",
            "- `x` **y**",
            "",
            "\u{7}\n\u{202e}日本語 😀",
        ];
        let mut drawing = Drawing::new("\"a: b\" \\ --- {<&>}");
        for (index, title) in titles.into_iter().enumerate() {
            let id = index.to_string();
            let edge = Edge::new(&id, (index + 1).to_string()).line(title);
            let node = Node::new(id, NodeStyle::Router).title(title).line(title);
            drawing.node(if index % 2 == 0 {
                node.output(title)
            } else {
                node
            });
            drawing.edge(if index % 2 == 0 {
                edge.from_port(title)
            } else {
                edge
            });
        }
        drawing.group(titles[0], ["1", "2"]);
        drawing
    }

    pub(super) fn all() -> [(&'static str, Drawing); 6] {
        [
            ("chain", chain()),
            ("tee", tee()),
            ("mixer", mixer()),
            ("vimc", vimc()),
            ("escapes", escapes()),
            ("cycle", cycle()),
        ]
    }
}

/// Any text at all, and such as has a meaning to somebody.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\]\\[<>&\"'{}|\\\\#;%\n\u{0}-]{0,12}",
        Just("]]></text><script>alert(1)</script>".to_owned()),
    ]
}

/// Drawings of any form; edges may lead anywhere, also back.
fn drawings(
    text: impl Strategy<Value = String> + Clone + 'static,
) -> impl Strategy<Value = Drawing> {
    let edge = (
        0_u8..9,
        0_u8..9,
        proptest::collection::vec(text.clone(), 0..3),
        0_u8..4,
    );
    let node = (
        text.clone(),
        proptest::collection::vec(text.clone(), 0..3),
        0_u8..4,
    );
    let groups = proptest::collection::vec(proptest::collection::vec(0_u8..9, 0..4), 0..3);
    (
        text.clone(),
        proptest::collection::vec(node, 0..9),
        proptest::collection::vec(edge, 0..14),
        groups,
        text,
    )
        .prop_map(|(title, nodes, edges, groups, port)| {
            let mut drawing = Drawing::new(title);
            for (index, (title, lines, kind)) in nodes.into_iter().enumerate() {
                let node = Node::new(index.to_string(), NodeStyle::Filter).title(title);
                let node = lines.into_iter().fold(node, Node::line);
                drawing.node(if kind == 0 {
                    node.input(port.clone())
                } else {
                    node
                });
            }
            for (from, to, lines, ports) in edges {
                let edge = Edge::new(from.to_string(), to.to_string());
                let edge = lines.into_iter().fold(edge, Edge::line);
                drawing.edge(match ports {
                    0 => edge.from_port(port.clone()),
                    1 => edge.to_port(port.clone()).from_port("other"),
                    _ => edge,
                });
            }
            for members in groups {
                drawing.group("group", members.into_iter().map(|node| node.to_string()));
            }
            drawing
        })
}

fn bottom(rect: &Rect) -> f64 {
    rect.y + rect.height
}

fn overlap(a: &Rect, b: &Rect) -> bool {
    a.x < b.right() && b.x < a.right() && a.y < bottom(b) && b.y < bottom(a)
}

fn inside(rect: &Rect, at: Point) -> bool {
    at.x > rect.x && at.x < rect.right() && at.y > rect.y && at.y < bottom(rect)
}

/// Points along a way.
fn along(route: &Route) -> Vec<Point> {
    let mut from = route.start;
    let mut points = vec![from];
    for part in &route.moves {
        for step in 1..=24 {
            let t = f64::from(step) / 24.0;
            let mix = |points: &[(f64, Point)]| Point {
                x: points.iter().map(|(share, point)| share * point.x).sum(),
                y: points.iter().map(|(share, point)| share * point.y).sum(),
            };
            points.push(match *part {
                Move::Line(to) => mix(&[(1.0 - t, from), (t, to)]),
                Move::Curve([a, b, to]) => mix(&[
                    ((1.0 - t).powi(3), from),
                    (3.0 * t * (1.0 - t).powi(2), a),
                    (3.0 * t * t * (1.0 - t), b),
                    (t.powi(3), to),
                ]),
            });
        }
        from = part.end();
    }
    points
}

/// Checks that a drawing can be read: nothing lies on what it does not belong to.
fn assert_readable(drawing: &Drawing) {
    let layout = Layout::of(drawing);
    let (width, height) = layout.size;
    let labels: Vec<&Rect> = layout
        .routes
        .iter()
        .filter_map(|route| route.label.as_ref())
        .collect();
    let rects: Vec<&Rect> = layout.nodes.iter().chain(labels.iter().copied()).collect();
    for (index, rect) in rects.iter().enumerate() {
        assert!(rect.x >= 0.0 && rect.y >= 0.0, "{rect:?} begins outside");
        assert!(
            rect.right() <= width && bottom(rect) <= height,
            "{rect:?} ends outside"
        );
        for other in &rects[index + 1..] {
            assert!(!overlap(rect, other), "{rect:?} lies on {other:?}");
        }
    }
    for (route, (_, from, to)) in layout.routes.iter().zip(drawing.ends()) {
        let (start, end) = (route.start, route.end());
        let (from, to) = (&layout.nodes[from], &layout.nodes[to]);
        assert!(
            (start.x - from.right()).abs() < 0.01,
            "{start:?} is not on {from:?}"
        );
        assert!(
            start.y > from.y && start.y < bottom(from),
            "{start:?} is not on {from:?}"
        );
        assert!((end.x - to.x).abs() < 0.01, "{end:?} is not on {to:?}");
        assert!(
            end.y > to.y && end.y < bottom(to),
            "{end:?} is not on {to:?}"
        );
        for point in along(route) {
            assert!(
                point.x >= 0.0 && point.x <= width && point.y <= height,
                "{point:?} is outside"
            );
            let hit = layout.nodes.iter().find(|node| inside(node, point));
            assert!(hit.is_none(), "an edge passes through {hit:?}");
        }
    }
    for (group, frame) in &layout.groups {
        for (node, rect) in drawing.nodes.iter().zip(&layout.nodes) {
            let member = drawing.group_of(node) == Some(*group);
            assert_eq!(overlap(frame, rect), member, "{frame:?} and {rect:?}");
        }
        for (other, rect) in &layout.groups {
            assert!(
                other == group || !overlap(frame, rect),
                "{frame:?} lies on {rect:?}"
            );
        }
    }
}

#[test]
fn samples_can_be_read() {
    for (_, drawing) in samples::all() {
        assert_readable(&drawing);
    }
    assert_readable(&Drawing::new(""));
}

/// Edges that lead on keep off other edges' labels too.
#[test]
fn no_edge_crosses_the_label_of_another() {
    for (name, drawing) in &samples::all()[..5] {
        let layout = Layout::of(drawing);
        for (index, route) in layout.routes.iter().enumerate() {
            for (other, rect) in layout.routes.iter().enumerate() {
                let Some(label) = rect.label.filter(|_| other != index) else {
                    continue;
                };
                let hit = along(route)
                    .into_iter()
                    .find(|&point| inside(&label, point));
                assert_eq!(
                    hit, None,
                    "{name}: edge {index} crosses the label of {other}"
                );
            }
        }
    }
}

#[test]
fn few_edges_cross() {
    // In the order given, every edge would cross every other.
    let mut drawing = Drawing::new("");
    for index in 0..6 {
        drawing.node(Node::new(format!("a{index}"), NodeStyle::Source));
    }
    for index in (0..6).rev() {
        drawing.edge(Edge::new(format!("a{index}"), format!("b{index}")));
    }
    let layout = Layout::of(&drawing);
    for route in &layout.routes {
        assert!(
            (route.start.y - route.end().y).abs() < 0.5,
            "{route:?} is not level"
        );
    }
}

#[test]
fn the_same_drawing_gives_the_same_text() {
    for (name, drawing) in samples::all() {
        assert_eq!(drawing.to_svg(), drawing.to_svg(), "{name}");
        let other = drawing.clone();
        assert_eq!(drawing.to_svg(), other.to_svg(), "{name}");
    }
}

/// Compared with what `tests/drawings/` keeps; `UPDATE_EXPECTED=1` writes it anew, for a look.
#[test]
fn samples_look_as_they_did() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let directory = std::path::Path::new("tests/drawings");
    for (name, drawing) in samples::all() {
        let texts = [
            ("svg", drawing.to_svg()),
            ("dot", drawing.to_dot()),
            ("mmd", drawing.to_mermaid()),
        ];
        for (ending, text) in texts {
            let path = directory.join(name).with_extension(ending);
            if update {
                std::fs::write(&path, &text).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(kept == text, "{} differs:\n{text}", path.display());
        }
    }
}

/// The text of each element, as an XML reader would give it; panics where the document is
/// malformed.
fn texts_of(svg: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        assert!(!text.contains('>'), "{text}");
        if open.last() == Some(&"text") && rest[start..].starts_with("</text>") {
            texts.push(unescaped(text));
        }
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        assert!(!tag.contains('<'), "{tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "in {svg}");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    texts
}

fn unescaped(text: &str) -> String {
    let names = [
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("#39", '\''),
        ("amp", '&'),
    ];
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').expect("an entity ends");
        plain.push(
            names
                .iter()
                .find(|(known, _)| *known == name)
                .expect("a known entity")
                .1,
        );
        plain.push_str(rest);
    }
    plain
}

/// Walks over DOT as its grammar has it: outside of quotes only what we write ourselves.
fn assert_dot_is_quoted(dot: &str) {
    let (mut quoted, mut escaped) = (false, false);
    for c in dot.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => assert!(!c.is_control(), "{c:?} in a string"),
            _ => assert!(
                c.is_ascii_alphanumeric() || " \n{}[]=,;:_->".contains(c),
                "{c:?} is outside of quotes in\n{dot}"
            ),
        }
    }
    assert!(!quoted && !escaped, "a string does not end:\n{dot}");
}

/// In Mermaid, a quoted label holds nothing that ends it.
fn assert_mermaid_is_quoted(mermaid: &str) {
    let body = mermaid.split("flowchart LR\n").last().unwrap();
    for line in body.lines() {
        assert_eq!(line.matches('"').count() % 2, 0, "{line}");
        for (index, part) in line.split('"').enumerate() {
            let part = part.replace("<br/>", "");
            let (bad, whole) = if index % 2 == 1 {
                ("[]{}|<>`\\'*~$%&", &part)
            } else {
                ("`\\'*~$%&", &part)
            };
            assert!(!whole.contains(|c| bad.contains(c)), "{part} in {line}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn any_drawing_can_be_read(drawing in drawings("[a-zA-Z0-9 ×]{0,20}")) {
        assert_readable(&drawing);
    }

    #[test]
    fn any_title_survives(title in text(), drawing in drawings(text().boxed())) {
        let mut drawing = drawing;
        drawing.node(Node::new("it", NodeStyle::Device).title(title.clone()));
        let svg = drawing.to_svg();
        let texts = texts_of(&svg);
        prop_assert!(texts.contains(&super::text::line(&title)), "{title:?} is not in {texts:?}");
        assert_dot_is_quoted(&drawing.to_dot());
        assert_mermaid_is_quoted(&drawing.to_mermaid());
    }
}
