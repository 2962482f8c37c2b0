//! How far down each item of a column is: near its neighbours, and never on another.

use super::layers::{Columns, Content, Item, Piece};

/// Between a frame around a group and what is in it: above, with the title, and below.
pub(super) const GROUP_PADDING: (f64, f64) = (26.0, 12.0);
/// Between two lanes.
const LANES_APART: f64 = 22.0;
/// How often all columns are moved; the error halves about each time.
const SWEEPS: usize = 48;

/// Where a piece touches its items, from their tops.
pub(super) type Points = Vec<(f64, f64)>;

/// A lane's top and bottom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) lane: usize,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

/// The top of each item, and the lanes they are in.
pub(super) fn heights(columns: &Columns, points: &Points) -> (Vec<f64>, Vec<Lane>) {
    let mut tops = vec![0.0; columns.items.len()];
    let count = columns.order.len();
    for sweep in 0..SWEEPS {
        // First along the edges, one way and back; then between both sides.
        let sides = match (sweep < SWEEPS / 3, sweep % 2 == 0) {
            (true, true) => (true, false),
            (true, false) => (false, true),
            (false, _) => (true, true),
        };
        for step in 0..count {
            let column = if sweep % 2 == 0 {
                step
            } else {
                count - 1 - step
            };
            settle_column(columns, points, &mut tops, column, sides);
        }
    }
    straighten(columns, points, &mut tops);
    let lanes = stack_lanes(columns, &mut tops);
    (tops, lanes)
}

/// Makes each edge level with one of its ends, so that it bends once only: at its beginning
/// where others begin at the same point, at its end otherwise.
fn straighten(columns: &Columns, points: &Points, tops: &mut [f64]) {
    // Everything but nodes follows the item on this side.
    let follows_right = |item: usize| {
        let first = match columns.items[item].content {
            Content::Node(_) => return false,
            Content::Label(edge) | Content::Pass(edge) => first_piece(columns, edge),
        };
        let same = |(piece, at): (&Piece, &(f64, f64))| {
            piece.left == columns.pieces[first].left && (at.0 - points[first].0).abs() < 0.5
        };
        let at_start = columns.pieces.iter().zip(points).filter(|&pair| same(pair));
        at_start.count() > 1
    };
    let right: Vec<bool> = (0..tops.len()).map(follows_right).collect();
    let count = columns.order.len();
    for column in (0..count).rev().chain(0..count) {
        let order = &columns.order[column];
        for lane in order.chunk_by(|&a, &b| columns.items[a].lane == columns.items[b].lane) {
            let wishes: Vec<Wish> = lane
                .iter()
                .map(|&item| {
                    let sides = (!right[item], right[item]);
                    let wish = wish(columns, points, tops, item, sides);
                    match columns.items[item].content {
                        Content::Node(_) => Wish {
                            top: tops[item],
                            weight: 1e6,
                            ..wish
                        },
                        Content::Label(_) | Content::Pass(_) => wish,
                    }
                })
                .collect();
            for (&item, top) in lane.iter().zip(settle(&wishes)) {
                tops[item] = top;
            }
        }
    }
}

/// The piece with which an edge begins. It is made first.
fn first_piece(columns: &Columns, edge: usize) -> usize {
    let pieces = &mut columns.pieces.iter();
    pieces.position(|piece| piece.edge == edge).unwrap_or(0)
}

/// Moves a column's items to where their neighbours on the wanted sides want them.
fn settle_column(
    columns: &Columns,
    points: &Points,
    tops: &mut [f64],
    column: usize,
    (left, right): (bool, bool),
) {
    let order = &columns.order[column];
    for lane in order.chunk_by(|&a, &b| columns.items[a].lane == columns.items[b].lane) {
        let wishes: Vec<Wish> = lane
            .iter()
            .map(|&item| wish(columns, points, tops, item, (left, right)))
            .collect();
        for (&item, top) in lane.iter().zip(settle(&wishes)) {
            tops[item] = top;
        }
    }
}

/// Where an item would like to be.
struct Wish {
    top: f64,
    weight: f64,
    /// Its height, and the room around it.
    height: f64,
    room: f64,
}

fn wish(
    columns: &Columns,
    points: &Points,
    tops: &[f64],
    item: usize,
    (left, right): (bool, bool),
) -> Wish {
    let lane = columns.items[item].lane;
    let (mut sum, mut weight) = (0.0, 0.0);
    for (piece, point) in columns.pieces.iter().zip(points) {
        let (other, top) = if left && piece.right == item {
            (piece.left, tops[piece.left] + point.0 - point.1)
        } else if right && piece.left == item {
            (piece.right, tops[piece.right] + point.1 - point.0)
        } else {
            continue;
        };
        if columns.items[other].lane != lane {
            continue;
        }
        // An edge that passes many columns is straight there.
        let is_node = |item: usize| matches!(columns.items[item].content, Content::Node(_));
        let pull = if is_node(item) || is_node(other) {
            1.0
        } else {
            6.0
        };
        sum += top * pull;
        weight += pull;
    }
    let Item {
        content, height, ..
    } = &columns.items[item];
    Wish {
        top: if weight > 0.0 {
            sum / weight
        } else {
            tops[item]
        },
        weight: if weight > 0.0 { weight } else { 0.01 },
        height: *height,
        room: match content {
            Content::Node(_) => 12.0,
            Content::Label(_) => 6.0,
            Content::Pass(_) => 5.0,
        },
    }
}

/// The places nearest to what is wished at which nobody overlaps, in this order: the least sum
/// of weighted squares, by pooling those who are in each other's way.
fn settle(wishes: &[Wish]) -> Vec<f64> {
    // Without heights, not to overlap is to be in order.
    let mut below = Vec::with_capacity(wishes.len());
    let mut at = 0.0;
    for (index, wish) in wishes.iter().enumerate() {
        if index > 0 {
            at += wish.room;
        }
        below.push(at);
        at += wish.height + wish.room;
    }
    // Pools of neighbours: the sum of their wishes, its weight, how many they are.
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (wish, below) in wishes.iter().zip(&below) {
        let mut pool = ((wish.top - below) * wish.weight, wish.weight, 1);
        while let Some(last) = pools.pop_if(|last| last.0 / last.1 >= pool.0 / pool.1) {
            pool = (pool.0 + last.0, pool.1 + last.1, pool.2 + last.2);
        }
        pools.push(pool);
    }
    let places = pools
        .into_iter()
        .flat_map(|(sum, weight, count)| std::iter::repeat_n(sum / weight, count));
    places
        .zip(below)
        .map(|(place, below)| place + below)
        .collect()
}

/// Puts the lanes one below the other, from 0 down.
fn stack_lanes(columns: &Columns, tops: &mut [f64]) -> Vec<Lane> {
    let mut numbers: Vec<usize> = columns.items.iter().map(|item| item.lane).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let (mut lanes, mut at) = (Vec::new(), 0.0);
    for lane in numbers {
        let members = || (0..tops.len()).filter(|&item| columns.items[item].lane == lane);
        let highest = members().map(|item| tops[item]).fold(f64::MAX, f64::min);
        let bottoms = members().map(|item| tops[item] + columns.items[item].height);
        let length = bottoms.fold(f64::MIN, f64::max) - highest;
        let (above, below) = if lane == 0 { (0.0, 0.0) } else { GROUP_PADDING };
        let members: Vec<usize> = members().collect();
        for item in members {
            tops[item] += at + above - highest;
        }
        let bottom = at + above + length + below;
        lanes.push(Lane {
            lane,
            top: at,
            bottom,
        });
        at = bottom + LANES_APART;
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(top: f64) -> Wish {
        Wish {
            top,
            weight: 1.0,
            height: 10.0,
            room: 2.0,
        }
    }

    #[test]
    fn who_is_in_nobodys_way_gets_the_wish() {
        assert_eq!(settle(&[wish(0.0), wish(50.0)]), [0.0, 50.0]);
    }

    #[test]
    fn who_wants_the_same_place_stands_around_it() {
        assert_eq!(settle(&[wish(20.0), wish(20.0)]), [13.0, 27.0]);
        assert_eq!(settle(&[wish(9.0), wish(0.0), wish(100.0)])[2], 100.0);
    }
}
