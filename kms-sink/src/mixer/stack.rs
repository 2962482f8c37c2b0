//! Which plane lies above which.

use super::places::overlap;
use crate::choice::Rect;

/// How far up a plane lies, by its property `zpos`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Height {
    /// There for good; of planes without the property, the kernel's order is taken.
    Fixed(u64),
    /// To be set from the lowest to the highest value.
    Settable(u64, u64),
}

/// What to set for planes to lie one above the other in this order, from the lowest up; `None`
/// where they cannot. Where no two overlap nothing needs to be set.
pub(super) fn stack(planes: &[(Height, Rect)]) -> Option<Vec<Option<u64>>> {
    let mut rest = planes;
    let mut apart = true;
    while let [(_height, first), others @ ..] = rest {
        apart &= others
            .iter()
            .all(|(_height, other)| !overlap(*first, *other));
        rest = others;
    }
    if apart {
        return Some(vec![None; planes.len()]);
    }
    let mut next = 0;
    planes
        .iter()
        .map(|&(height, _at)| {
            let (at, set) = match height {
                Height::Fixed(at) => (at >= next).then_some((at, None)),
                Height::Settable(lowest, highest) => {
                    let at = next.max(lowest);
                    (at <= highest).then_some((at, Some(at)))
                }
            }?;
            next = at.saturating_add(1);
            Some(set)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Height::{Fixed, Settable};
    use super::*;

    const ALL: Rect = Rect {
        x: 0,
        y: 0,
        width: 100,
        height: 100,
    };

    fn stacked(heights: &[Height]) -> Option<Vec<Option<u64>>> {
        let planes: Vec<_> = heights.iter().map(|&height| (height, ALL)).collect();
        stack(&planes)
    }

    #[test]
    fn planes_are_raised_only_as_far_as_they_go() {
        assert_eq!(stacked(&[Fixed(0), Fixed(3)]), Some(vec![None, None]));
        assert_eq!(stacked(&[Fixed(3), Fixed(0)]), None);
        assert_eq!(
            stacked(&[Fixed(0), Settable(0, 7), Settable(0, 7)]),
            Some(vec![None, Some(1), Some(2)])
        );
        assert_eq!(stacked(&[Fixed(4), Settable(0, 4)]), None);
        assert_eq!(
            stacked(&[Settable(2, 4), Settable(0, 4)]),
            Some(vec![Some(2), Some(3)])
        );
        assert_eq!(stacked(&[Settable(0, 4), Fixed(0)]), None);
    }

    #[test]
    fn planes_side_by_side_need_no_order() {
        let right = Rect { x: 100, ..ALL };
        let planes = [(Fixed(3), ALL), (Fixed(0), right)];
        assert_eq!(stack(&planes), Some(vec![None, None]));
    }
}
