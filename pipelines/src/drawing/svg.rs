//! SVG, laid out by ourselves.
//!
//! Colours are classes of a style sheet, light and dark, by what the reader prefers. The classes
//! stand below one of the drawing's own, so that several drawings get along in one page.

use std::fmt::Write;

use super::layout::{Layout, MARGIN, Point, Rect};
use super::route::{Move, Route};
use super::shape::{LINE, PADDING, PORT, PORT_PADDING, Shape, Side, TITLE};
use super::text::xml;
use super::{Drawing, Edge, EdgeStyle, Emphasis, Node, NodeStyle};

const STYLE: &str = include_str!("style.css");
/// Of the triangle at an edge's end.
const ARROW: (f64, f64) = (7.0, 3.5);

impl Drawing {
    /// The drawing as an SVG document, with a layout of our own.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let layout = Layout::of(self);
        let mut out = Writer(String::new());
        let (width, height) = (number(layout.size.0), number(layout.size.1));
        let title = xml(&self.title);
        out.line(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"dmaflow\" role=\"img\" \
             width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">"
        ));
        out.line(&format!("<title>{title}</title>"));
        out.line(&format!("<style>\n{STYLE}</style>"));
        out.line("<rect class=\"paper\" width=\"100%\" height=\"100%\"/>");
        if !title.is_empty() {
            let at = Point {
                x: MARGIN,
                y: MARGIN + TITLE.0,
            };
            out.text("heading", at, &self.title);
        }
        for (group, frame) in &layout.groups {
            out.group(&self.groups[*group].title, *frame);
        }
        let mut edges: Vec<(&Edge, &Route)> = self.edges.iter().zip(&layout.routes).collect();
        edges.sort_by_key(|(edge, _)| prominence(edge));
        for (edge, route) in edges {
            out.edge(edge, route);
        }
        let shapes = layout.shapes.iter().zip(&layout.nodes);
        for (node, (shape, rect)) in self.nodes.iter().zip(shapes) {
            out.node(node, shape, *rect);
        }
        for (edge, route) in self.edges.iter().zip(&layout.routes) {
            out.label(edge, route);
        }
        out.line("</svg>");
        out.0
    }
}

struct Writer(String);

impl Writer {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn text(&mut self, class: &str, at: Point, text: &str) {
        let (x, y) = (number(at.x), number(at.y));
        self.line(&format!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>",
            xml(text)
        ));
    }

    fn rect(&mut self, class: &str, rect: Rect, radius: f64) {
        let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height].map(number);
        let radius = number(radius);
        self.line(&format!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             rx=\"{radius}\"/>"
        ));
    }

    fn group(&mut self, title: &str, frame: Rect) {
        self.rect("group", frame, 10.0);
        let at = Point {
            x: frame.x + 12.0,
            y: frame.y + 16.0,
        };
        self.text("group-title", at, title);
    }

    fn node(&mut self, node: &Node, shape: &Shape, rect: Rect) {
        self.line(&format!(
            "<g class=\"node {}{}\">",
            style_class(node.style),
            emphasis_class(node.emphasis)
        ));
        let radius = match node.style {
            NodeStyle::Source | NodeStyle::Sink => 12.0,
            NodeStyle::Device => 3.0,
            _ => 6.0,
        };
        self.rect("box", rect, radius);
        let x = rect.x + rect.width / 2.0;
        // Without ports the text is in the middle.
        let free = if shape.has_ports() {
            PADDING.1
        } else {
            (rect.height - TITLE.1 - LINE.1 * node.lines.len() as f64) / 2.0
        };
        let mut y = rect.y + free + TITLE.0;
        self.text("title", Point { x, y }, &node.title);
        for line in &node.lines {
            y += LINE.1;
            self.text("line", Point { x, y }, line);
        }
        let left = rect.x + PORT_PADDING;
        self.ports(shape, &shape.inputs, &node.inputs, ("in", left, rect.y));
        let right = rect.right() - PORT_PADDING;
        self.ports(shape, &shape.outputs, &node.outputs, ("out", right, rect.y));
        self.line("</g>");
    }

    fn ports(
        &mut self,
        shape: &Shape,
        side: &Side,
        ports: &[String],
        (class, x, top): (&str, f64, f64),
    ) {
        for (index, port) in ports.iter().enumerate() {
            let y = top + shape.point(side, index) + PORT.0 * 0.36;
            self.text(&format!("port {class}"), Point { x, y }, port);
        }
    }

    fn edge(&mut self, edge: &Edge, route: &Route) {
        let class = format!(
            "edge {}{}",
            match edge.style {
                EdgeStyle::Frames => "frames",
                EdgeStyle::Disabled => "disabled",
                EdgeStyle::Immutable => "immutable",
            },
            emphasis_class(edge.emphasis)
        );
        let end = route.end();
        let mut path = format!("M{}", point(route.start));
        for (index, part) in route.moves.iter().enumerate() {
            let last = index + 1 == route.moves.len();
            // The line ends inside the arrow, whose tip is at the border.
            let short = |at: Point| Point {
                x: if last { at.x - ARROW.0 + 1.0 } else { at.x },
                y: at.y,
            };
            // Writing to a string cannot fail.
            match *part {
                Move::Line(to) => write!(path, " L{}", point(short(to))).ok(),
                Move::Curve([a, b, to]) => {
                    write!(path, " C{} {} {}", point(a), point(b), point(short(to))).ok()
                }
            };
        }
        let (back, half) = ARROW;
        let tip = format!(
            "M{} l{},{} v{} z",
            point(end),
            number(-back),
            number(-half),
            number(half * 2.0)
        );
        self.line(&format!("<g class=\"{class}\">"));
        self.line(&format!("<path class=\"way\" d=\"{path}\"/>"));
        self.line(&format!("<path class=\"tip\" d=\"{tip}\"/>"));
        self.line("</g>");
    }

    fn label(&mut self, edge: &Edge, route: &Route) {
        let Some(rect) = route.label else { return };
        let x = rect.x + rect.width / 2.0;
        for (index, line) in edge.lines.iter().enumerate() {
            let y = rect.y + LINE.1 * (index as f64 + 1.0) - 3.0;
            let class = format!("label{}", emphasis_class(edge.emphasis));
            self.text(&class, Point { x, y }, line);
        }
    }
}

/// Where edges lie on each other, the one to look at lies on top.
fn prominence(edge: &Edge) -> u8 {
    match (edge.emphasis, edge.style) {
        (Emphasis::Plain, EdgeStyle::Disabled) => 0,
        (Emphasis::Plain, EdgeStyle::Frames | EdgeStyle::Immutable) => 1,
        (Emphasis::Notice, _) => 2,
        (Emphasis::Fault, _) => 3,
    }
}

fn style_class(style: NodeStyle) -> &'static str {
    match style {
        NodeStyle::Source => "source",
        NodeStyle::Filter => "filter",
        NodeStyle::Transform => "transform",
        NodeStyle::Router => "router",
        NodeStyle::Sink => "sink",
        NodeStyle::Device => "device",
        NodeStyle::Memory => "memory",
    }
}

fn emphasis_class(emphasis: Emphasis) -> &'static str {
    match emphasis {
        Emphasis::Plain => "",
        Emphasis::Notice => " notice",
        Emphasis::Fault => " fault",
    }
}

fn point(at: Point) -> String {
    format!("{},{}", number(at.x), number(at.y))
}

/// With one digit after the point at most.
fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    // No negative nought.
    format!("{}", rounded + 0.0)
}
