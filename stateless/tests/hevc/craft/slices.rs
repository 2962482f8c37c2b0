//! Slice segments by lot.

use super::bits::{Bits, Lot, ceil_log2};
use super::{Head, Pictures};

impl Pictures {
    pub(super) fn write_slice(
        &self,
        lot: &mut Lot,
        head: &Head,
        address: u32,
        stream: &mut Vec<u8>,
    ) {
        let sets = &self.sets;
        let mut bits = Bits::nal(head.kind, 1);
        bits.flag(address == 0);
        if head.kind >= 16 {
            bits.flag(false);
        }
        bits.ue(0);
        let mut dependent = false;
        if address > 0 {
            dependent = sets.dependent && bits.flag(lot.flag());
            bits.u(ceil_log2(sets.ctbs.0 * sets.ctbs.1), address);
        }
        if !dependent {
            self.write_independent(&mut bits, lot, head);
        }
        if sets.points {
            let most = match (sets.tiles, sets.sync) {
                ((1, 1), _) => sets.ctbs.1,
                ((across, down), false) => across * down,
                ((across, _), true) => across * sets.ctbs.1,
            };
            let count = bits.ue(lot.below(most));
            if count > 0 {
                let len = 1 + bits.ue(lot.below(20));
                for _ in 0..count {
                    bits.u(len, lot.below(1 << len));
                }
            }
        }
        if sets.extension {
            let bytes = bits.ue(lot.below(4));
            bits.u(8 * bytes, 0);
        }
        let payload: Vec<u8> = (0..8 + lot.below(40))
            .map(|_| lot.below(255) as u8 + 1)
            .collect();
        bits.write(&payload, stream);
    }

    fn write_independent(&self, bits: &mut Bits, lot: &mut Lot, head: &Head) {
        let sets = &self.sets;
        bits.u(sets.extra_bits, lot.below(1 << sets.extra_bits));
        let kind = if head.kind >= 16 || head.used == 0 {
            2
        } else {
            lot.below(3)
        };
        bits.ue(kind);
        if sets.output_flag {
            bits.flag(true);
        }
        if sets.separate {
            bits.u(2, lot.below(3));
        }
        bits.bits.extend(&head.bits.bits);
        let chroma = sets.chroma != 0 && !sets.separate;
        let mut filtered = false;
        if sets.sao {
            filtered = bits.flag(lot.flag());
            filtered |= chroma && bits.flag(lot.flag());
        }
        if kind < 2 {
            self.write_inter(bits, lot, head, kind);
        }
        let least = -6 * (sets.depth as i32 - 8) - sets.init_qp;
        bits.se(lot.from(least, 51 - sets.init_qp));
        if sets.chroma_offsets {
            bits.se(lot.from(-12, 12));
            bits.se(lot.from(-12, 12));
        }
        let mut disabled = sets.no_deblocking;
        if sets.override_deblocking && bits.flag(lot.flag()) {
            disabled = bits.flag(lot.flag());
            if !disabled {
                bits.se(lot.from(-6, 6));
                bits.se(lot.from(-6, 6));
            }
        }
        if sets.across && (filtered || !disabled) {
            bits.flag(lot.flag());
        }
    }

    fn write_inter(&self, bits: &mut Bits, lot: &mut Lot, head: &Head, kind: u32) {
        let sets = &self.sets;
        let lists = if kind == 0 { 2 } else { 1 };
        let mut active = sets.defaults;
        if bits.flag(lot.flag()) {
            for active in &mut active[..lists] {
                *active = bits.ue(lot.below(6));
            }
        }
        if sets.lists && head.used > 1 {
            for active in &active[..lists] {
                if bits.flag(lot.flag()) {
                    for _ in 0..=*active {
                        bits.u(ceil_log2(head.used), lot.below(head.used));
                    }
                }
            }
        }
        if kind == 0 {
            bits.flag(lot.flag());
        }
        if sets.cabac_init {
            bits.flag(lot.flag());
        }
        if head.mvp {
            let first = kind == 1 || bits.flag(lot.flag());
            let most = active[usize::from(!first)];
            if most > 0 {
                bits.ue(lot.below(most + 1));
            }
        }
        if sets.weighted[usize::from(kind == 0)] {
            let chroma = sets.chroma != 0 && !sets.separate;
            let denom = bits.ue(lot.below(8)) as i32;
            if chroma {
                bits.se(lot.from(-denom, 7 - denom));
            }
            for active in &active[..lists] {
                let count = *active as usize + 1;
                let luma: Vec<bool> = (0..count).map(|_| bits.flag(lot.flag())).collect();
                let both = (0..count).map(|_| chroma && bits.flag(lot.flag()));
                let both: Vec<bool> = both.collect();
                for (luma, chroma) in luma.into_iter().zip(both) {
                    if luma {
                        bits.se(lot.from(-128, 127));
                        bits.se(lot.from(-128, 127));
                    }
                    for _ in 0..if chroma { 2 } else { 0 } {
                        bits.se(lot.from(-128, 127));
                        bits.se(lot.from(-512, 511));
                    }
                }
            }
        }
        bits.ue(lot.below(5));
    }
}
