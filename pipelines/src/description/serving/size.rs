//! Sizes with a unit, as people write them.

/// The text is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a size is a whole number of bytes above 0, or of KiB, MiB or GiB, as in `64MiB`")]
pub struct NotASize;

/// Reads a size such as `4096`, `4096B`, `512KiB`, `64M` or `2GiB`, in bytes: units are powers of
/// 1024, with and without their `iB`.
///
/// # Errors
/// [`NotASize`], also for nothing at all and for more than can be counted.
pub fn parse(text: &str) -> Result<u64, NotASize> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(unit_at.unwrap_or(text.len()));
    let unit: u64 = match unit {
        "" | "B" => 1,
        "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
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
        assert_eq!(parse("4096"), Ok(4096));
        assert_eq!(
            ["4K", "64M", "2G"].map(parse),
            [Ok(4 << 10), Ok(64 << 20), Ok(2 << 30)]
        );
        for wrong in [
            "",
            "0",
            "MiB",
            "4X",
            "4iB",
            "4iBK",
            "ä",
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
