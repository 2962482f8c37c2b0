//! Bits of NAL units, and numbers by lot.

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

    pub(super) fn from(&mut self, least: i32, most: i32) -> i32 {
        least + self.below((most - least + 1) as u32) as i32
    }

    pub(super) fn flag(&mut self) -> bool {
        self.below(2) == 1
    }
}

/// Bits of a NAL unit.
#[derive(Default)]
pub(super) struct Bits {
    pub(super) bits: Vec<bool>,
}

impl Bits {
    pub(super) fn nal(unit_type: u32, temporal_id_plus1: u32) -> Self {
        let mut bits = Self::default();
        bits.u(7, unit_type);
        bits.u(6, 0);
        bits.u(3, temporal_id_plus1);
        bits
    }

    pub(super) fn u(&mut self, count: u32, value: u32) {
        self.bits
            .extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    }

    pub(super) fn flag(&mut self, value: bool) -> bool {
        self.bits.push(value);
        value
    }

    pub(super) fn ue(&mut self, value: u32) -> u32 {
        let len = (value + 1).ilog2();
        self.u(len, 0);
        self.u(len + 1, value + 1);
        value
    }

    pub(super) fn se(&mut self, value: i32) {
        self.ue(if value > 0 { 2 * value - 1 } else { -2 * value } as u32);
    }

    /// The stop bit, and the start code and the bytes that keep others out.
    pub(super) fn write(mut self, payload: &[u8], stream: &mut Vec<u8>) {
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

pub(super) const fn ceil_log2(count: u32) -> u32 {
    if count < 2 {
        0
    } else {
        (count - 1).ilog2() + 1
    }
}
