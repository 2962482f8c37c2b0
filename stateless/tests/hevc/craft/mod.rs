//! Streams that no encoder at hand makes: headers of every kind, with values drawn by lot, and
//! nothing behind them that a picture could be decoded from.

mod bits;
mod sets;
mod slices;

use bits::{Bits, ceil_log2};
use sets::{Sets, profile, write_set};

pub(crate) use bits::Lot;

/// A stream of so many pictures.
pub(crate) fn stream(seed: u64, pictures: u32) -> Vec<u8> {
    let mut lot = Lot::new(seed);
    let mut stream = Vec::new();
    // A video parameter set, which nobody needs here.
    let mut bits = Bits::nal(32, 1);
    bits.u(32, 0x0c01_ffff);
    profile(&mut bits, 0);
    bits.flag(false);
    for value in [5, 2, 0] {
        bits.ue(value);
    }
    bits.u(6, 0);
    bits.ue(0);
    bits.u(2, 0);
    bits.write(&[], &mut stream);
    let mut pictures_of = Pictures {
        sets: Sets::write(&mut lot, &mut stream),
        available: Vec::new(),
        taken: Vec::new(),
        last: 0,
    };
    for nth in 0..pictures {
        pictures_of.write(&mut lot, nth == 0, &mut stream);
    }
    stream
}

/// Pictures of a sequence so far.
struct Pictures {
    sets: Sets,
    /// Order counts of those that are kept for reference, and whether for long.
    available: Vec<(i32, bool)>,
    taken: Vec<i32>,
    last: i32,
}

/// What all slices of a picture say.
struct Head {
    kind: u32,
    bits: Bits,
    used: u32,
    mvp: bool,
}

impl Pictures {
    fn write(&mut self, lot: &mut Lot, first: bool, stream: &mut Vec<u8>) {
        let idr = first || lot.below(12) == 0;
        let cra = !idr && lot.below(10) == 0;
        let kind = if idr {
            19 + lot.below(2)
        } else {
            1 + u32::from(cra) * 20
        };
        if self.sets.fields && lot.flag() {
            let mut bits = Bits::nal(39, 1);
            bits.u(16, 0x0101);
            bits.u(4, lot.below(13));
            // Progressive, no duplicate, and what fills up the byte.
            bits.u(4, 0b0101);
            bits.write(&[], stream);
        }
        let mut head = Head {
            kind,
            bits: Bits::default(),
            used: 0,
            mvp: false,
        };
        if idr {
            self.available.clear();
            self.taken.clear();
            self.last = 0;
        } else {
            self.write_references(lot, &mut head, cra);
        }
        self.available.push((self.last, false));
        self.taken.push(self.last);
        let ctbs = self.sets.ctbs.0 * self.sets.ctbs.1;
        let mut address = 0;
        loop {
            self.write_slice(lot, &head, address, stream);
            address += 1 + lot.below(ctbs);
            if address >= ctbs {
                break;
            }
        }
    }

    /// The order count and both reference picture sets.
    fn write_references(&mut self, lot: &mut Lot, head: &mut Head, cra: bool) {
        let newest = self.taken.iter().copied().max().unwrap();
        let mut poc = newest + 1 + lot.below(2) as i32;
        let back = newest - 1 - lot.below(3) as i32;
        if !cra && back > 0 && !self.taken.contains(&back) && lot.flag() {
            poc = back;
        }
        let sets = &self.sets;
        let max_lsb = 1 << sets.lsb_bits;
        head.bits.u(sets.lsb_bits, poc.rem_euclid(max_lsb) as u32);
        let is_short = |poc: i32| self.available.contains(&(poc, false));
        let fits = |set: &Vec<(i32, bool)>| {
            set.len() as u32 <= sets.kept
                && set
                    .iter()
                    .all(|(delta, used)| !cra && (!used || is_short(poc + delta)))
        };
        let fitting: Vec<usize> = (0..sets.short_term.len())
            .filter(|at| fits(&sets.short_term[*at]))
            .collect();
        let set = if !fitting.is_empty() && lot.flag() {
            head.bits.flag(true);
            let index = fitting[lot.below(fitting.len() as u32) as usize];
            let count = sets.short_term.len() as u32;
            head.bits.u(ceil_log2(count), index as u32);
            sets.short_term[index].clone()
        } else {
            head.bits.flag(false);
            let available = &self.available;
            let may_use = |delta| !cra && is_short(poc + delta);
            let told = (sets.kept as usize, may_use);
            write_set(&mut head.bits, lot, &sets.short_term, true, told, |lot| {
                let mut set = Vec::new();
                for (other, long) in available {
                    if !long && lot.below(4) > 0 && (set.len() as u32) < sets.kept {
                        set.push((other - poc, !cra && lot.below(4) > 0));
                    }
                }
                set
            })
        };
        let mut kept: Vec<(i32, bool)> = Vec::new();
        let room = (sets.kept - set.len() as u32) as usize;
        head.used = set.iter().map(|(_, used)| u32::from(*used)).sum();
        if sets.long_term.is_some() {
            kept = self.write_long_term(lot, head, (poc, cra, room), &set);
        }
        let short = self
            .available
            .iter()
            .filter(|(other, long)| !long && set.iter().any(|(delta, _)| poc + delta == *other));
        kept.extend(short);
        if self.sets.temporal_mvp {
            head.mvp = head.bits.flag(lot.flag());
        }
        self.available = kept;
        self.last = poc;
    }

    fn write_long_term(
        &self,
        lot: &mut Lot,
        head: &mut Head,
        (poc, cra, room): (i32, bool, usize),
        set: &[(i32, bool)],
    ) -> Vec<(i32, bool)> {
        let lsb_bits = self.sets.lsb_bits;
        let max_lsb = 1 << lsb_bits;
        let candidates = self.sets.long_term.clone().unwrap_or_default();
        let mut told: [Vec<(i32, u32, bool)>; 2] = [Vec::new(), Vec::new()];
        let mut kept = Vec::new();
        for (other, _long) in &self.available {
            let short = set.iter().any(|(delta, _)| poc + delta == *other);
            if short || kept.len() >= room || lot.below(3) == 0 {
                continue;
            }
            let lsb = other.rem_euclid(max_lsb) as u32;
            let of_sps = candidates
                .iter()
                .position(|(told, used)| *told == lsb && !(cra && *used));
            match of_sps {
                Some(index) if lot.flag() => {
                    told[0].push((*other, index as u32, candidates[index].1))
                }
                _ => told[1].push((*other, lsb, !cra && lot.flag())),
            }
            kept.push((*other, true));
        }
        if !candidates.is_empty() {
            head.bits.ue(told[0].len() as u32);
        }
        head.bits.ue(told[1].len() as u32);
        for (group, mut entries) in told.into_iter().enumerate() {
            let cycle = |other: i32| (poc.div_euclid(max_lsb) - other.div_euclid(max_lsb)) as u32;
            entries.sort_by_key(|(other, ..)| cycle(*other));
            let mut last = 0;
            for (other, value, used) in entries {
                if group == 0 {
                    head.bits.u(ceil_log2(candidates.len() as u32), value);
                } else {
                    head.bits.u(lsb_bits, value);
                    head.bits.flag(used);
                }
                let same = |kept: &&(i32, bool)| (kept.0 - other).rem_euclid(max_lsb) == 0;
                let several = self.available.iter().filter(same).count() > 1;
                if head.bits.flag(several || lot.flag()) {
                    head.bits.ue(cycle(other) - last);
                    last = cycle(other);
                }
                head.used += u32::from(used);
            }
        }
        kept
    }
}
