//! Bits of a header, the most significant first.

use crate::error::{StreamError, Trouble};

/// Reads bits of bytes, the most significant of each byte first, as H.264, HEVC, VP9, AV1 and
/// MPEG-2 have them. Where it is made for NAL units, it passes over the bytes that only keep start
/// codes out of the data (H.264 7.3.1, HEVC 7.3.1.1: the `03` of `00 00 03`), and says how many.
#[derive(Clone, Debug)]
pub struct BitReader<'d> {
    data: &'d [u8],
    /// The next byte that has not been begun.
    byte: usize,
    /// What is left of the one before it, at the top.
    window: u8,
    left: u32,
    /// Of a NAL unit: zero bytes directly before the next byte.
    zeros: Option<u32>,
    prevented: u64,
}

impl<'d> BitReader<'d> {
    /// Of bytes as they are.
    #[must_use]
    pub const fn new(data: &'d [u8]) -> Self {
        Self {
            data,
            byte: 0,
            window: 0,
            left: 0,
            zeros: None,
            prevented: 0,
        }
    }

    /// Of a NAL unit, without its start code.
    #[must_use]
    pub const fn of_nal_unit(data: &'d [u8]) -> Self {
        Self {
            zeros: Some(0),
            ..Self::new(data)
        }
    }

    /// Bits before the next one, in the data as it was given.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.byte as u64 * 8 - self.left as u64
    }

    /// Bytes passed over so far that only kept start codes out of the data.
    #[must_use]
    pub const fn emulation_prevention_bytes(&self) -> u64 {
        self.prevented
    }

    /// An error about the value before which `bit` bits lie.
    #[must_use]
    pub const fn wrong(bit: u64, what: &'static str, trouble: Trouble) -> StreamError {
        StreamError { bit, what, trouble }
    }

    fn refill(&mut self) -> Option<()> {
        let mut next = *self.data.get(self.byte)?;
        if let Some(zeros) = &mut self.zeros {
            if *zeros >= 2 && next == 3 {
                next = *self.data.get(self.byte + 1)?;
                self.byte += 1;
                self.prevented += 1;
                *zeros = 0;
            }
            *zeros = if next == 0 { *zeros + 1 } else { 0 };
        }
        self.byte += 1;
        self.window = next;
        self.left = 8;
        Some(())
    }

    /// An unsigned value of up to 32 bits: `u(n)`, `f(n)`.
    ///
    /// # Errors
    /// [`Trouble::Ends`].
    ///
    /// # Panics
    /// In debug builds, for more than 32 bits.
    #[inline]
    pub fn bits(&mut self, count: u32, what: &'static str) -> Result<u32, StreamError> {
        debug_assert!(count <= 32, "{count} bits do not fit");
        let begin = self.position();
        let mut value: u64 = 0;
        let mut wanted = count;
        while wanted > 0 {
            if self.left == 0 && self.refill().is_none() {
                return Err(Self::wrong(begin, what, Trouble::Ends));
            }
            let take = wanted.min(self.left);
            let top = self.window.unbounded_shr(8 - take);
            value = value << take | u64::from(top);
            self.window = self.window.unbounded_shl(take);
            self.left -= take;
            wanted -= take;
        }
        Ok(u32::try_from(value).unwrap_or(u32::MAX))
    }

    /// One bit: `u(1)`.
    ///
    /// # Errors
    /// [`Trouble::Ends`].
    #[inline]
    pub fn flag(&mut self, what: &'static str) -> Result<bool, StreamError> {
        Ok(self.bits(1, what)? == 1)
    }

    /// Passes over bits.
    ///
    /// # Errors
    /// [`Trouble::Ends`].
    pub fn skip(&mut self, mut count: u32, what: &'static str) -> Result<(), StreamError> {
        while count > 0 {
            let some = count.min(32);
            self.bits(some, what)?;
            count -= some;
        }
        Ok(())
    }

    /// An unsigned Exp-Golomb value of at most 32 bits: `ue(v)` (H.264 9.1, HEVC 9.2).
    ///
    /// # Errors
    /// [`Trouble::Ends`]; [`Trouble::NotAllowed`] for one that is longer than any may be.
    #[inline]
    pub fn ue(&mut self, what: &'static str) -> Result<u32, StreamError> {
        let begin = self.position();
        let mut zeros = 0;
        while !self.flag(what)? {
            zeros += 1;
            if zeros > 31 {
                let trouble = Trouble::NotAllowed { found: i64::MAX };
                return Err(Self::wrong(begin, what, trouble));
            }
        }
        let rest = self.bits(zeros, what)?;
        Ok((1_u32 << zeros) - 1 + rest)
    }

    /// A signed Exp-Golomb value: `se(v)`.
    ///
    /// # Errors
    /// As [`BitReader::ue`].
    #[inline]
    pub fn se(&mut self, what: &'static str) -> Result<i32, StreamError> {
        let mapped = self.ue(what)?;
        let size = mapped.div_ceil(2).cast_signed();
        Ok(if mapped % 2 == 1 { size } else { -size })
    }

    /// Whether the next bit is the first of a byte.
    #[must_use]
    pub const fn is_aligned(&self) -> bool {
        self.left == 0
    }

    /// Passes over what is left of a byte that was begun.
    pub const fn align(&mut self) {
        self.left = 0;
    }

    /// Whether something follows before the bits that end a NAL unit's payload
    /// (`more_rbsp_data()`, H.264 7.2, HEVC 7.2).
    #[must_use]
    pub fn more_rbsp_data(&self) -> bool {
        let mut ahead = self.clone();
        let Ok(first) = ahead.bits(1, "rbsp_stop_one_bit") else {
            return false;
        };
        if first == 0 {
            return true;
        }
        // The stop bit is the last that is one.
        while let Ok(bit) = ahead.bits(1, "rbsp_alignment_zero_bit") {
            if bit == 1 {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_most_significant_first_over_byte_borders() {
        let mut bits = BitReader::new(&[0b1010_0101, 0b1100_0011, 0xff, 0x00, 0x80, 0x12]);
        assert_eq!(bits.bits(3, "a"), Ok(0b101));
        assert_eq!(bits.bits(10, "b"), Ok(0b00_1011_1000));
        assert_eq!(bits.position(), 13);
        assert_eq!(
            bits.bits(32, "c"),
            Ok(0b0111_1111_1110_0000_0001_0000_0000_0010)
        );
        assert_eq!(
            bits.bits(4, "d"),
            Err(BitReader::wrong(45, "d", Trouble::Ends))
        );
    }

    #[test]
    fn bytes_that_prevent_start_codes_are_no_data() {
        let nal = [
            0x00, 0x00, 0x03, 0x01, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x03,
        ];
        let mut bits = BitReader::of_nal_unit(&nal);
        let mut seen = Vec::new();
        while let Ok(byte) = bits.bits(8, "byte") {
            seen.push(byte);
        }
        assert_eq!(seen, [0, 0, 1, 0, 0, 0, 0, 3]);
        assert_eq!(
            (bits.emulation_prevention_bytes(), bits.position()),
            (3, 88)
        );
    }

    #[test]
    fn exp_golomb_codes_are_read_to_their_longest() {
        // 1 | 010 | 011 | 00100 | then 31 zeros, a one, 31 ones.
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0000]);
        let read: Vec<_> = (0..4).map(|_at| bits.ue("v").unwrap()).collect();
        assert_eq!(read, [0, 1, 2, 3]);
        let longest = [0x00, 0x00, 0x00, 0x01, 0xff, 0xff, 0xff, 0xfe];
        assert_eq!(BitReader::new(&longest).ue("v"), Ok(u32::MAX - 1));
        assert_eq!(BitReader::new(&longest).se("v"), Ok(-i32::MAX));
        let over = [0x00; 9];
        assert!(BitReader::new(&over).ue("v").is_err());
    }

    #[test]
    fn what_ends_a_payload_is_no_data() {
        assert!(!BitReader::new(&[0x80]).more_rbsp_data());
        assert!(!BitReader::new(&[0x80, 0x00]).more_rbsp_data());
        assert!(BitReader::new(&[0xc0]).more_rbsp_data());
        assert!(BitReader::new(&[0x40]).more_rbsp_data());
        assert!(!BitReader::new(&[]).more_rbsp_data());
    }
}
