//! Where everything in a drawing is.
//!
//! Edges bend only between columns, and run level through those they pass: so none touches a
//! node it does not belong to, nor the label of another.

use super::Drawing;
use super::heights::{GROUP_PADDING, Lane, Points, heights};
use super::layers::{Columns, Content};
use super::order::{Shares, reduce_crossings};
use super::route::{Route, back_route};
use super::shape::{self, PORT, Shape, TITLE};
use super::text::width;

/// Around everything.
pub(super) const MARGIN: f64 = 24.0;
/// The least and the most between two columns.
const GAP: (f64, f64) = (24.0, 72.0);
/// From the drawing's title to what is below.
const HEADING: f64 = 28.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Rect {
    pub(super) fn right(&self) -> f64 {
        self.x + self.width
    }
}

/// A drawing with everything in its place, in pixels from the top left corner.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) size: (f64, f64),
    pub(super) shapes: Vec<Shape>,
    /// One a node.
    pub(super) nodes: Vec<Rect>,
    /// One an edge.
    pub(super) routes: Vec<Route>,
    /// Which group, and its frame.
    pub(super) groups: Vec<(usize, Rect)>,
}

/// A column's left border and width.
#[derive(Clone, Copy, Debug)]
struct Span {
    x: f64,
    width: f64,
}

impl Layout {
    pub(super) fn of(drawing: &Drawing) -> Self {
        let shapes = shape::shapes(drawing);
        let mut columns = Columns::new(drawing, &shapes);
        let shares = shares(drawing, &shapes, &columns);
        reduce_crossings(&mut columns, &shares);
        let inputs = inputs(drawing, &columns);
        let points = points(drawing, &shapes, &columns, &inputs);
        let (mut tops, lanes) = heights(&columns, &points);
        let top = if drawing.title.is_empty() {
            MARGIN
        } else {
            MARGIN + HEADING
        };
        tops.iter_mut().for_each(|y| *y += top);
        let spans = spans(&columns, &points, &tops);

        let rect = |item: usize| {
            let Span { x, width } = spans[columns.items[item].column];
            Rect {
                x,
                y: tops[item],
                width,
                height: columns.items[item].height,
            }
        };
        // The items of nodes come first.
        let nodes: Vec<Rect> = (0..drawing.nodes.len()).map(rect).collect();
        let groups: Vec<(usize, Rect)> = lanes
            .iter()
            .filter_map(|lane| {
                Some((
                    lane.lane.checked_sub(1)?,
                    frame(drawing, &nodes, lane, top)?,
                ))
            })
            .collect();
        let placed = Placed {
            drawing,
            columns: &columns,
            points: &points,
            tops: &tops,
            spans: &spans,
        };
        let mut floor = lanes.last().map_or(top, |lane| top + lane.bottom);
        let back = placed.back_routes(&shapes, &nodes, &inputs, &mut floor);
        let mut routes: Vec<Route> = (0..drawing.edges.len())
            .map(|edge| placed.forward(edge))
            .collect();
        for (edge, route) in back {
            routes[edge] = route;
        }
        let size = size(drawing, floor, &nodes, &routes, &groups);
        Self {
            size,
            shapes,
            nodes,
            routes,
            groups,
        }
    }
}

/// What routes are made of.
struct Placed<'d> {
    drawing: &'d Drawing,
    columns: &'d Columns,
    points: &'d Points,
    tops: &'d [f64],
    spans: &'d [Span],
}

impl Placed<'_> {
    /// An edge from left to right: level through columns, bent between them.
    fn forward(&self, edge: usize) -> Route {
        let mut points = Vec::new();
        let mut label = None;
        let pieces = self.columns.pieces.iter().zip(self.points);
        for (piece, &(from, to)) in pieces.filter(|(piece, _)| piece.edge == edge) {
            let left = &self.columns.items[piece.left];
            let right = &self.columns.items[piece.right];
            if let Content::Node(_) = left.content {
                let span = self.spans[left.column];
                points.push(Point {
                    x: span.x + span.width,
                    y: self.tops[piece.left] + from,
                });
            }
            let span = self.spans[right.column];
            let y = self.tops[piece.right] + to;
            match right.content {
                Content::Node(_) => points.push(Point { x: span.x, y }),
                // Nothing stands in an empty column.
                Content::Pass(_) if span.width == 0.0 => {}
                Content::Pass(_) | Content::Label(_) => {
                    points.extend([span.x, span.x + span.width].map(|x| Point { x, y }));
                }
            }
            if let Content::Label(_) = right.content {
                label = Some(Rect {
                    x: span.x + (span.width - right.width) / 2.0,
                    y: self.tops[piece.right],
                    width: right.width,
                    height: right.height,
                });
            }
        }
        Route::level(points, label)
    }

    /// The edges that lead back, below everything: the longer, the lower.
    fn back_routes(
        &self,
        shapes: &[Shape],
        nodes: &[Rect],
        inputs: &[usize],
        floor: &mut f64,
    ) -> Vec<(usize, Route)> {
        let index = |id: &str| self.drawing.index(id).unwrap_or_default();
        let ends = |edge: usize| {
            let this = &self.drawing.edges[edge];
            let (from, to) = (index(&this.from.node), index(&this.to.node));
            let output = shape::output_index(&self.drawing.nodes[from], this.from.port.as_deref());
            let start = Point {
                x: nodes[from].right(),
                y: nodes[from].y + shapes[from].point(&shapes[from].outputs, output),
            };
            let end = Point {
                x: nodes[to].x,
                y: nodes[to].y + shapes[to].point(&shapes[to].inputs, inputs[edge]),
            };
            (edge, [start, end])
        };
        let mut ends: Vec<(usize, [Point; 2])> =
            self.columns.back.iter().copied().map(ends).collect();
        ends.sort_by(|(_, [a, b]), (_, [c, d])| (a.x - b.x).total_cmp(&(c.x - d.x)));
        let route = |(edge, ends): (usize, _)| {
            let lines = &self.drawing.edges[edge].lines;
            (edge, back_route(ends, lines, floor))
        };
        ends.into_iter().map(route).collect()
    }
}

/// How far down the side of its items each piece ends, as far as that is known before they are
/// in order.
fn shares(drawing: &Drawing, shapes: &[Shape], columns: &Columns) -> Shares {
    let share = |piece: &super::layers::Piece| {
        let edge = &drawing.edges[piece.edge];
        let left = match columns.items[piece.left].content {
            Content::Node(node) => {
                let output = shape::output_index(&drawing.nodes[node], edge.from.port.as_deref());
                shapes[node].outputs.share(output)
            }
            _ => 0.5,
        };
        let right = match columns.items[piece.right].content {
            Content::Node(node) => {
                shape::input_index(&drawing.nodes[node], edge.to.port.as_deref())
                    .map_or(0.5, |input| shapes[node].inputs.share(input))
            }
            _ => 0.5,
        };
        (left, right)
    };
    columns.pieces.iter().map(share).collect()
}

/// Which point of its last node each edge ends at: those without a port one below the other as
/// they come in, those that lead back below them.
fn inputs(drawing: &Drawing, columns: &Columns) -> Vec<usize> {
    let mut taken = vec![0; drawing.nodes.len()];
    let mut inputs = vec![0; drawing.edges.len()];
    // From the top of each column down, and then those that lead back.
    let last_pieces = columns.order.iter().flatten().flat_map(|&item| {
        columns
            .pieces
            .iter()
            .filter(move |piece| piece.left == item)
    });
    let forward = last_pieces
        .filter(|piece| matches!(columns.items[piece.right].content, Content::Node(_)))
        .map(|piece| piece.edge);
    let edges: Vec<usize> = forward.chain(columns.back.iter().copied()).collect();
    for edge in edges {
        let to = &drawing.edges[edge].to;
        let Some(node) = drawing.index(&to.node) else {
            continue;
        };
        let named = &drawing.nodes[node];
        inputs[edge] = shape::input_index(named, to.port.as_deref()).unwrap_or_else(|| {
            taken[node] += 1;
            named.inputs.len() + taken[node] - 1
        });
    }
    inputs
}

/// Where each piece touches its items, from their tops.
fn points(drawing: &Drawing, shapes: &[Shape], columns: &Columns, inputs: &[usize]) -> Points {
    let of_edge = |item: usize| match columns.items[item].content {
        Content::Label(_) => columns.items[item].height,
        Content::Pass(_) | Content::Node(_) => 0.0,
    };
    let point = |piece: &super::layers::Piece| {
        let from = match columns.items[piece.left].content {
            Content::Node(node) => {
                let port = drawing.edges[piece.edge].from.port.as_deref();
                let output = shape::output_index(&drawing.nodes[node], port);
                shapes[node].point(&shapes[node].outputs, output)
            }
            _ => of_edge(piece.left),
        };
        let to = match columns.items[piece.right].content {
            Content::Node(node) => shapes[node].point(&shapes[node].inputs, inputs[piece.edge]),
            _ => of_edge(piece.right),
        };
        (from, to)
    };
    columns.pieces.iter().map(point).collect()
}

/// The columns from left to right; the steeper the edges between two, the further apart.
fn spans(columns: &Columns, points: &Points, tops: &[f64]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::with_capacity(columns.order.len());
    for (column, order) in columns.order.iter().enumerate() {
        let widths = order.iter().map(|&item| columns.items[item].width);
        let pieces = columns.pieces.iter().zip(points);
        let steepest = pieces
            .filter(|(piece, _)| columns.items[piece.right].column == column)
            .map(|(piece, (from, to))| (tops[piece.left] + from - tops[piece.right] - to).abs())
            .fold(0.0, f64::max);
        let gap = (GAP.0 * 0.75 + steepest * 0.35).clamp(GAP.0, GAP.1);
        let x = spans
            .last()
            .map_or(MARGIN, |last| last.x + last.width + gap);
        spans.push(Span {
            x: x.round(),
            width: widths.fold(0.0, f64::max),
        });
    }
    spans
}

/// The frame around a group's nodes.
fn frame(drawing: &Drawing, nodes: &[Rect], lane: &Lane, top: f64) -> Option<Rect> {
    let group = lane.lane.checked_sub(1)?;
    let members = drawing.nodes.iter().zip(nodes);
    let members = members.filter(|(node, _)| drawing.group_of(node) == Some(group));
    let (left, right) = members.fold((f64::MAX, f64::MIN), |(left, right), (_, rect)| {
        (left.min(rect.x), right.max(rect.right()))
    });
    let title = width(&drawing.groups[group].title, PORT.0, true) + GROUP_PADDING.1 * 2.0;
    Some(Rect {
        x: left - GROUP_PADDING.1,
        y: top + lane.top,
        width: (right - left + GROUP_PADDING.1 * 2.0).max(title),
        height: lane.bottom - lane.top,
    })
}

fn size(
    drawing: &Drawing,
    floor: f64,
    nodes: &[Rect],
    routes: &[Route],
    groups: &[(usize, Rect)],
) -> (f64, f64) {
    let title = MARGIN + width(&drawing.title, TITLE.0, true);
    let labels = routes.iter().filter_map(|route| route.label.as_ref());
    let frames = groups.iter().map(|(_, frame)| frame);
    let rects = nodes.iter().chain(labels).chain(frames);
    let right = rects.map(Rect::right).fold(title, f64::max);
    (right + MARGIN, floor + MARGIN)
}
