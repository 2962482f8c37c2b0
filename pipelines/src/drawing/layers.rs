//! Which column each node stands in, and what stands between them.
//!
//! Nodes stand in the even columns, each one further right than all whose edges lead to it.
//! Between them, in the odd columns, stand the labels of edges. An edge that passes a column has
//! an item there, so that nothing else takes its place.

use super::Drawing;
use super::shape::{LINE, Shape};
use super::text::width;

/// Above and below a label's text.
const LABEL_PADDING: f64 = 4.0;

/// Everything that takes place in columns.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) items: Vec<Item>,
    /// The items of each column, from top to bottom.
    pub(super) order: Vec<Vec<usize>>,
    /// Pieces of edges, each from a column to the next.
    pub(super) pieces: Vec<Piece>,
    /// Edges that lead back, by their places among the edges.
    pub(super) back: Vec<usize>,
}

/// What takes a place in a column.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) content: Content,
    pub(super) column: usize,
    /// 0, or 1 + the group it belongs to.
    pub(super) lane: usize,
    pub(super) width: f64,
    pub(super) height: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Node(usize),
    /// An edge's label; its line runs along its bottom.
    Label(usize),
    /// An edge on its way.
    Pass(usize),
}

/// A piece of an edge.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) edge: usize,
    pub(super) left: usize,
    pub(super) right: usize,
}

impl Columns {
    pub(super) fn new(drawing: &Drawing, shapes: &[Shape]) -> Self {
        let ends: Vec<(usize, usize)> = drawing.ends().map(|(_, from, to)| (from, to)).collect();
        let back = back_edges(&ends, drawing.nodes.len());
        let layers = longest_paths(&ends, &back, drawing.nodes.len());
        let count = layers.iter().max().map_or(0, |last| last * 2 + 1);
        let mut columns = Self {
            items: Vec::new(),
            order: vec![Vec::new(); count],
            pieces: Vec::new(),
            back,
        };
        let lane = |index: usize| {
            let group = drawing.group_of(&drawing.nodes[index]);
            group.map_or(0, |group| group + 1)
        };
        for (index, shape) in shapes.iter().enumerate() {
            columns.add(Item {
                content: Content::Node(index),
                column: layers[index] * 2,
                lane: lane(index),
                width: shape.width,
                height: shape.height,
            });
        }
        for (edge, &(from, to)) in ends.iter().enumerate() {
            if !columns.back.contains(&edge) {
                let same = lane(from) == lane(to);
                let lane = if same { lane(from) } else { 0 };
                columns.chain(
                    drawing,
                    edge,
                    [(from, layers[from]), (to, layers[to])],
                    lane,
                );
            }
        }
        columns
    }

    fn add(&mut self, item: Item) -> usize {
        let index = self.items.len();
        self.order[item.column].push(index);
        self.items.push(item);
        index
    }

    /// Adds the items of an edge between nodes in two layers. The items of nodes come first, so
    /// that a node's item has the node's own number.
    fn chain(&mut self, drawing: &Drawing, edge: usize, ends: [(usize, usize); 2], lane: usize) {
        let [(from, first), (to, last)] = ends;
        let label_at = (first + (last - first - 1) / 2) * 2 + 1;
        let mut left = from;
        for column in first * 2 + 1..last * 2 {
            let lines = &drawing.edges[edge].lines;
            let labelled = column == label_at && !lines.is_empty();
            let (width, height) = if labelled {
                label_size(lines)
            } else {
                (0.0, 0.0)
            };
            let content = if labelled {
                Content::Label(edge)
            } else {
                Content::Pass(edge)
            };
            let right = self.add(Item {
                content,
                column,
                lane,
                width,
                height,
            });
            self.pieces.push(Piece { edge, left, right });
            left = right;
        }
        self.pieces.push(Piece {
            edge,
            left,
            right: to,
        });
    }
}

/// Width and height of an edge's label.
pub(super) fn label_size(lines: &[String]) -> (f64, f64) {
    let widths = lines.iter().map(|line| width(line, LINE.0, false));
    (
        widths.fold(0.0, f64::max) + LABEL_PADDING * 2.0,
        LINE.1 * lines.len() as f64 + LABEL_PADDING,
    )
}

/// The edges without which there is no cycle: those that lead to a node which is being walked.
fn back_edges(ends: &[(usize, usize)], nodes: usize) -> Vec<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; nodes];
    let mut back = Vec::new();
    for start in 0..nodes {
        if marks[start] != Mark::New {
            continue;
        }
        // Nodes on the way, each with the edge to look at next.
        let mut way = vec![(start, 0)];
        marks[start] = Mark::Open;
        while let Some((node, next)) = way.last_mut() {
            let node = *node;
            let found = (*next..ends.len()).find(|&edge| ends[edge].0 == node);
            let Some(edge) = found else {
                marks[node] = Mark::Done;
                way.pop();
                continue;
            };
            *next = edge + 1;
            let to = ends[edge].1;
            match marks[to] {
                Mark::New => {
                    marks[to] = Mark::Open;
                    way.push((to, 0));
                }
                Mark::Open => back.push(edge),
                Mark::Done => {}
            }
        }
    }
    back.sort_unstable();
    back
}

/// Each node's distance from where edges begin, by the longest way.
fn longest_paths(ends: &[(usize, usize)], back: &[usize], nodes: usize) -> Vec<usize> {
    let mut layers = vec![0; nodes];
    // Without cycles a way has fewer edges than there are nodes.
    for _ in 0..nodes {
        for (edge, &(from, to)) in ends.iter().enumerate() {
            if !back.contains(&edge) {
                layers[to] = layers[to].max(layers[from] + 1);
            }
        }
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_right_of_all_that_lead_to_it() {
        let ends = [(0, 1), (1, 2), (0, 2), (2, 3), (4, 3)];
        assert!(back_edges(&ends, 5).is_empty());
        assert_eq!(longest_paths(&ends, &[], 5), [0, 1, 2, 3, 0]);
    }

    #[test]
    fn cycles_are_broken() {
        let ends = [(0, 1), (1, 2), (2, 0), (2, 2), (1, 0)];
        let back = back_edges(&ends, 3);
        assert_eq!(back, [2, 3, 4]);
        assert_eq!(longest_paths(&ends, &back, 3), [0, 1, 2]);
    }
}
