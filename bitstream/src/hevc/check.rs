//! Values that have bounds.

use crate::bits::BitReader;
use crate::error::{StreamError, Trouble};

/// What is not allowed, at a bit.
pub(super) fn refuse(bit: u64, what: &'static str, found: impl Into<i64>) -> StreamError {
    let found = found.into();
    BitReader::wrong(bit, what, Trouble::NotAllowed { found })
}

/// What is allowed, but not supported, at a bit.
pub(super) fn unsupported(bit: u64, what: &'static str, found: impl Into<i64>) -> StreamError {
    let found = found.into();
    BitReader::wrong(bit, what, Trouble::Unsupported { found })
}

/// `ue(v)` of at most `most`.
pub(super) fn ue(
    bits: &mut BitReader<'_>,
    most: u32,
    what: &'static str,
) -> Result<u32, StreamError> {
    let begin = bits.position();
    match bits.ue(what)? {
        value if value <= most => Ok(value),
        value => Err(refuse(begin, what, value)),
    }
}

/// `ue(v)` of at most `most`.
pub(super) fn ue8(
    bits: &mut BitReader<'_>,
    most: u8,
    what: &'static str,
) -> Result<u8, StreamError> {
    let value = ue(bits, u32::from(most), what)?;
    Ok(u8::try_from(value).unwrap_or(u8::MAX))
}

/// `ue(v)` of at most `most`.
pub(super) fn ue16(
    bits: &mut BitReader<'_>,
    most: u16,
    what: &'static str,
) -> Result<u16, StreamError> {
    let value = ue(bits, u32::from(most), what)?;
    Ok(u16::try_from(value).unwrap_or(u16::MAX))
}

/// `se(v)` from `least` to `most`.
pub(super) fn se(
    bits: &mut BitReader<'_>,
    (least, most): (i32, i32),
    what: &'static str,
) -> Result<i32, StreamError> {
    let begin = bits.position();
    match bits.se(what)? {
        value if (least..=most).contains(&value) => Ok(value),
        value => Err(refuse(begin, what, value)),
    }
}

/// `se(v)` from `least` to `most`.
pub(super) fn se8(
    bits: &mut BitReader<'_>,
    (least, most): (i8, i8),
    what: &'static str,
) -> Result<i8, StreamError> {
    let value = se(bits, (i32::from(least), i32::from(most)), what)?;
    Ok(i8::try_from(value).unwrap_or_default())
}

/// `u(n)` of at most 8 bits.
pub(super) fn u8(
    bits: &mut BitReader<'_>,
    count: u32,
    what: &'static str,
) -> Result<u8, StreamError> {
    Ok(u8::try_from(bits.bits(count, what)?).unwrap_or(u8::MAX))
}

/// `u(n)` of at most 16 bits.
pub(super) fn u16(
    bits: &mut BitReader<'_>,
    count: u32,
    what: &'static str,
) -> Result<u16, StreamError> {
    Ok(u16::try_from(bits.bits(count, what)?).unwrap_or(u16::MAX))
}

/// `Ceil(Log2(count))`, of at least one.
pub(super) const fn ceil_log2(count: u32) -> u32 {
    if count < 2 {
        0
    } else {
        u32::BITS - (count - 1).leading_zeros()
    }
}

/// Bits of the payload between two places in a NAL unit: those of bytes that only keep start
/// codes out of the data do not count.
pub(super) const fn payload_bits(bits: &BitReader<'_>) -> u64 {
    bits.position() - bits.emulation_prevention_bytes() * 8
}

/// Bits as text, with spaces between what belongs together, filled up with zeros to whole bytes.
#[cfg(test)]
pub(super) fn written(text: &str) -> Vec<u8> {
    let bits: Vec<u8> = text.bytes().filter(|bit| *bit != b' ').collect();
    let bytes = bits.chunks(8).map(|byte| {
        let value = byte.iter().fold(0, |value, bit| value << 1 | (bit - b'0'));
        value << (8 - byte.len())
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::ceil_log2;

    #[test]
    fn bits_that_an_index_takes() {
        let taken: Vec<_> = [0, 1, 2, 3, 4, 5, 8, 9, 8160].map(ceil_log2).to_vec();
        assert_eq!(taken, [0, 0, 1, 2, 2, 3, 3, 4, 13]);
    }
}
