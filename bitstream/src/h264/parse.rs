//! Values within bounds.

use crate::{BitReader, StreamError, Trouble};

/// A value that is not allowed, before which `at` bits lie.
pub(super) fn not_allowed<T>(
    at: u64,
    what: &'static str,
    found: impl Into<i64>,
) -> Result<T, StreamError> {
    let trouble = Trouble::NotAllowed {
        found: found.into(),
    };
    Err(BitReader::wrong(at, what, trouble))
}

/// `ue(v)`, of which `most` is the largest that is allowed.
pub(super) fn ue<T: TryFrom<u32>>(
    bits: &mut BitReader<'_>,
    most: u32,
    what: &'static str,
) -> Result<T, StreamError> {
    let at = bits.position();
    let found = bits.ue(what)?;
    match T::try_from(found) {
        Ok(value) if found <= most => Ok(value),
        _ => not_allowed(at, what, found),
    }
}

/// `se(v)` that has to lie between two values.
pub(super) fn se<T: TryFrom<i32>>(
    bits: &mut BitReader<'_>,
    least: i32,
    most: i32,
    what: &'static str,
) -> Result<T, StreamError> {
    let at = bits.position();
    let found = bits.se(what)?;
    match T::try_from(found) {
        Ok(value) if (least..=most).contains(&found) => Ok(value),
        _ => not_allowed(at, what, found),
    }
}

/// `u(n)` of at most 8 bits.
pub(super) fn byte(
    bits: &mut BitReader<'_>,
    count: u32,
    what: &'static str,
) -> Result<u8, StreamError> {
    Ok(u8::try_from(bits.bits(count.min(8), what)?).unwrap_or(u8::MAX))
}
