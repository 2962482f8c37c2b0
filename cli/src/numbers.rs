//! Numbers for people.

use std::num::NonZeroUsize;
use std::time::Duration;

use dmaflow_pipelines::description::serving::{NotASize, parse_size};

/// A number with its digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit that they fill, no more than there are; to a tenth where that is
/// one digit.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let unit = (1..UNITS.len())
        .rev()
        .find(|&unit| number >> (10 * unit) > 0)
        .unwrap_or(0);
    let whole = number >> (10 * unit);
    let rest = number - (whole << (10 * unit));
    // What is left, in 1024ths of the unit, which cannot overflow.
    let tenths = (rest >> (10 * unit.saturating_sub(1))) * 10 / 1024;
    if unit > 0 && whole < 10 && tenths > 0 {
        format!("{whole}.{tenths} {}", UNITS[unit])
    } else {
        format!("{whole} {}", UNITS[unit])
    }
}

/// A length as people write it: `4096`, `4K`, `8MiB`, `1G`.
pub(crate) fn parse_bytes(text: &str) -> Result<NonZeroUsize, NotASize> {
    let bytes = usize::try_from(parse_size(text)?).ok();
    bytes.and_then(NonZeroUsize::new).ok_or(NotASize)
}

/// Milliseconds with one digit behind the point.
pub(crate) fn millis(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}

/// Milliseconds with two digits behind the point.
pub(crate) fn hundredths(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

/// Whole microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// "1 frame", "2 frames".
pub(crate) fn counted(number: u64, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {word}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_from_the_right() {
        let grouped: Vec<_> = [0, 999, 1000, 1_382_400].map(grouped).to_vec();
        assert_eq!(grouped, ["0", "999", "1,000", "1,382,400"]);
        assert_eq!(counted(1, "frame"), "1 frame");
        assert_eq!(counted(1000, "frame"), "1,000 frames");
    }

    #[test]
    fn bytes_take_the_largest_unit_they_fill() {
        let sizes: Vec<_> = [0, 1023, 1024, 128 << 20, u64::MAX].map(bytes).to_vec();
        assert_eq!(
            sizes,
            ["0 bytes", "1023 bytes", "1 KiB", "128 MiB", "16777215 TiB"]
        );
        let sizes: Vec<_> = [2000, 1_228_800, 2_094_211_072, (10 << 30) - 1]
            .map(bytes)
            .to_vec();
        assert_eq!(sizes, ["1.9 KiB", "1.1 MiB", "1.9 GiB", "9.9 GiB"]);
    }

    #[test]
    fn lengths_are_read_with_their_unit() {
        let read = |text| parse_bytes(text).map(NonZeroUsize::get).ok();
        assert_eq!(read("4096"), Some(4096));
        assert_eq!(read("4K"), Some(4096));
        assert_eq!(read("8MiB"), Some(8 << 20));
        assert_eq!(read("1G"), Some(1 << 30));
        for wrong in [
            "",
            "0",
            "K",
            "4X",
            "4iBK",
            "-1",
            "1.5M",
            "99999999999999T",
            "ä",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(millis(Duration::from_micros(24_149)), "24.1");
        assert_eq!(micros(Duration::from_nanos(1999)), 1);
    }
}
