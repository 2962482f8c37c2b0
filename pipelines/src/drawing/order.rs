//! Who stands above whom in a column, so that few edges cross.

use super::layers::Columns;

/// Where the ends of each piece are on their items, from 0 at the top to 1.
pub(super) type Shares = Vec<(f64, f64)>;

/// How often the columns are gone through.
const SWEEPS: usize = 12;

/// Puts each column's items in an order by the mean place of their neighbours, and keeps the
/// best order seen.
pub(super) fn reduce_crossings(columns: &mut Columns, shares: &Shares) {
    for column in 0..columns.order.len() {
        let mut order = std::mem::take(&mut columns.order[column]);
        order.sort_by_key(|&item| columns.items[item].lane);
        columns.order[column] = order;
    }
    let mut best = (crossings(columns, shares), columns.order.clone());
    for sweep in 0..SWEEPS {
        let count = columns.order.len();
        let (forward, all): (bool, Vec<usize>) = if sweep % 2 == 0 {
            (true, (1..count).collect())
        } else {
            (false, (0..count.saturating_sub(1)).rev().collect())
        };
        for column in all {
            sort(columns, shares, column, forward);
        }
        let found = crossings(columns, shares);
        if found < best.0 {
            best = (found, columns.order.clone());
        }
    }
    columns.order = best.1;
}

/// Sorts a column by the neighbours on one side; who has none there stays where it is.
fn sort(columns: &mut Columns, shares: &Shares, column: usize, by_left: bool) {
    let places = places(columns);
    let mean = |item: usize| {
        let ends: Vec<f64> = columns
            .pieces
            .iter()
            .zip(shares)
            .filter_map(|(piece, share)| {
                if by_left {
                    (piece.right == item).then(|| places[piece.left] + share.0)
                } else {
                    (piece.left == item).then(|| places[piece.right] + share.1)
                }
            })
            .collect();
        if ends.is_empty() {
            places[item] + 0.5
        } else {
            ends.iter().sum::<f64>() / ends.len() as f64
        }
    };
    let order = &columns.order[column];
    let mut keyed: Vec<(usize, f64, usize)> = order
        .iter()
        .map(|&item| (columns.items[item].lane, mean(item), item))
        .collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    columns.order[column] = keyed.into_iter().map(|(_, _, item)| item).collect();
}

/// Each item's place in its column.
fn places(columns: &Columns) -> Vec<f64> {
    let mut places = vec![0.0; columns.items.len()];
    for order in &columns.order {
        for (place, &item) in order.iter().enumerate() {
            places[item] = place as f64;
        }
    }
    places
}

/// How many pairs of pieces cross.
fn crossings(columns: &Columns, shares: &Shares) -> usize {
    let places = places(columns);
    let ends: Vec<(usize, f64, f64)> = columns
        .pieces
        .iter()
        .zip(shares)
        .map(|(piece, share)| {
            (
                columns.items[piece.left].column,
                places[piece.left] + share.0,
                places[piece.right] + share.1,
            )
        })
        .collect();
    let crossed = |(index, a): (usize, &(usize, f64, f64))| {
        let later = ends[index + 1..].iter();
        later
            .filter(|b| a.0 == b.0 && (a.1 - b.1) * (a.2 - b.2) < 0.0)
            .count()
    };
    ends.iter().enumerate().map(crossed).sum()
}
