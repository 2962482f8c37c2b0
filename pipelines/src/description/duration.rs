//! Times with a unit, as people write them.

use std::time::Duration;

/// The text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is a number above 0 with ms, s, m or h, as in `10s` or `1.5m`")]
pub struct NotADuration;

/// Reads a time such as `500ms`, `10s`, `1.5m` or `2h`.
///
/// # Errors
/// [`NotADuration`], also for no time at all.
pub fn parse(text: &str) -> Result<Duration, NotADuration> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(unit_at.ok_or(NotADuration)?);
    let unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(NotADuration),
    };
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_not_a_number| NotADuration)?;
    Duration::try_from_secs_f64(number * unit)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or(NotADuration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(parse("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("250 ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("2h"), Ok(Duration::from_secs(7200)));
        for wrong in [
            "", "10", "s", "0s", "-1s", "10 days", "1e400s", "infs", "1s2",
        ] {
            assert_eq!(parse(wrong), Err(NotADuration), "{wrong}");
        }
    }
}
