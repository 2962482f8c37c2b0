//! Which sizes a sensor is asked for.

use super::SIZES;
use crate::modes::FrameSizes;

/// The sizes of a sensor that are worth a try, with their rank.
pub(super) fn ranked_sizes(
    sizes: &FrameSizes,
    wished: Option<(u32, u32)>,
    active: (u32, u32),
) -> Vec<(usize, (u32, u32))> {
    let Some(wished) = wished else {
        let area = |size: &(u32, u32)| u64::from(size.0) * u64::from(size.1);
        if sizes.contain(active) != Some(false) {
            return vec![(0, active)];
        }
        let mut listed = sizes.nearest(active, usize::MAX);
        listed.sort_by_key(|size| std::cmp::Reverse(area(size)));
        let listed = listed.into_iter().take(SIZES);
        return listed
            .enumerate()
            .map(|(at, size)| (at + 1, size))
            .collect();
    };
    let mut listed = sizes.nearest(wished, usize::MAX);
    listed.retain(|size| *size != wished);
    // Something on the way may scale, mostly down, and best to the same shape.
    let is_smaller = |size: &(u32, u32)| size.0 < wished.0 || size.1 < wished.1;
    let is_bent = |size: &(u32, u32)| {
        u64::from(size.0) * u64::from(wished.1) != u64::from(size.1) * u64::from(wished.0)
    };
    listed.sort_by_key(|size| (is_smaller(size), is_bent(size)));
    let exact = (sizes.contain(wished) != Some(false)).then_some(wished);
    let all = exact.into_iter().chain(listed.into_iter().take(SIZES));
    let ranks = if exact.is_some() { 0.. } else { 1.. };
    ranks.zip(all).collect()
}
