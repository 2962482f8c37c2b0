//! From blocks to figures.

use std::time::Duration;

/// A contender's blocks, in the order of the rounds: nanoseconds a buffer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series(Vec<f64>);

/// A part of the values lies below each of these.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) p25: f64,
    pub(super) median: f64,
    pub(super) p75: f64,
    pub(super) p90: f64,
}

impl Series {
    pub(super) fn add(&mut self, took: Duration, buffers: u32) {
        self.0.push(took.as_secs_f64() * 1e9 / f64::from(buffers));
    }

    /// Nanoseconds a buffer.
    pub(super) fn spread(&self) -> Option<Spread> {
        spread(self.0.clone())
    }

    /// How much more it took than another, round by round.
    pub(super) fn ratio(&self, other: &Self) -> Option<Spread> {
        let rounds = self.0.iter().zip(&other.0);
        spread(rounds.map(|(ours, theirs)| ours / theirs).collect())
    }
}

fn spread(mut values: Vec<f64>) -> Option<Spread> {
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let last = values.len().checked_sub(1)?;
        values.get((last * percent + 50) / 100).copied()
    };
    Some(Spread {
        min: at(0)?,
        p25: at(25)?,
        median: at(50)?,
        p75: at(75)?,
        p90: at(90)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(micros: &[u64]) -> Series {
        let mut series = Series::default();
        for &micros in micros {
            series.add(Duration::from_micros(micros), 2);
        }
        series
    }

    #[test]
    fn figures_are_per_buffer() {
        let spread = series(&[10, 2, 4, 8, 6]).spread().unwrap();
        assert_eq!((spread.min, spread.median), (1000.0, 3000.0));
        assert_eq!(
            (spread.p25, spread.p75, spread.p90),
            (2000.0, 4000.0, 5000.0)
        );
        assert_eq!(Series::default().spread(), None);
    }

    #[test]
    fn a_ratio_compares_blocks_of_the_same_round() {
        // The machine got ten times slower half-way: the ratio does not move.
        let raw = series(&[10, 10, 100, 100]);
        let ours = series(&[11, 11, 110, 110]);
        let ratio = ours.ratio(&raw).unwrap();
        assert!((ratio.median - 1.1).abs() < 1e-9, "{ratio:?}");
        assert!((ratio.p25 - ratio.p75).abs() < 1e-9, "{ratio:?}");
    }
}
