//! The codes of values that are AV1's own (4.10), and values of few bits.

use crate::bits::BitReader;
use crate::error::{StreamError, Trouble};

/// `f(n)` of up to 8 bits.
pub(super) fn f8(
    bits: &mut BitReader<'_>,
    count: u32,
    what: &'static str,
) -> Result<u8, StreamError> {
    debug_assert!(count <= 8, "{count} bits do not fit");
    Ok(u8::try_from(bits.bits(count, what)?).unwrap_or(u8::MAX))
}

/// `f(n)` of up to 16 bits.
pub(super) fn f16(
    bits: &mut BitReader<'_>,
    count: u32,
    what: &'static str,
) -> Result<u16, StreamError> {
    debug_assert!(count <= 16, "{count} bits do not fit");
    Ok(u16::try_from(bits.bits(count, what)?).unwrap_or(u16::MAX))
}

/// `su(n)`: a sign above `n - 1` bits, of at most 16 bits (4.10.6).
pub(super) fn su(
    bits: &mut BitReader<'_>,
    count: u32,
    what: &'static str,
) -> Result<i16, StreamError> {
    debug_assert!((1..=16).contains(&count), "{count} bits do not fit");
    let value = f16(bits, count, what)?;
    let unused = 16 - count;
    Ok((value << unused).cast_signed() >> unused)
}

/// `ns(n)`: a value below `n`, in as few bits as that takes (4.10.7).
pub(super) fn ns(
    bits: &mut BitReader<'_>,
    below: u32,
    what: &'static str,
) -> Result<u32, StreamError> {
    debug_assert!(below > 0, "nothing is below {below}");
    let width = below.checked_ilog2().unwrap_or(0) + 1;
    let short = (1 << width) - below;
    let value = bits.bits(width - 1, what)?;
    if value < short {
        return Ok(value);
    }
    Ok((value << 1) - short + bits.bits(1, what)?)
}

/// `uvlc()` (4.10.3).
pub(super) fn uvlc(bits: &mut BitReader<'_>, what: &'static str) -> Result<u32, StreamError> {
    let mut zeros = 0_u32;
    while !bits.flag(what)? {
        zeros += 1;
    }
    if zeros >= 32 {
        return Ok(u32::MAX);
    }
    Ok(bits.bits(zeros, what)? + ((1 << zeros) - 1))
}

/// `byte_alignment()` (5.3.5).
pub(super) fn byte_alignment(bits: &mut BitReader<'_>) -> Result<(), StreamError> {
    while !bits.is_aligned() {
        let at = bits.position();
        if bits.flag("zero_bit")? {
            return Err(not_allowed(at, "zero_bit", 1));
        }
    }
    Ok(())
}

/// An error about a value before which `bit` bits lie, that is not allowed.
pub(super) fn not_allowed(bit: u64, what: &'static str, found: impl Into<i64>) -> StreamError {
    let found = found.into();
    BitReader::wrong(bit, what, Trouble::NotAllowed { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_stand_above_the_value() {
        let mut bits = BitReader::new(&[0b0111_1111, 0b1000_0001, 0b1111_1110]);
        assert_eq!(su(&mut bits, 7, "v"), Ok(63));
        assert_eq!(su(&mut bits, 9, "v"), Ok(-127));
        assert_eq!(su(&mut bits, 7, "v"), Ok(-1));
    }

    #[test]
    fn values_below_a_bound_take_as_few_bits_as_they_need() {
        // Below 5: 00, 01, 10, 110, 111.
        let mut bits = BitReader::new(&[0b0001_1011, 0b0111_0000]);
        let read: Vec<_> = (0..5).map(|_at| ns(&mut bits, 5, "v").unwrap()).collect();
        assert_eq!(read, [0, 1, 2, 3, 4]);
        assert_eq!(ns(&mut bits, 1, "v"), Ok(0));
        assert_eq!(bits.position(), 12);
    }

    #[test]
    fn long_codes_end_at_the_largest_value() {
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0000]);
        let read: Vec<_> = (0..4).map(|_at| uvlc(&mut bits, "v").unwrap()).collect();
        assert_eq!(read, [0, 1, 2, 3]);
        assert_eq!(
            uvlc(&mut BitReader::new(&[0, 0, 0, 0, 0x80]), "v"),
            Ok(u32::MAX)
        );
        assert!(uvlc(&mut BitReader::new(&[0; 100]), "v").is_err());
    }
}
