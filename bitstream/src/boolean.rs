//! Truth values that are coded by how likely they are (RFC 6386 section 7, VP9 9.2).

use crate::error::{StreamError, Trouble};

/// Reads truth values that were coded by how likely they are, as VP8 and VP9 have them. Behind the
/// last byte come zeros, without end: whoever reads asks [`BoolDecoder::check`] afterwards.
#[derive(Clone, Debug)]
pub struct BoolDecoder<'d> {
    data: &'d [u8],
    /// The next byte that has not been taken.
    byte: usize,
    /// What has been taken and not been used, from the top bit on.
    window: u64,
    filled: u32,
    range: u32,
    used: u64,
}

impl<'d> BoolDecoder<'d> {
    /// Of one partition.
    #[must_use]
    pub const fn new(data: &'d [u8]) -> Self {
        Self {
            data,
            byte: 0,
            window: 0,
            filled: 0,
            range: 255,
            used: 0,
        }
    }

    fn fill(&mut self) {
        while self.filled <= 56 {
            let next = self.data.get(self.byte).copied().unwrap_or(0);
            self.window |= u64::from(next) << (56 - self.filled);
            self.filled += 8;
            self.byte += 1;
        }
    }

    /// One value, which is false with `probability` of 256.
    #[inline]
    pub fn bool(&mut self, probability: u8) -> bool {
        // Eight bits decide, and at most seven are used up.
        if self.filled < 16 {
            self.fill();
        }
        let split = 1 + (((self.range - 1) * u32::from(probability)) >> 8);
        let border = u64::from(split) << 56;
        let value = self.window >= border;
        if value {
            self.range -= split;
            self.window -= border;
        } else {
            self.range = split;
        }
        let shift = self.range.leading_zeros().saturating_sub(24);
        self.range <<= shift;
        self.window <<= shift;
        self.filled -= shift;
        self.used += u64::from(shift);
        value
    }

    /// One value that is as likely true as false.
    #[inline]
    pub fn flag(&mut self) -> bool {
        self.bool(128)
    }

    /// An unsigned value of up to 32 bits, each as likely one as zero.
    pub fn literal(&mut self, bits: u32) -> u32 {
        (0..bits).fold(0, |value, _bit| value << 1 | u32::from(self.flag()))
    }

    /// A magnitude of up to seven bits, then its sign.
    pub fn signed(&mut self, bits: u32) -> i8 {
        let size = i8::try_from(self.literal(bits)).unwrap_or(i8::MAX);
        if self.flag() { -size } else { size }
    }

    /// Bits that have been used up, from the first of the data on.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.used
    }

    /// How wide the interval is in which the value lies, 128 to 255.
    #[must_use]
    pub fn range(&self) -> u8 {
        u8::try_from(self.range).unwrap_or(u8::MAX)
    }

    /// The value in that interval: the eight bits that decide next.
    #[must_use]
    pub fn value(&mut self) -> u8 {
        self.fill();
        u8::try_from(self.window >> 56).unwrap_or(u8::MAX)
    }

    /// Whether all that was used up was there. `what` was read last.
    ///
    /// # Errors
    /// [`Trouble::Ends`].
    pub fn check(&self, what: &'static str) -> Result<(), StreamError> {
        let there = self.data.len() as u64 * 8;
        if self.used <= there {
            return Ok(());
        }
        let trouble = Trouble::Ends;
        Err(StreamError {
            bit: there,
            what,
            trouble,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The other way round (RFC 6386 section 7.3).
    #[derive(Debug)]
    struct BoolEncoder {
        out: Vec<u8>,
        range: u32,
        bottom: u64,
        bits: u32,
    }

    impl BoolEncoder {
        fn new() -> Self {
            Self {
                out: Vec::new(),
                range: 255,
                bottom: 0,
                bits: 24,
            }
        }

        fn bool(&mut self, value: bool, probability: u8) {
            let split = 1 + (((self.range - 1) * u32::from(probability)) >> 8);
            if value {
                self.bottom += u64::from(split);
                self.range -= split;
            } else {
                self.range = split;
            }
            while self.range < 128 {
                self.range <<= 1;
                if self.bottom & 1 << 31 != 0 {
                    for byte in self.out.iter_mut().rev() {
                        let (sum, over) = byte.overflowing_add(1);
                        *byte = sum;
                        if !over {
                            break;
                        }
                    }
                }
                self.bottom = self.bottom << 1 & 0xffff_ffff;
                self.bits -= 1;
                if self.bits == 0 {
                    self.out.push(u8::try_from(self.bottom >> 24).unwrap());
                    self.bottom &= 0x00ff_ffff;
                    self.bits = 8;
                }
            }
        }

        fn finish(mut self) -> Vec<u8> {
            for _bit in 0..32 {
                self.bool(false, 128);
            }
            self.out
        }
    }

    #[test]
    fn what_was_coded_is_read_again() {
        let mut seed = 1_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 24
        };
        let coded: Vec<(bool, u8)> = (0..5000)
            .map(|_at| {
                let probability = u8::try_from(next().max(1)).unwrap();
                (next() >= u32::from(probability), probability)
            })
            .collect();
        let mut encoder = BoolEncoder::new();
        for (value, probability) in &coded {
            encoder.bool(*value, *probability);
        }
        let data = encoder.finish();
        let mut decoder = BoolDecoder::new(&data);
        for (value, probability) in &coded {
            assert_eq!(decoder.bool(*probability), *value);
        }
        decoder.check("all").unwrap();
        assert!((128..=255).contains(&decoder.range()));
        assert!(decoder.value() < decoder.range());
    }

    #[test]
    fn state_is_that_of_the_interval() {
        // Half of 254 is 127, so that the first border is 128.
        let mut decoder = BoolDecoder::new(&[0x80, 0x40, 0x20]);
        assert_eq!((decoder.range(), decoder.value()), (255, 0x80));
        assert!(decoder.flag());
        assert_eq!(
            (decoder.range(), decoder.value(), decoder.position()),
            (254, 0, 1)
        );
    }

    #[test]
    fn more_than_there_is_is_noticed() {
        let mut decoder = BoolDecoder::new(&[0x00]);
        decoder.literal(6);
        decoder.check("six").unwrap();
        decoder.literal(30);
        let error = decoder.check("thirty").unwrap_err();
        assert_eq!((error.bit, error.trouble), (8, Trouble::Ends));
    }
}
