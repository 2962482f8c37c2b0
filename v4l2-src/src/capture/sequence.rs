//! A driver's count of frames, carried on beyond 32 bits.

/// Where a frame stands in the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The frame's number.
    pub(super) number: u64,
    /// Frames that were lost just before it.
    pub(super) lost: u64,
}

/// The count since the start.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    last: Option<(u32, u64)>,
}

impl Sequence {
    /// Counts the frame to which the driver gave this number.
    ///
    /// The count begins with the driver's first number. A number that does not move, or goes
    /// back, is that of a driver that does not count or has begun anew: the frame then counts
    /// as the next one.
    pub(super) fn advance(&mut self, driver: u32) -> Step {
        let step = match self.last {
            None => Step {
                number: u64::from(driver),
                lost: 0,
            },
            Some((last, number)) => {
                let gap = match driver.wrapping_sub(last) {
                    gap @ 1..=0x7fff_ffff => u64::from(gap),
                    _ => 1,
                };
                Step {
                    number: number + gap,
                    lost: gap - 1,
                }
            }
        };
        self.last = Some((driver, step.number));
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(drivers: &[u32]) -> Vec<(u64, u64)> {
        let mut sequence = Sequence::default();
        let step = |driver: &u32| sequence.advance(*driver);
        let steps = drivers.iter().map(step);
        steps.map(|step| (step.number, step.lost)).collect()
    }

    #[test]
    fn gaps_are_lost_frames() {
        assert_eq!(steps(&[0, 1, 4, 5]), [(0, 0), (1, 0), (4, 2), (5, 0)]);
        assert_eq!(steps(&[3, 4]), [(3, 0), (4, 0)]);
    }

    #[test]
    fn the_count_goes_on_where_32_bits_end() {
        assert_eq!(
            steps(&[u32::MAX - 1, u32::MAX, 0, 2]),
            [
                (0xffff_fffe, 0),
                (0xffff_ffff, 0),
                (0x1_0000_0000, 0),
                (0x1_0000_0002, 1),
            ]
        );
    }

    #[test]
    fn drivers_that_do_not_count() {
        assert_eq!(steps(&[0, 0, 0]), [(0, 0), (1, 0), (2, 0)]);
        assert_eq!(steps(&[9, 10, 0, 1]), [(9, 0), (10, 0), (11, 0), (12, 0)]);
    }
}
