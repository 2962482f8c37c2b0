//! Sizes with a unit, as people write them.

/// The text is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a size is a whole number above 0 with B, KiB, MiB or GiB, as in `64MiB`")]
pub struct NotASize;

/// Reads a size such as `4096B`, `512KiB`, `64MiB` or `2GiB`, in bytes.
///
/// # Errors
/// [`NotASize`], also for nothing at all and for more than can be counted.
pub fn parse(text: &str) -> Result<u64, NotASize> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(unit_at.ok_or(NotASize)?);
    let unit: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(NotASize),
    };
    let number: u64 = number.trim().parse().map_err(|_not_a_number| NotASize)?;
    let size = number.checked_mul(unit);
    size.filter(|&size| size > 0).ok_or(NotASize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(parse("4096B"), Ok(4096));
        assert_eq!(parse("64 MiB"), Ok(64 << 20));
        assert_eq!(parse("1KiB"), Ok(1024));
        assert_eq!(parse("2GiB"), Ok(2 << 30));
        for wrong in [
            "",
            "64",
            "MiB",
            "0B",
            "-1B",
            "1.5MiB",
            "64MB",
            "99999999999GiB",
        ] {
            assert_eq!(parse(wrong), Err(NotASize), "{wrong}");
        }
    }
}
