//! Where on a screen inputs lie.

use super::config::{Arrangement, KmsInputConfig};
use crate::choice::{Place, Rect, Size};

/// The cell of an input; `None` where each input says by itself where it lies.
pub(super) fn cell(
    arrangement: Arrangement,
    input: usize,
    inputs: usize,
    screen: Size,
) -> Option<Rect> {
    let columns = match arrangement {
        Arrangement::Grid => (1..).find(|columns| columns * columns >= inputs)?,
        Arrangement::SideBySide => inputs,
        Arrangement::Custom => return None,
    };
    let rows = inputs.div_ceil(columns);
    let (x, width) = part(screen.width, input % columns, columns)?;
    let (y, height) = part(screen.height, input / columns, rows)?;
    Some(Rect {
        x,
        y,
        width,
        height,
    })
}

/// Where one of several equal parts begins, and how long it is. Both are even, since formats
/// with subsampled chroma can start on even pixels only.
fn part(whole: u32, index: usize, count: usize) -> Option<(u32, u32)> {
    let length = (whole / u32::try_from(count).ok()?) & !1;
    Some((length * u32::try_from(index).ok()?, length))
}

/// Where an input lies that has a cell and says something of its place by itself, or has no cell
/// and says all; `None` where it says too little.
pub(super) fn own_place(input: &KmsInputConfig, picture: Size, cell: Option<Rect>) -> Option<Rect> {
    let size = input.size.map(|(width, height)| Size { width, height });
    match (input.at, size) {
        (Some((x, y)), size) => Some(Rect {
            x,
            y,
            ..Rect::whole(size.unwrap_or(picture))
        }),
        (None, None) => cell,
        (None, Some(size)) => {
            let cell = cell?;
            let middle = |start: u32, room: u32, length: u32| {
                (start + room / 2).saturating_sub(length / 2) & !1
            };
            Some(Rect {
                x: middle(cell.x, cell.width, size.width),
                y: middle(cell.y, cell.height, size.height),
                ..Rect::whole(size)
            })
        }
    }
}

/// Whether a place lies on a screen of this size.
pub(super) fn is_within(at: Rect, screen: Size) -> bool {
    let ends = |start: u32, length: u32, end: u32| {
        length > 0 && start.checked_add(length).is_some_and(|last| last <= end)
    };
    ends(at.x, at.width, screen.width) && ends(at.y, at.height, screen.height)
}

/// Whether two places have a pixel in common.
pub(super) fn overlap(one: Rect, other: Rect) -> bool {
    let meet = |a: u32, a_len: u32, b: u32, b_len: u32| a < b + b_len && b < a + a_len;
    meet(one.x, one.width, other.x, other.width) && meet(one.y, one.height, other.y, other.height)
}

/// How to show a picture in a cell, best first: as large as it goes, in its own size in the
/// middle, and where `crop` allows it the part in its middle that has room.
pub(super) fn places(picture: Size, cell: Rect, scaling: bool, crop: bool) -> Vec<Place> {
    let moved = |at: Rect| Rect {
        x: at.x + cell.x,
        y: at.y + cell.y,
        ..at
    };
    let whole = |at: Rect| Place::of_whole(picture, moved(at));
    let fitted = Rect::fitted(picture, cell.size()).filter(|at| scaling || at.size() == picture);
    let centred = Rect::centred(picture, cell.size());
    let mut places: Vec<_> = fitted.map(whole).into_iter().collect();
    match centred.map(whole) {
        Some(centred) if !places.contains(&centred) => places.push(centred),
        Some(_same) => {}
        None if crop => places.extend(cropped(picture, cell.size()).map(|place| Place {
            at: moved(place.at),
            ..place
        })),
        None => {}
    }
    places.retain(|place| place.at.width > 0 && place.at.height > 0);
    places
}

/// The part in the middle of a picture that has room unscaled.
fn cropped(picture: Size, room: Size) -> Option<Place> {
    let part = Size {
        width: picture.width.min(room.width & !1),
        height: picture.height.min(room.height & !1),
    };
    Some(Place {
        source: Rect::centred(part, picture)?,
        at: Rect::centred(part, room)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: Size = Size {
        width: 1366,
        height: 768,
    };
    const PICTURE: Size = Size {
        width: 640,
        height: 480,
    };

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        Rect {
            x,
            y,
            width,
            height,
        }
    }

    #[test]
    fn cells_are_alike_and_lie_side_by_side() {
        let cells = |arrangement, inputs| -> Vec<_> {
            (0..inputs)
                .map(|input| cell(arrangement, input, inputs, SCREEN).unwrap())
                .collect()
        };
        assert_eq!(cells(Arrangement::Grid, 1), [rect(0, 0, 1366, 768)]);
        let two = [rect(0, 0, 682, 768), rect(682, 0, 682, 768)];
        assert_eq!(cells(Arrangement::Grid, 2), two);
        assert_eq!(cells(Arrangement::Grid, 3)[2], rect(0, 384, 682, 384));
        assert_eq!(
            cells(Arrangement::SideBySide, 4)[3],
            rect(1020, 0, 340, 768)
        );
        for inputs in 1..20 {
            for arrangement in [Arrangement::Grid, Arrangement::SideBySide] {
                let cells = cells(arrangement, inputs);
                for (index, &cell) in cells.iter().enumerate() {
                    assert!(is_within(cell, SCREEN));
                    assert!(cells[..index].iter().all(|&other| !overlap(cell, other)));
                }
            }
        }
        assert_eq!(cell(Arrangement::Custom, 0, 1, SCREEN), None);
    }

    #[test]
    fn a_place_may_be_said_in_part() {
        let place = |at, size, cell| {
            let input = KmsInputConfig {
                at,
                size,
                ..KmsInputConfig::default()
            };
            own_place(&input, PICTURE, cell)
        };
        let cell = Some(rect(682, 0, 682, 768));
        assert_eq!(place(None, None, cell), cell);
        assert_eq!(place(None, None, None), None);
        let corner = Some((30, 40));
        assert_eq!(place(corner, None, cell), Some(rect(30, 40, 640, 480)));
        assert_eq!(
            place(corner, Some((100, 50)), None),
            Some(rect(30, 40, 100, 50))
        );
        assert_eq!(
            place(None, Some((100, 50)), cell),
            Some(rect(972, 358, 100, 50))
        );
        assert_eq!(
            place(None, Some((2000, 50)), cell),
            Some(rect(22, 358, 2000, 50))
        );
        assert_eq!(place(None, Some((100, 50)), None), None);
    }

    #[test]
    fn a_picture_is_scaled_before_it_is_cut() {
        let cell = rect(682, 384, 682, 384);
        let ways = places(PICTURE, cell, true, true);
        assert_eq!(ways.len(), 2);
        assert_eq!(ways[0].at, rect(682 + 84, 384, 512, 384));
        assert_eq!(ways[1].source, rect(0, 48, 640, 384));
        assert_eq!(ways[1].at, rect(682 + 20, 384, 640, 384));
        assert_eq!(
            ways[1].describe(PICTURE),
            "640x384 at 0,48 of 640x480, unscaled 640x384 at 702,384"
        );
        assert_eq!(places(PICTURE, cell, true, false), ways[..1]);
        assert!(places(PICTURE, cell, false, false).is_empty());
    }

    #[test]
    fn a_picture_of_the_cells_size_has_one_way() {
        let cell = rect(0, 0, 640, 480);
        let ways = places(PICTURE, cell, true, true);
        assert_eq!(ways, [Place::of_whole(PICTURE, cell)]);
    }

    #[test]
    fn a_place_beyond_the_edge_is_not_on_the_screen() {
        assert!(is_within(rect(726, 288, 640, 480), SCREEN));
        assert!(!is_within(rect(728, 288, 640, 480), SCREEN));
        assert!(!is_within(rect(0, 289, 640, 480), SCREEN));
        assert!(!is_within(rect(u32::MAX, 0, 2, 2), SCREEN));
        assert!(!is_within(rect(0, 0, 0, 2), SCREEN));
    }
}
