//! Parameter sets by lot.

use super::bits::{Bits, Lot};

/// What of the parameter sets slices depend on.
#[derive(Clone, Debug, Default)]
pub(super) struct Sets {
    pub(super) lsb_bits: u32,
    pub(super) depth: u32,
    pub(super) log2_diff: u32,
    pub(super) init_qp: i32,
    pub(super) ctbs: (u32, u32),
    pub(super) kept: u32,
    pub(super) chroma: u32,
    pub(super) separate: bool,
    pub(super) sao: bool,
    pub(super) short_term: Vec<Vec<(i32, bool)>>,
    pub(super) long_term: Option<Vec<(u32, bool)>>,
    pub(super) temporal_mvp: bool,
    pub(super) fields: bool,
    pub(super) dependent: bool,
    pub(super) output_flag: bool,
    pub(super) extra_bits: u32,
    pub(super) cabac_init: bool,
    pub(super) defaults: [u32; 2],
    pub(super) chroma_offsets: bool,
    pub(super) weighted: [bool; 2],
    pub(super) points: bool,
    pub(super) tiles: (u32, u32),
    pub(super) sync: bool,
    pub(super) across: bool,
    pub(super) override_deblocking: bool,
    pub(super) no_deblocking: bool,
    pub(super) lists: bool,
    pub(super) extension: bool,
}

pub(super) fn profile(bits: &mut Bits, sub_layers_minus1: u32) {
    bits.u(8, 4);
    bits.u(32, 0x0800_0000);
    bits.u(4, 0b1001);
    bits.u(32, 0);
    bits.u(12, 0);
    bits.u(8, 186);
    if sub_layers_minus1 > 0 {
        for _ in 0..sub_layers_minus1 {
            bits.u(2, 0b11);
        }
        bits.u(2 * (8 - sub_layers_minus1), 0);
        for _ in 0..sub_layers_minus1 {
            bits.u(32, 0x0400_0000);
            bits.u(32, 0);
            bits.u(24, 0);
            bits.u(8, 93);
        }
    }
}

fn scaling_lists(bits: &mut Bits, lot: &mut Lot) {
    for size in 0..4 {
        for matrix in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag(lot.flag()) {
                // By the trace's count, as the first edition had it: to 0 or 1 the same.
                bits.ue(lot.below(1 + matrix.min(if size == 3 { 1 } else { 5 })));
                continue;
            }
            let mut last = 8;
            if size > 1 {
                last = lot.from(1, 255);
                bits.se(last - 8);
            }
            for _ in 0..if size == 0 { 16 } else { 64 } {
                let next = lot.from(1, 255);
                let delta = (next - last + 128).rem_euclid(256) - 128;
                bits.se(delta);
                last = next;
            }
        }
    }
}

impl Sets {
    pub(super) fn write(lot: &mut Lot, stream: &mut Vec<u8>) -> Self {
        let mut sets = Self::default();
        sets.write_sps(lot, stream);
        sets.write_pps(lot, stream);
        sets
    }

    fn write_sps(&mut self, lot: &mut Lot, stream: &mut Vec<u8>) {
        let mut bits = Bits::nal(33, 1);
        bits.u(4, 0);
        let sub_layers_minus1 = lot.below(3);
        bits.u(3, sub_layers_minus1);
        bits.flag(true);
        profile(&mut bits, sub_layers_minus1);
        bits.ue(lot.below(1));
        self.chroma = bits.ue(lot.below(4));
        self.separate = self.chroma == 3 && bits.flag(lot.flag());
        let log2_cb = 3 + lot.below(2);
        let log2_ctb = (log2_cb + lot.below(3)).clamp(4, 6);
        let side = |lot: &mut Lot| (1 + lot.below(40)) << log2_cb;
        let (width, height) = (side(lot), side(lot));
        self.ctbs = (
            width.div_ceil(1 << log2_ctb),
            height.div_ceil(1 << log2_ctb),
        );
        bits.ue(width);
        bits.ue(height);
        if bits.flag(lot.flag()) {
            for _ in 0..4 {
                bits.ue(lot.below(2));
            }
        }
        // Both the same: the trace's parser knows no others.
        self.depth = [8, 9, 10, 12][lot.below(4) as usize];
        bits.ue(self.depth - 8);
        bits.ue(self.depth - 8);
        self.lsb_bits = 4 + bits.ue(lot.below(6));
        let each = bits.flag(lot.flag());
        for at in 0..=if each { sub_layers_minus1 } else { 0 } {
            self.kept = bits.ue(4 + at + lot.below(8));
            bits.ue(lot.below(3));
            bits.ue(lot.below(4));
        }
        bits.ue(log2_cb - 3);
        self.log2_diff = bits.ue(log2_ctb - log2_cb);
        bits.ue(log2_cb - 3);
        bits.ue(lot.below(log2_ctb.min(5) - log2_cb + 2));
        bits.ue(lot.below(2));
        bits.ue(lot.below(2));
        if bits.flag(lot.flag()) && bits.flag(lot.flag()) {
            scaling_lists(&mut bits, lot);
        }
        bits.flag(lot.flag());
        self.sao = bits.flag(lot.flag());
        if bits.flag(lot.flag()) {
            bits.u(4, lot.below(8));
            bits.u(4, lot.below(8));
            bits.ue(log2_cb - 3);
            bits.ue(lot.below(log2_ctb.min(5) - log2_cb + 1));
            bits.flag(lot.flag());
        }
        self.write_sets(&mut bits, lot);
        self.temporal_mvp = bits.flag(lot.flag());
        bits.flag(lot.flag());
        self.write_vui(&mut bits, lot);
        if bits.flag(lot.flag()) {
            let range = bits.flag(lot.flag());
            bits.u(7, 0);
            if range {
                bits.u(9, 0);
            }
        }
        bits.write(&[], stream);
    }

    fn write_vui(&mut self, bits: &mut Bits, lot: &mut Lot) {
        if !bits.flag(lot.flag()) {
            return;
        }
        if bits.flag(lot.flag()) {
            let square = lot.flag();
            bits.u(8, if square { 1 } else { 255 });
            bits.u(if square { 0 } else { 32 }, 0x0003_0002);
        }
        if bits.flag(lot.flag()) {
            bits.flag(lot.flag());
        }
        if bits.flag(lot.flag()) {
            bits.u(4, lot.below(12));
            if bits.flag(lot.flag()) {
                bits.u(24, 0x01_0101);
            }
        }
        if bits.flag(lot.flag()) {
            bits.ue(lot.below(6));
            bits.ue(lot.below(6));
        }
        bits.flag(lot.flag());
        bits.flag(lot.flag());
        self.fields = bits.flag(lot.flag());
        if bits.flag(lot.flag()) {
            for _ in 0..4 {
                bits.ue(lot.below(3));
            }
        }
        if bits.flag(lot.flag()) {
            bits.u(32, 1000);
            bits.u(32, 25_000);
            if bits.flag(lot.flag()) {
                bits.ue(lot.below(5));
            }
            bits.flag(false);
        }
        if bits.flag(lot.flag()) {
            bits.u(3, lot.below(8));
            for _ in 0..5 {
                bits.ue(lot.below(10));
            }
        }
    }

    fn write_sets(&mut self, bits: &mut Bits, lot: &mut Lot) {
        let count = bits.ue(lot.below(6));
        for _ in 0..count {
            let pictures = self.kept.min(4);
            let set = write_set(bits, lot, &self.short_term, false, (12, |_| true), |lot| {
                let mut set = Vec::new();
                for at in 0..lot.below(pictures + 1) {
                    let near = 1 + at as i32 * 2 + lot.below(2) as i32;
                    set.push((if lot.flag() { near } else { -near }, lot.flag()));
                }
                set
            });
            self.short_term.push(set);
        }
        if bits.flag(lot.flag()) {
            let count = bits.ue(lot.below(5));
            let mut candidates = Vec::new();
            for _ in 0..count {
                let lsb = lot.below(1 << self.lsb_bits);
                bits.u(self.lsb_bits, lsb);
                candidates.push((lsb, bits.flag(lot.flag())));
            }
            self.long_term = Some(candidates);
        }
    }

    fn write_pps(&mut self, lot: &mut Lot, stream: &mut Vec<u8>) {
        let mut bits = Bits::nal(34, 1);
        bits.ue(0);
        bits.ue(0);
        self.dependent = bits.flag(lot.flag());
        self.output_flag = bits.flag(lot.flag());
        self.extra_bits = lot.below(3);
        bits.u(3, self.extra_bits);
        bits.flag(lot.flag());
        self.cabac_init = bits.flag(lot.flag());
        self.defaults = [bits.ue(lot.below(4)), bits.ue(lot.below(4))];
        self.init_qp = lot.from(-6 * (self.depth as i32 - 8), 51);
        bits.se(self.init_qp - 26);
        bits.flag(lot.flag());
        bits.flag(lot.flag());
        if bits.flag(lot.flag()) {
            bits.ue(lot.below(self.log2_diff + 1));
        }
        bits.se(lot.from(-12, 12));
        bits.se(lot.from(-12, 12));
        self.chroma_offsets = bits.flag(lot.flag());
        self.weighted = [bits.flag(lot.flag()), bits.flag(lot.flag())];
        bits.flag(lot.flag());
        let tiles = self.ctbs.0 * self.ctbs.1 > 1 && lot.flag();
        bits.flag(tiles);
        self.sync = bits.flag(lot.flag());
        self.tiles = (1, 1);
        if tiles {
            self.write_tiles(&mut bits, lot);
        }
        self.points = tiles || self.sync;
        self.across = bits.flag(lot.flag());
        if bits.flag(lot.flag()) {
            self.override_deblocking = bits.flag(lot.flag());
            self.no_deblocking = bits.flag(lot.flag());
            if !self.no_deblocking {
                bits.se(lot.from(-6, 6));
                bits.se(lot.from(-6, 6));
            }
        }
        if bits.flag(lot.below(4) == 0) {
            scaling_lists(&mut bits, lot);
        }
        self.lists = bits.flag(lot.flag());
        bits.ue(lot.below(3));
        self.extension = bits.flag(lot.flag());
        bits.flag(false);
        bits.write(&[], stream);
    }

    fn write_tiles(&mut self, bits: &mut Bits, lot: &mut Lot) {
        let count = |lot: &mut Lot, ctbs: u32, most: u32| 1 + lot.below(ctbs.min(most));
        self.tiles = (count(lot, self.ctbs.0, 20), count(lot, self.ctbs.1, 22));
        if self.tiles == (1, 1) {
            self.tiles = if self.ctbs.0 > 1 { (2, 1) } else { (1, 2) };
        }
        bits.ue(self.tiles.0 - 1);
        bits.ue(self.tiles.1 - 1);
        if !bits.flag(lot.flag()) {
            for (count, whole) in [(self.tiles.0, self.ctbs.0), (self.tiles.1, self.ctbs.1)] {
                let mut left = whole;
                for at in 1..count {
                    let size = 1 + lot.below(left - (count - at));
                    bits.ue(size - 1);
                    left -= size;
                }
            }
        }
        bits.flag(lot.flag());
    }
}

/// Writes a set that a function draws, or one that is told by its difference from one before: then
/// the current picture uses those that it may, and there are at most so many. That of a slice
/// header may be told by any.
pub(super) fn write_set(
    bits: &mut Bits,
    lot: &mut Lot,
    before: &[Vec<(i32, bool)>],
    of_slice: bool,
    (most, may_use): (usize, impl Fn(i32) -> bool),
    draw: impl FnOnce(&mut Lot) -> Vec<(i32, bool)>,
) -> Vec<(i32, bool)> {
    let count = before.len() as u32;
    let back = 1 + if of_slice && count > 0 {
        lot.below(count)
    } else {
        0
    };
    let from = before
        .iter()
        .nth_back(back as usize - 1)
        .filter(|_| lot.flag());
    if !before.is_empty() {
        bits.flag(from.is_some());
    }
    let ordered = |mut set: Vec<(i32, bool)>| {
        set.sort_by_key(|(delta, _)| (*delta > 0, delta.abs()));
        set.dedup_by_key(|(delta, _)| *delta);
        set
    };
    let Some(from) = from else {
        let set = ordered(draw(lot));
        let negative = set.iter().filter(|(delta, _)| *delta < 0).count();
        bits.ue(negative as u32);
        bits.ue((set.len() - negative) as u32);
        for part in [&set[..negative], &set[negative..]] {
            let mut last = 0;
            for (delta, used) in part {
                bits.ue(delta.abs_diff(last) - 1);
                bits.flag(*used);
                last = *delta;
            }
        }
        return set;
    };
    if of_slice {
        bits.ue(back - 1);
    }
    let away = lot.below(3) as i32 + 1;
    let negative = bits.flag(lot.flag());
    bits.ue(away as u32 - 1);
    let away = if negative { -away } else { away };
    let mut set = Vec::new();
    for delta in from.iter().map(|(delta, _)| *delta).chain([0]) {
        let room = set.len() < most;
        let used = bits.flag(room && may_use(delta + away) && lot.below(3) > 0);
        let kept = used || bits.flag(room && lot.below(3) == 0);
        if kept && delta + away != 0 {
            set.push((delta + away, used));
        }
    }
    ordered(set)
}
