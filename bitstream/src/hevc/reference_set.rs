//! Which pictures are kept for reference: `st_ref_pic_set()` (7.3.7, 7.4.8) and long-term
//! pictures.

use super::check;
use crate::bits::BitReader;
use crate::error::StreamError;

/// The most pictures that a set can name: no level has room for more.
pub const MAX_REFERENCES: usize = MOST as usize;

const MOST: u8 = 16;

/// Pictures of a short-term set, by how far they are from the current one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShortTermSet {
    /// `DeltaPocS0`, then `DeltaPocS1`.
    deltas: [i32; MAX_REFERENCES],
    /// `UsedByCurrPicS0`, then `UsedByCurrPicS1`: one bit each.
    used: u32,
    negative: u8,
    positive: u8,
    /// What the stream said, which is not the same as what it means.
    pub syntax: SyntaxOfSet,
}

/// How a set was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyntaxOfSet {
    /// Of one that is told by its difference from another.
    pub prediction: Option<Prediction>,
    /// `delta_poc_s0_minus1`.
    pub delta_poc_s0_minus1: [u16; MAX_REFERENCES],
    /// `delta_poc_s1_minus1`.
    pub delta_poc_s1_minus1: [u16; MAX_REFERENCES],
}

/// How a set differs from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prediction {
    /// `delta_idx_minus1`.
    pub delta_idx_minus1: u8,
    /// `delta_rps_sign`.
    pub delta_rps_sign: bool,
    /// `abs_delta_rps_minus1`.
    pub abs_delta_rps_minus1: u16,
    /// `used_by_curr_pic_flag`, one bit each.
    pub used_by_curr_pic: u32,
    /// `use_delta_flag`, one bit each.
    pub use_delta: u32,
    /// `NumDeltaPocs[RefRpsIdx]`.
    pub reference_num_delta_pocs: u8,
}

impl ShortTermSet {
    /// Pictures that come before the current one: how far, and whether it may use them.
    pub fn negative(&self) -> impl ExactSizeIterator<Item = (i32, bool)> + DoubleEndedIterator {
        self.entries(0, self.negative)
    }

    /// Pictures that come after the current one.
    pub fn positive(&self) -> impl ExactSizeIterator<Item = (i32, bool)> + DoubleEndedIterator {
        self.entries(self.negative, self.positive)
    }

    fn entries(
        &self,
        begin: u8,
        count: u8,
    ) -> impl ExactSizeIterator<Item = (i32, bool)> + DoubleEndedIterator {
        let begin = usize::from(begin);
        let deltas = self.deltas.get(begin..begin + usize::from(count));
        let used = self.used >> begin;
        let deltas = deltas.unwrap_or_default().iter().enumerate();
        deltas.map(move |(at, delta)| (*delta, used >> at & 1 == 1))
    }

    /// `NumNegativePics`.
    #[must_use]
    pub const fn num_negative_pics(&self) -> u8 {
        self.negative
    }

    /// `NumPositivePics`.
    #[must_use]
    pub const fn num_positive_pics(&self) -> u8 {
        self.positive
    }

    /// `NumDeltaPocs`.
    #[must_use]
    pub const fn num_delta_pocs(&self) -> u8 {
        self.negative + self.positive
    }

    /// `UsedByCurrPicS0`, then `UsedByCurrPicS1`: one bit each.
    #[must_use]
    pub const fn used(&self) -> u32 {
        self.used
    }

    /// How many of them the current picture may use.
    #[must_use]
    pub const fn num_used(&self) -> u32 {
        self.used.count_ones()
    }

    /// Reads the set that follows those of a sequence parameter set in `before`, of `total` in
    /// there. One of a slice header is the one after the last.
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        before: &[Self],
        total: usize,
    ) -> Result<Self, StreamError> {
        let index = before.len();
        if index != 0 && bits.flag("inter_ref_pic_set_prediction_flag")? {
            let mut delta_idx_minus1 = 0;
            if index == total {
                let most = u8::try_from(index - 1).unwrap_or(u8::MAX);
                delta_idx_minus1 = check::ue8(bits, most, "delta_idx_minus1")?;
            }
            let from = before.get(index - 1 - usize::from(delta_idx_minus1));
            let from = from.copied().unwrap_or_default();
            return Self::read_predicted(bits, &from, delta_idx_minus1);
        }
        Self::read_explicit(bits)
    }

    fn read_explicit(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let mut set = Self::default();
        let negative = check::ue8(bits, MOST, "num_negative_pics")?;
        let positive = check::ue8(bits, MOST - negative, "num_positive_pics")?;
        let mut syntax = SyntaxOfSet::default();
        let mut delta = 0;
        for minus1 in syntax.delta_poc_s0_minus1.iter_mut().take(negative.into()) {
            *minus1 = check::ue16(bits, 0x7fff, "delta_poc_s0_minus1")?;
            delta -= i32::from(*minus1) + 1;
            let used = bits.flag("used_by_curr_pic_s0_flag")?;
            set.push(delta, used);
        }
        set.turn();
        delta = 0;
        for minus1 in syntax.delta_poc_s1_minus1.iter_mut().take(positive.into()) {
            *minus1 = check::ue16(bits, 0x7fff, "delta_poc_s1_minus1")?;
            delta += i32::from(*minus1) + 1;
            let used = bits.flag("used_by_curr_pic_s1_flag")?;
            set.push(delta, used);
        }
        set.syntax = syntax;
        Ok(set)
    }

    /// Formulas 7-59 to 7-62.
    fn read_predicted(
        bits: &mut BitReader<'_>,
        from: &Self,
        delta_idx_minus1: u8,
    ) -> Result<Self, StreamError> {
        let begin = bits.position();
        let mut how = Prediction {
            delta_idx_minus1,
            delta_rps_sign: bits.flag("delta_rps_sign")?,
            abs_delta_rps_minus1: check::ue16(bits, 0x7fff, "abs_delta_rps_minus1")?,
            reference_num_delta_pocs: from.num_delta_pocs(),
            ..Prediction::default()
        };
        let distance = i32::from(how.abs_delta_rps_minus1) + 1;
        let delta_rps = if how.delta_rps_sign {
            -distance
        } else {
            distance
        };
        for at in 0..=how.reference_num_delta_pocs {
            let used = bits.flag("used_by_curr_pic_flag")?;
            how.used_by_curr_pic |= u32::from(used) << at;
            let kept = used || bits.flag("use_delta_flag")?;
            how.use_delta |= u32::from(kept) << at;
        }
        // From the farthest before to the farthest after, the predicted-from picture between them.
        let (negative, total) = (from.negative, how.reference_num_delta_pocs);
        let in_order = (0..negative).rev().chain(total..=total);
        let in_order = in_order.chain(negative..total);
        let moved = |at: u8| {
            let delta = from.deltas.get(usize::from(at)).filter(|_delta| at < total);
            (delta.copied().unwrap_or(0) + delta_rps, at)
        };
        let mut full = false;
        let mut set = Self::default();
        let mut keep = |set: &mut Self, (delta, at): (i32, u8)| {
            if how.use_delta >> at & 1 == 1 {
                full |= !set.push(delta, how.used_by_curr_pic >> at & 1 == 1);
            }
        };
        let before = in_order.clone().rev().map(moved);
        before
            .filter(|moved| moved.0 < 0)
            .for_each(|moved| keep(&mut set, moved));
        set.turn();
        let after = in_order.map(moved).filter(|moved| moved.0 > 0);
        after.for_each(|moved| keep(&mut set, moved));
        if full {
            let found = i64::from(from.num_delta_pocs()) + 1;
            return Err(check::refuse(begin, "st_ref_pic_set: NumDeltaPocs", found));
        }
        set.syntax.prediction = Some(how);
        Ok(set)
    }

    /// What was added so far comes before the current picture.
    const fn turn(&mut self) {
        self.negative = self.positive;
        self.positive = 0;
    }

    /// Adds one; not when it is full.
    fn push(&mut self, delta: i32, used: bool) -> bool {
        let at = self.num_delta_pocs();
        let Some(place) = self.deltas.get_mut(usize::from(at)) else {
            return false;
        };
        *place = delta;
        self.used |= u32::from(used) << at;
        self.positive += 1;
        true
    }
}

/// Long-term pictures that a slice names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LongTermSet {
    entries: [LongTerm; MAX_REFERENCES],
    count: u8,
}

/// One long-term picture that a slice names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LongTerm {
    poc_lsb: u16,
    used: bool,
    /// `DeltaPocMsbCycleLt`, where it is there.
    msb_cycle: Option<u32>,
}

impl LongTermSet {
    /// Each picture: `PocLsbLt`, `UsedByCurrPicLt`, and `DeltaPocMsbCycleLt` where it is told.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (u16, bool, Option<u32>)> {
        let entries = self.entries.get(..usize::from(self.count));
        let entries = entries.unwrap_or_default().iter();
        entries.map(|entry| (entry.poc_lsb, entry.used, entry.msb_cycle))
    }

    /// How many of them the current picture may use.
    #[must_use]
    pub fn num_used(&self) -> u32 {
        self.entries()
            .map(|(_lsb, used, _msb)| u32::from(used))
            .sum()
    }

    /// Reads the long-term part of a slice header; `candidates` are those of the sequence
    /// parameter set, and `lsb_bits` those that an order count takes.
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        candidates: &[(u16, bool)],
        lsb_bits: u32,
    ) -> Result<Self, StreamError> {
        let known = u8::try_from(candidates.len()).unwrap_or(u8::MAX);
        let mut from_sps = 0;
        if known > 0 {
            from_sps = check::ue8(bits, MOST.min(known), "num_long_term_sps")?;
        }
        let count = from_sps + check::ue8(bits, MOST - from_sps, "num_long_term_pics")?;
        let mut set = Self {
            count,
            ..Self::default()
        };
        let mut cycle: u32 = 0;
        for (at, entry) in (0..count).zip(&mut set.entries) {
            if at < from_sps {
                let begin = bits.position();
                let index = bits.bits(check::ceil_log2(known.into()), "lt_idx_sps")?;
                let candidate = candidates.get(index as usize);
                let candidate = candidate.ok_or_else(|| check::refuse(begin, "lt_idx_sps", index));
                (entry.poc_lsb, entry.used) = *candidate?;
            } else {
                entry.poc_lsb = check::u16(bits, lsb_bits, "poc_lsb_lt")?;
                entry.used = bits.flag("used_by_curr_pic_lt_flag")?;
            }
            // Formula 7-52: each adds to the one before, of those from the same place.
            if at == 0 || at == from_sps {
                cycle = 0;
            }
            if bits.flag("delta_poc_msb_present_flag")? {
                let more = bits.ue("delta_poc_msb_cycle_lt")?;
                cycle = cycle.wrapping_add(more);
                entry.msb_cycle = Some(cycle);
            }
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hevc::check::written;

    type Listed = Vec<(i32, bool)>;

    fn listed(set: &ShortTermSet) -> (Listed, Listed) {
        (set.negative().collect(), set.positive().collect())
    }

    #[test]
    fn a_set_is_told_in_full_or_by_its_difference() {
        // 2 before (-1 used, -3 not), 1 after (+2 used).
        let full = written("011 010 1 1 010 0 010 1");
        let first = ShortTermSet::read(&mut BitReader::new(&full), &[], 2).unwrap();
        assert_eq!(
            listed(&first),
            (vec![(-1, true), (-3, false)], vec![(2, true)])
        );
        assert_eq!(
            (first.num_delta_pocs(), first.num_used(), first.used()),
            (3, 2, 0b101)
        );
        assert_eq!(first.syntax.delta_poc_s0_minus1[..3], [0, 1, 0]);

        // From the one before, moved by -2: -3 used, -5 left out, 0 is itself, -2 unused.
        let bits = written("1 1 010 1 0 0 1 0 1 00000");
        let second = ShortTermSet::read(&mut BitReader::new(&bits), &[first], 2).unwrap();
        assert_eq!(listed(&second), (vec![(-2, false), (-3, true)], vec![]));
        let how = second.syntax.prediction.unwrap();
        assert_eq!((how.delta_rps_sign, how.abs_delta_rps_minus1), (true, 1));
        assert_eq!((how.used_by_curr_pic, how.use_delta), (0b101, 0b1101));
        assert_eq!(how.reference_num_delta_pocs, 3);

        // From the same in a slice header, moved by +1: the one before is next to nothing.
        let bits = written("1 010 0 1 1 1 1 1 000000");
        let third = ShortTermSet::read(&mut BitReader::new(&bits), &[first, second], 2).unwrap();
        assert_eq!(
            listed(&third),
            (vec![(-2, true)], vec![(1, true), (3, true)])
        );
        assert_eq!(third.syntax.prediction.unwrap().delta_idx_minus1, 1);
    }

    #[test]
    fn sets_that_are_too_large_are_refused() {
        // 17 before.
        let bits = written("0000 1001 0000 0000");
        assert!(ShortTermSet::read(&mut BitReader::new(&bits), &[], 0).is_err());
        // All of 16 and one more.
        let mut full = ShortTermSet::default();
        for delta in 1..=16 {
            assert!(full.push(-delta, true));
        }
        assert!(!full.push(-17, true));
        full.turn();
        let bits = written("1 1 1 11111 11111111 11111111");
        assert!(ShortTermSet::read(&mut BitReader::new(&bits), &[full], 2).is_err());
    }

    #[test]
    fn long_term_pictures_come_from_the_parameter_set_or_are_told() {
        // One of two candidates (the second), two told: lsb 5 used, lsb 9 unused with cycles 1 and 2.
        let bits = written("010 011 1 0 0101 1 1 01 0 1001 0 1 0 11 000000");
        let mut bits = BitReader::new(&bits);
        let set = LongTermSet::read(&mut bits, &[(3, true), (7, false)], 4).unwrap();
        let entries: Vec<_> = set.entries().collect();
        assert_eq!(
            entries,
            [(7, false, None), (5, true, Some(1)), (9, false, Some(3))]
        );
        assert_eq!((set.num_used(), bits.position()), (1, 26));
    }
}
