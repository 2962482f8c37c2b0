//! The way of an edge over the drawing.

use super::layers::label_size;
use super::layout::{MARGIN, Point, Rect};

/// From a node to where an edge that leads back turns.
const TURN: f64 = 11.0;
/// Between edges that lead back, one below the other.
const BACK_APART: f64 = 14.0;

/// An edge's way.
#[derive(Debug)]
pub(super) struct Route {
    /// On the border of the node it comes from.
    pub(super) start: Point,
    pub(super) moves: Vec<Move>,
    /// Where its label is.
    pub(super) label: Option<Rect>,
}

/// A part of a way, from where the one before ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    Line(Point),
    /// A cubic curve by two control points.
    Curve([Point; 3]),
}

impl Move {
    pub(super) fn end(&self) -> Point {
        match self {
            Self::Line(end) | Self::Curve([_, _, end]) => *end,
        }
    }
}

impl Route {
    /// Through these points, level at each of them.
    pub(super) fn level(points: Vec<Point>, label: Option<Rect>) -> Self {
        let moves = points.windows(2).map(|pair| {
            let (a, b) = (pair[0], pair[1]);
            if (a.y - b.y).abs() < 0.05 {
                Move::Line(b)
            } else {
                let x = f64::midpoint(a.x, b.x);
                Move::Curve([Point { x, y: a.y }, Point { x, y: b.y }, b])
            }
        });
        Self {
            moves: moves.collect(),
            start: points.first().copied().unwrap_or(Point { x: 0.0, y: 0.0 }),
            label,
        }
    }

    /// On the border of the node it leads to.
    pub(super) fn end(&self) -> Point {
        self.moves.last().map_or(self.start, Move::end)
    }
}

/// A way from the right border of a node back to the left border of one, below `floor`, which
/// it lowers.
pub(super) fn back_route([start, end]: [Point; 2], lines: &[String], floor: &mut f64) -> Route {
    let (width, height) = if lines.is_empty() {
        (0.0, 0.0)
    } else {
        label_size(lines)
    };
    let y = *floor + BACK_APART + height;
    let (out, back) = (start.x + TURN, end.x - TURN);
    let label = (!lines.is_empty()).then(|| Rect {
        x: (f64::midpoint(out, back) - width / 2.0).max(MARGIN),
        y: y - height,
        width,
        height,
    });
    *floor = y;
    let corners = [
        Point { x: out, y: start.y },
        Point { x: out, y },
        Point { x: back, y },
        Point { x: back, y: end.y },
        end,
    ];
    Route {
        start,
        moves: rounded(start, &corners),
        label,
    }
}

/// Lines between points, with rounded corners.
fn rounded(start: Point, points: &[Point]) -> Vec<Move> {
    let mut moves = Vec::new();
    let mut from = start;
    for pair in points.windows(2) {
        let (corner, next) = (pair[0], pair[1]);
        let before = towards(corner, from);
        let after = towards(corner, next);
        moves.push(Move::Line(before));
        moves.push(Move::Curve([corner, corner, after]));
        from = corner;
    }
    moves.extend(points.last().copied().map(Move::Line));
    moves
}

/// A little way from a corner to another point.
fn towards(corner: Point, other: Point) -> Point {
    let (x, y) = (other.x - corner.x, other.y - corner.y);
    let length = x.hypot(y).max(1.0);
    let step = (length / 2.0).min(TURN - 3.0) / length;
    Point {
        x: corner.x + x * step,
        y: corner.y + y * step,
    }
}
