//! Numbers in steps.

use std::fmt;

use super::{common_divisor, common_multiple};

/// Numbers from `min` to `max`, in steps from `min` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Steps {
    /// The least.
    pub min: u32,
    /// The greatest.
    pub max: u32,
    /// From one to the next; 1 where all between them will do.
    pub step: u32,
}

impl Steps {
    /// Every number from 1 on.
    pub const ANY: Self = Self {
        min: 1,
        max: u32::MAX,
        step: 1,
    };

    /// This number alone.
    #[must_use]
    pub const fn only(number: u32) -> Self {
        Self {
            min: number,
            max: number,
            step: 1,
        }
    }

    /// Every number from one to another.
    #[must_use]
    pub const fn between(min: u32, max: u32) -> Self {
        Self { min, max, step: 1 }
    }

    /// The multiples of a number, from itself on.
    #[must_use]
    pub const fn multiples(of: u32) -> Self {
        Self {
            min: of,
            max: u32::MAX,
            step: of,
        }
    }

    /// Whether a number is among them.
    #[must_use]
    pub const fn contains(&self, number: u32) -> bool {
        self.min <= number && number <= self.max && (number - self.min).is_multiple_of(self.by())
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.min > self.max
    }

    /// The greatest of them that is not above a number.
    #[must_use]
    pub const fn at_most(&self, number: u32) -> Option<u32> {
        let top = if number < self.max { number } else { self.max };
        if top < self.min {
            return None;
        }
        Some(top - (top - self.min) % self.by())
    }

    /// The same numbers, written as all others write them: the last one is the greatest, and a
    /// single one has a step of 1. `None` where there is none.
    #[must_use]
    pub const fn normal(&self) -> Option<Self> {
        match self.at_most(self.max) {
            None => None,
            Some(max) => Some(Self {
                min: self.min,
                max,
                step: if self.min == max { 1 } else { self.by() },
            }),
        }
    }

    /// The numbers that are in both, as [`Steps::normal`] writes them.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let (a, b) = (self.normal()?, other.normal()?);
        let shared = common_divisor(a.step, b.step);
        if a.min.abs_diff(b.min) % shared != 0 {
            return None;
        }
        let (from, to) = (a.min.max(b.min), a.max.min(b.max));
        // Numbers above `from` repeat what they are after both steps, so that the first common
        // one comes within `b.step / shared` steps of `a`.
        let behind = (from - a.min) % a.step;
        let mut first = from.checked_add((a.step - behind) % a.step)?;
        for _ in 0..b.step / shared {
            if first > to {
                return None;
            }
            if (first - b.min) % b.step == 0 {
                // Steps too long for the number's type leave the first one alone.
                let step = common_multiple(a.step, b.step).unwrap_or(u32::MAX);
                let common = Self {
                    min: first,
                    max: to,
                    step,
                };
                return common.normal();
            }
            first = first.checked_add(a.step)?;
        }
        None
    }

    const fn by(&self) -> u32 {
        if self.step == 0 { 1 } else { self.step }
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, max, step } = *self;
        if self.is_empty() {
            return f.write_str("none");
        }
        if min == max {
            return write!(f, "{min}");
        }
        // The last of a number's type is no bound that anybody set.
        let is_bounded = u32::MAX - max >= self.by();
        match min {
            _ if is_bounded => write!(f, "{min} to {max}")?,
            0 | 1 => f.write_str("any")?,
            _ => write!(f, "from {min}")?,
        }
        if step > 1 {
            write!(f, " by {step}")?;
        }
        Ok(())
    }
}
