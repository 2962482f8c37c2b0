//! Flags of controls.

use std::ops::BitOrAssign;

/// The flags that are set.
pub(crate) fn flags_of<T, const N: usize>(flags: [(bool, T); N]) -> T
where
    T: BitOrAssign + Default,
{
    let mut set = T::default();
    for (is_set, flag) in flags {
        if is_set {
            set |= flag;
        }
    }
    set
}
