//! Where in a region a piece goes.
//!
//! Best fit: the free piece that the request leaves least of, among equals the first. Free
//! pieces are kept ordered by the room they have at each alignment, so that the answer is exact
//! (what fits anywhere is found) and found without a search: taking and giving cost O(a log n)
//! steps for n free pieces and a alignments (10 from a page of 4 KiB to 2 MiB), whatever the
//! lengths are. The same requests give the same places.
//!
//! `benches/space.rs` shows what it comes to with the sizes of video.

use std::collections::{BTreeMap, BTreeSet};

/// A part of a region, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Extent {
    /// The first page.
    pub start: u64,
    /// How many pages.
    pub len: u64,
}

impl Extent {
    /// The page after the last.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.start + self.len
    }
}

/// The free pieces of a region. Does no I/O.
///
/// # Invariants
/// No two free pieces touch or overlap. `free` is the sum of their lengths. `by_room[k]` holds
/// each piece that has a page at an alignment of 2ᵏ pages, under the room it has from there.
#[derive(Clone, Debug)]
pub struct Space {
    len: u64,
    free: u64,
    by_place: BTreeMap<u64, u64>,
    by_room: Vec<BTreeSet<(u64, u64)>>,
}

impl Space {
    /// A free region of `len` pages, in which pieces may be asked for at alignments up to
    /// `align` pages, rounded down to a power of two.
    #[must_use]
    pub fn new(len: u64, align: u64) -> Self {
        let alignments = align.max(1).ilog2() + 1;
        let mut space = Self {
            len,
            free: 0,
            by_place: BTreeMap::new(),
            by_room: vec![BTreeSet::new(); alignments as usize],
        };
        if len > 0 {
            space.insert(0, len);
        }
        space
    }

    /// The pages of the region.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether the region has no pages at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pages that are free.
    #[must_use]
    pub const fn free(&self) -> u64 {
        self.free
    }

    /// How many pieces the free pages are in.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.by_place.len()
    }

    /// The pages of the longest free piece that begins at a multiple of `align` pages.
    #[must_use]
    pub fn largest(&self, align: u64) -> u64 {
        let fits = class(align).and_then(|class| self.by_room.get(class)?.last());
        fits.map_or(0, |&(room, _start)| room)
    }

    /// How much of what is free cannot be had in one piece: 0 where all can, near 1 where it
    /// lies in crumbs.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share needs no more than 53 bits"
    )]
    pub fn fragmentation(&self) -> f64 {
        if self.free == 0 {
            return 0.0;
        }
        1.0 - self.largest(1) as f64 / self.free as f64
    }

    /// Takes a piece of `len` pages that begins at a multiple of `align` pages; `None` when no
    /// free piece has it, or `align` is none that the region was made for.
    pub fn take(&mut self, len: u64, align: u64) -> Option<Extent> {
        if len == 0 {
            return None;
        }
        let fits = self.by_room.get(class(align)?)?;
        let &(_room, start) = fits.range((len, 0)..).next()?;
        let piece = Extent {
            start,
            len: *self.by_place.get(&start)?,
        };
        let taken = Extent {
            start: start.next_multiple_of(align),
            len,
        };
        self.cut(piece, taken);
        Some(taken)
    }

    /// Takes exactly this part; false when not all of it is free.
    pub fn claim(&mut self, part: Extent) -> bool {
        let piece = self.before(part.start.saturating_add(1));
        let piece = piece.filter(|piece| part.len > 0 && part.end() <= piece.end());
        if let Some(piece) = piece {
            self.cut(piece, part);
        }
        piece.is_some()
    }

    fn cut(&mut self, piece: Extent, taken: Extent) {
        self.remove(piece);
        if taken.start > piece.start {
            self.insert(piece.start, taken.start - piece.start);
        }
        if taken.end() < piece.end() {
            self.insert(taken.end(), piece.end() - taken.end());
        }
    }

    /// Gives back what was taken, or a part of it.
    pub fn give(&mut self, taken: Extent) {
        debug_assert!(taken.end() <= self.len && !self.overlaps(taken));
        let mut whole = taken;
        if let Some(before) = self.before(taken.start)
            && before.end() == taken.start
        {
            self.remove(before);
            whole.start = before.start;
            whole.len += before.len;
        }
        if let Some(&len) = self.by_place.get(&taken.end()) {
            self.remove(Extent {
                start: taken.end(),
                len,
            });
            whole.len += len;
        }
        self.insert(whole.start, whole.len);
    }

    /// The free pieces, in order of place.
    pub fn iter(&self) -> impl Iterator<Item = Extent> {
        let pieces = self.by_place.iter();
        pieces.map(|(&start, &len)| Extent { start, len })
    }

    fn before(&self, place: u64) -> Option<Extent> {
        let (&start, &len) = self.by_place.range(..place).next_back()?;
        Some(Extent { start, len })
    }

    fn overlaps(&self, part: Extent) -> bool {
        let last = self.before(part.end());
        last.is_some_and(|piece| piece.end() > part.start)
    }

    fn insert(&mut self, start: u64, len: u64) {
        self.by_place.insert(start, len);
        self.free += len;
        for (class, fits) in self.by_room.iter_mut().enumerate() {
            if let Some(room) = room(Extent { start, len }, class) {
                fits.insert((room, start));
            }
        }
    }

    fn remove(&mut self, piece: Extent) {
        self.by_place.remove(&piece.start);
        self.free -= piece.len;
        for (class, fits) in self.by_room.iter_mut().enumerate() {
            if let Some(room) = room(piece, class) {
                fits.remove(&(room, piece.start));
            }
        }
    }
}

/// The power of an alignment.
fn class(align: u64) -> Option<usize> {
    align
        .is_power_of_two()
        .then(|| align.trailing_zeros() as usize)
}

/// The pages from the first that is aligned to 2ᶜˡᵃˢˢ pages to the end, if there are any.
fn room(piece: Extent, class: usize) -> Option<u64> {
    let first = piece.start.next_multiple_of(1 << class);
    piece.end().checked_sub(first).filter(|&room| room > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const PAGES: u64 = 4096;
    const COARSEST: u64 = 512;

    fn check(space: &Space, used: &[Extent]) {
        let free: Vec<_> = space.iter().collect();
        for pair in free.windows(2) {
            assert!(pair[0].end() < pair[1].start, "not coalesced: {pair:?}");
        }
        let mut all: Vec<_> = free.iter().chain(used).copied().collect();
        all.sort();
        let mut end = 0;
        for part in all {
            assert_eq!(part.start, end, "an overlap or a hole at {part:?}");
            end = part.end();
        }
        assert_eq!(end, PAGES);
        assert_eq!(space.free(), free.iter().map(|piece| piece.len).sum());
        for align in [1, 2, 16, COARSEST] {
            let rooms = free.iter().filter_map(|&piece| room(piece, class(align)?));
            assert_eq!(space.largest(align), rooms.max().unwrap_or(0));
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Take { len: u64, align: u64 },
        Claim(Extent),
        Give { which: prop::sample::Index },
    }

    fn op() -> impl Strategy<Value = Op> {
        let len = prop_oneof![1..64u64, 1..=1024u64, Just(COARSEST)];
        let take = (len, 0..=9u32).prop_map(|(len, power)| Op::Take {
            len,
            align: 1 << power,
        });
        let give = any::<prop::sample::Index>().prop_map(|which| Op::Give { which });
        let part = (0..PAGES, 1..64u64).prop_map(|(start, len)| {
            Op::Claim(Extent {
                start,
                len: len.min(PAGES - start),
            })
        });
        prop_oneof![3 => take, 1 => part, 2 => give]
    }

    proptest! {
        #[test]
        fn pieces_never_overlap_and_always_join(ops in vec(op(), 1..200)) {
            let (mut space, mut again) = (Space::new(PAGES, COARSEST), Space::new(PAGES, COARSEST));
            let mut used: Vec<Extent> = Vec::new();
            for op in &ops {
                match *op {
                    Op::Take { len, align } => {
                        let fits = space.largest(align) >= len;
                        let taken = space.take(len, align);
                        prop_assert_eq!(taken.is_some(), fits, "what fits is found");
                        prop_assert_eq!(again.take(len, align), taken, "the same place");
                        if let Some(taken) = taken {
                            prop_assert_eq!(taken.len, len);
                            prop_assert!(taken.start.is_multiple_of(align));
                            used.push(taken);
                        }
                    }
                    Op::Claim(part) => {
                        let apart = |used: &Extent| {
                            part.end() <= used.start || used.end() <= part.start
                        };
                        let free = used.iter().all(apart);
                        prop_assert_eq!(space.claim(part), free, "what is free can be had");
                        prop_assert_eq!(again.claim(part), free);
                        used.extend(free.then_some(part));
                    }
                    Op::Give { ref which } if !used.is_empty() => {
                        let taken = used.swap_remove(which.index(used.len()));
                        space.give(taken);
                        again.give(taken);
                    }
                    Op::Give { .. } => {}
                }
                check(&space, &used);
            }
            for taken in used {
                space.give(taken);
            }
            check(&space, &[]);
            prop_assert_eq!((space.pieces(), space.fragmentation()), (1, 0.0));
        }
    }

    #[test]
    fn the_tightest_piece_is_taken() {
        let mut space = Space::new(100, 1);
        let parts: Vec<_> = [10, 5, 20, 5, 60]
            .into_iter()
            .filter_map(|len| space.take(len, 1))
            .collect();
        assert_eq!((parts.len(), space.free(), space.take(1, 1)), (5, 0, None));
        space.give(parts[0]);
        space.give(parts[2]);
        assert_eq!(space.take(9, 1).map(|taken| taken.start), Some(0));
        assert_eq!(space.take(9, 1).map(|taken| taken.start), Some(15));
        assert_eq!((space.free(), space.largest(1)), (12, 11));
        assert!(space.fragmentation() > 0.08 && space.fragmentation() < 0.09);
    }

    #[test]
    fn nothing_comes_of_nonsense() {
        let mut space = Space::new(10, 4);
        assert_eq!(space.take(0, 1), None);
        assert_eq!(space.take(1, 0), None);
        assert_eq!(space.take(1, 3), None);
        assert_eq!(space.take(1, 8), None);
        assert_eq!(space.take(11, 1), None);
        assert!(!space.claim(Extent { start: 3, len: 0 }));
        assert!(!space.claim(Extent { start: 9, len: 2 }));
        assert_eq!(space.free(), 10);
        assert_eq!(Space::new(0, 1).take(1, 1), None);
    }
}
