//! Streams that no encoder at hand makes: headers of every kind, with values drawn by lot, and
//! nothing behind them that a picture could be decoded from.

/// Numbers by lot, the same for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Lot(u64);

impl Lot {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One below `count`.
    pub(crate) fn below(&mut self, count: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (((self.0 >> 32) * u64::from(count)) >> 32) as u32
    }

    fn from(&mut self, least: i32, most: i32) -> i32 {
        least + self.below((most - least + 1) as u32) as i32
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 1
    }
}

/// Bits of a NAL unit.
#[derive(Default)]
struct Bits {
    bits: Vec<bool>,
}

impl Bits {
    fn nal(unit_type: u32, temporal_id_plus1: u32) -> Self {
        let mut bits = Self::default();
        bits.u(7, unit_type);
        bits.u(6, 0);
        bits.u(3, temporal_id_plus1);
        bits
    }

    fn u(&mut self, count: u32, value: u32) {
        self.bits
            .extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    }

    fn flag(&mut self, value: bool) -> bool {
        self.bits.push(value);
        value
    }

    fn ue(&mut self, value: u32) -> u32 {
        let len = (value + 1).ilog2();
        self.u(len, 0);
        self.u(len + 1, value + 1);
        value
    }

    fn se(&mut self, value: i32) {
        self.ue(if value > 0 { 2 * value - 1 } else { -2 * value } as u32);
    }

    /// The stop bit, and the start code and the bytes that keep others out.
    fn write(mut self, payload: &[u8], stream: &mut Vec<u8>) {
        self.bits.push(true);
        while !self.bits.len().is_multiple_of(8) {
            self.bits.push(false);
        }
        let of_byte = |byte: &[bool]| {
            byte.iter()
                .fold(0, |value, bit| value << 1 | u8::from(*bit))
        };
        let bytes = self
            .bits
            .chunks(8)
            .map(of_byte)
            .chain(payload.iter().copied());
        stream.extend([0, 0, 1]);
        let mut zeros = 0;
        for byte in bytes {
            if zeros == 2 && byte <= 3 {
                stream.push(3);
                zeros = 0;
            }
            stream.push(byte);
            zeros = if byte == 0 { zeros + 1 } else { 0 };
        }
    }
}

const fn ceil_log2(count: u32) -> u32 {
    if count < 2 {
        0
    } else {
        (count - 1).ilog2() + 1
    }
}

/// What of the parameter sets slices depend on.
#[derive(Clone, Debug, Default)]
struct Sets {
    lsb_bits: u32,
    depth: u32,
    log2_diff: u32,
    init_qp: i32,
    ctbs: (u32, u32),
    kept: u32,
    chroma: u32,
    separate: bool,
    sao: bool,
    short_term: Vec<Vec<(i32, bool)>>,
    long_term: Option<Vec<(u32, bool)>>,
    temporal_mvp: bool,
    fields: bool,
    dependent: bool,
    output_flag: bool,
    extra_bits: u32,
    cabac_init: bool,
    defaults: [u32; 2],
    chroma_offsets: bool,
    weighted: [bool; 2],
    points: bool,
    tiles: (u32, u32),
    sync: bool,
    across: bool,
    override_deblocking: bool,
    no_deblocking: bool,
    lists: bool,
    extension: bool,
}

fn profile(bits: &mut Bits, sub_layers_minus1: u32) {
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
    fn write(lot: &mut Lot, stream: &mut Vec<u8>) -> Self {
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
fn write_set(
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

    fn write_slice(&self, lot: &mut Lot, head: &Head, address: u32, stream: &mut Vec<u8>) {
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
