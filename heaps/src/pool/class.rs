//! The lengths that are told apart: eight between a power of two and the next.

use std::num::NonZeroUsize;

use dmaflow_core::heap::page_size;

/// Classes between a power of two of pages and the next.
const STEPS: usize = 8;
const STEPS_LOG2: u32 = STEPS.ilog2();

/// A class of lengths: whole pages, at most an eighth longer than what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SizeClass {
    index: usize,
    pages: NonZeroUsize,
}

impl SizeClass {
    /// How many there are.
    pub(super) const COUNT: usize = STEPS * (usize::BITS - STEPS_LOG2 + 1) as usize;

    /// The class that holds `len` bytes, unless no memory could.
    pub(super) fn of(len: NonZeroUsize) -> Option<Self> {
        let asked = len.get().div_ceil(page_size());
        let (index, pages) = if asked <= STEPS {
            (asked - 1, asked)
        } else {
            // Above 2^k pages and up to 2^(k+1), in steps of an eighth of 2^k.
            let power = (asked - 1).ilog2();
            let step = 1 << (power - STEPS_LOG2);
            let steps = (asked - (1 << power)).div_ceil(step);
            let octave = (power - STEPS_LOG2 + 1) as usize;
            (octave * STEPS + steps - 1, (1 << power) + steps * step)
        };
        pages.checked_mul(page_size())?;
        let pages = NonZeroUsize::new(pages)?;
        Some(Self { index, pages })
    }

    /// Its place among all.
    pub(super) const fn index(self) -> usize {
        self.index
    }

    /// The length of its buffers in bytes.
    pub(super) fn len(self) -> NonZeroUsize {
        // That this is no overflow was checked when the class was made.
        self.pages
            .saturating_mul(NonZeroUsize::new(page_size()).unwrap_or(NonZeroUsize::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn class(len: usize) -> SizeClass {
        SizeClass::of(NonZeroUsize::new(len).unwrap()).unwrap()
    }

    #[test]
    fn classes_follow_each_other_without_gap_or_overlap() {
        let mut before = class(1);
        assert_eq!(before.index(), 0);
        for pages in 2..5000 {
            let this = class(pages * page_size());
            let next = this.index() - before.index();
            assert!(next <= 1, "{before:?}, {this:?}");
            assert_eq!(next == 1, this.len() > before.len(), "{before:?}, {this:?}");
            before = this;
        }
    }

    #[test]
    fn powers_of_two_are_given_as_asked() {
        for len in [4 << 10, 1 << 20, 8 << 20, 32 << 20] {
            assert_eq!(class(len).len().get(), len);
        }
    }

    #[test]
    fn what_no_memory_could_hold_has_no_class() {
        let longest = usize::MAX / page_size() * page_size();
        assert_eq!(SizeClass::of(NonZeroUsize::new(longest).unwrap()), None);
        assert_eq!(SizeClass::of(NonZeroUsize::MAX), None);
    }

    proptest! {
        #[test]
        fn a_class_wastes_an_eighth_at_most(len in 1_usize..=1 << 50) {
            let class = class(len);
            let whole = len.next_multiple_of(page_size());
            prop_assert!(class.len().get() >= len);
            prop_assert!(class.len().get() <= whole + whole / 8);
            prop_assert!(class.len().get().is_multiple_of(page_size()));
            prop_assert!(class.index() < SizeClass::COUNT);
            let again = SizeClass::of(class.len());
            prop_assert_eq!(again, Some(class));
        }
    }
}
