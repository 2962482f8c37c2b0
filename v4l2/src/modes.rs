//! What a device offers: formats, sizes and rates.

use std::fmt;

use dmaflow_core::Errno;
use dmaflow_core::format::Format;
use dmaflow_core::fourcc::FourCc;
use dmaflow_core::time::Rate;

use crate::device::{Direction, VideoDevice};
use crate::error::V4l2Error;
use crate::sys::{self, RawInterval, RawSize, raw};

/// A format that a queue of a device has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatInfo {
    /// V4L2's code, which also tells one buffer from one a plane.
    pub code: FourCc,
    /// The format, where dmaflow knows it.
    pub format: Option<Format>,
    /// The driver's words for it.
    pub description: String,
    /// Whether it is a stream or compressed pictures, and no pixels
    /// (`V4L2_FMT_FLAG_COMPRESSED`).
    pub compressed: bool,
}

/// The sizes that a format has, in pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameSizes {
    /// These and no others.
    Discrete(Vec<(u32, u32)>),
    /// Every size from `min` to `max` that is a number of steps away from `min`.
    Stepwise {
        /// The smallest.
        min: (u32, u32),
        /// The largest.
        max: (u32, u32),
        /// From one to the next, at least 1.
        step: (u32, u32),
    },
    /// The driver does not list them.
    Unknown,
}

impl FrameSizes {
    /// Whether the size is among them; `None` where the driver does not list them.
    #[must_use]
    pub fn contain(&self, (width, height): (u32, u32)) -> Option<bool> {
        match self {
            Self::Discrete(sizes) => Some(sizes.contains(&(width, height))),
            Self::Stepwise { min, max, step } => {
                let fits = |value: u32, min: u32, max: u32, step: u32| {
                    (min..=max).contains(&value) && (value - min).is_multiple_of(step)
                };
                Some(fits(width, min.0, max.0, step.0) && fits(height, min.1, max.1, step.1))
            }
            Self::Unknown => None,
        }
    }

    /// The one with the most pixels; `None` where the driver does not list them.
    #[must_use]
    pub fn largest(&self) -> Option<(u32, u32)> {
        match self {
            Self::Discrete(sizes) => {
                let pixels = |size: &&(u32, u32)| u64::from(size.0) * u64::from(size.1);
                sizes.iter().max_by_key(pixels).copied()
            }
            Self::Stepwise { max, .. } => Some(*max),
            Self::Unknown => None,
        }
    }

    /// Up to `count` sizes that are most like this one, the nearest first.
    #[must_use]
    pub fn nearest(&self, (width, height): (u32, u32), count: usize) -> Vec<(u32, u32)> {
        let mut sizes = match self {
            Self::Discrete(sizes) => sizes.clone(),
            Self::Stepwise { min, max, step } => {
                let near = |value: u32, min: u32, max: u32, step: u32| {
                    let value = value.clamp(min, max.max(min));
                    min + (value - min) / step * step
                };
                vec![(
                    near(width, min.0, max.0, step.0),
                    near(height, min.1, max.1, step.1),
                )]
            }
            Self::Unknown => Vec::new(),
        };
        sizes.sort_by_key(|size| {
            u64::from(size.0.abs_diff(width)) + u64::from(size.1.abs_diff(height))
        });
        sizes.truncate(count);
        sizes
    }
}

impl fmt::Display for FrameSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discrete(sizes) => {
                for (index, (width, height)) in sizes.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{width}×{height}")?;
                }
                Ok(())
            }
            Self::Stepwise { min, max, step } => write!(
                f,
                "{}×{} to {}×{} in steps of {}×{}",
                min.0, min.1, max.0, max.1, step.0, step.1
            ),
            Self::Unknown => f.pad("unknown"),
        }
    }
}

/// The rates that a format has at a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameRates {
    /// These and no others, in the driver's order.
    Discrete(Vec<Rate>),
    /// Every rate in between, as far as the driver's steps allow.
    Between {
        /// The lowest.
        slowest: Rate,
        /// The highest.
        fastest: Rate,
    },
    /// The driver does not list them.
    Unknown,
}

impl fmt::Display for FrameRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discrete(rates) => {
                for (index, rate) in rates.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{rate}")?;
                }
                Ok(())
            }
            Self::Between { slowest, fastest } => write!(f, "{slowest} to {fastest}"),
            Self::Unknown => f.pad("unknown"),
        }
    }
}

/// The rate whose interval is this many seconds; `None` where a number is 0.
pub(crate) fn rate_of(interval: raw::v4l2_fract) -> Option<Rate> {
    Rate::new(interval.denominator, interval.numerator)
}

/// What one of the kernel's lists holds, entry by entry until it ends.
pub(crate) fn list<T>(mut entry: impl FnMut(u32) -> Result<T, Errno>) -> Result<Vec<T>, Errno> {
    let mut entries = Vec::new();
    for index in 0.. {
        match entry(index) {
            Ok(found) => entries.push(found),
            // ENOTTY: the driver has no such list. ENODATA: not for the input in use.
            Err(Errno::EINVAL | Errno::ENOTTY | Errno::ENODATA) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(entries)
}

impl VideoDevice {
    /// The formats of a queue, in the driver's order.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_ENUM_FMT")]
    pub fn formats(&self, direction: Direction) -> Result<Vec<FormatInfo>, V4l2Error> {
        let queue = self.queue_type(direction);
        let formats = list(|index| sys::enum_fmt(self.fd(), queue, index))
            .map_err(self.failed("VIDIOC_ENUM_FMT", "list its formats"))?;
        Ok(formats
            .iter()
            .map(|format| {
                let code = FourCc::from_u32(format.pixelformat);
                FormatInfo {
                    code,
                    format: Format::from_v4l2(code),
                    description: sys::text(&format.description),
                    compressed: format.flags & raw::V4L2_FMT_FLAG_COMPRESSED != 0,
                }
            })
            .collect())
    }

    /// The sizes that a format has.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_ENUM_FRAMESIZES")]
    pub fn frame_sizes(&self, code: FourCc) -> Result<FrameSizes, V4l2Error> {
        let sizes = list(|index| {
            let size = sys::enum_frame_sizes(self.fd(), code.to_u32(), index)?;
            match (index, size) {
                // The kernel lists a stepwise range once; some drivers repeat it for ever.
                (1.., RawSize::Stepwise(_)) => Err(Errno::EINVAL),
                (_, size) => Ok(size),
            }
        })
        .map_err(self.failed(
            "VIDIOC_ENUM_FRAMESIZES",
            format!("list its sizes of {code}"),
        ))?;
        Ok(parse_sizes(&sizes))
    }

    /// The rates that a format has at a size.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_ENUM_FRAMEINTERVALS")]
    pub fn frame_rates(&self, code: FourCc, size: (u32, u32)) -> Result<FrameRates, V4l2Error> {
        let intervals = list(|index| {
            let interval = sys::enum_frame_intervals(self.fd(), code.to_u32(), size, index)?;
            match (index, interval) {
                (1.., RawInterval::Stepwise(_)) => Err(Errno::EINVAL),
                (_, interval) => Ok(interval),
            }
        })
        .map_err(self.failed(
            "VIDIOC_ENUM_FRAMEINTERVALS",
            format!("list its rates for {code}"),
        ))?;
        Ok(parse_rates(&intervals))
    }
}

fn parse_sizes(sizes: &[RawSize]) -> FrameSizes {
    match sizes {
        [] => FrameSizes::Unknown,
        [RawSize::Stepwise(range), ..] => FrameSizes::Stepwise {
            min: (range.min_width, range.min_height),
            max: (range.max_width, range.max_height),
            step: (range.step_width.max(1), range.step_height.max(1)),
        },
        sizes => {
            let discrete = sizes.iter().filter_map(|size| match size {
                RawSize::Discrete(size) => Some((size.width, size.height)),
                RawSize::Stepwise(_) => None,
            });
            FrameSizes::Discrete(discrete.collect())
        }
    }
}

fn parse_rates(intervals: &[RawInterval]) -> FrameRates {
    match intervals {
        [] => FrameRates::Unknown,
        // The shortest interval is the fastest rate.
        [RawInterval::Stepwise(range), ..] => rate_of(range.max)
            .zip(rate_of(range.min))
            .map_or(FrameRates::Unknown, |(slowest, fastest)| {
                FrameRates::Between { slowest, fastest }
            }),
        intervals => {
            let discrete = intervals.iter().filter_map(|interval| match interval {
                RawInterval::Discrete(interval) => rate_of(*interval),
                RawInterval::Stepwise(_) => None,
            });
            FrameRates::Discrete(discrete.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stepwise() -> FrameSizes {
        parse_sizes(&[RawSize::Stepwise(raw::v4l2_frmsize_stepwise {
            min_width: 32,
            max_width: 1920,
            step_width: 16,
            min_height: 32,
            max_height: 1080,
            step_height: 0,
        })])
    }

    #[test]
    fn steps_are_counted_from_the_smallest() {
        let sizes = stepwise();
        assert_eq!(sizes.contain((1280, 720)), Some(true));
        assert_eq!(sizes.contain((1290, 720)), Some(false));
        assert_eq!(sizes.contain((16, 720)), Some(false));
        assert_eq!(sizes.nearest((1290, 2000), 3), [(1280, 1080)]);
        assert_eq!(sizes.largest(), Some((1920, 1080)));
        assert_eq!(sizes.to_string(), "32×32 to 1920×1080 in steps of 16×1");
    }

    #[test]
    fn the_nearest_sizes_come_first() {
        let size = |width, height| RawSize::Discrete(raw::v4l2_frmsize_discrete { width, height });
        let sizes = parse_sizes(&[size(320, 240), size(640, 480), size(1280, 720)]);
        assert_eq!(sizes.contain((640, 480)), Some(true));
        assert_eq!(sizes.nearest((1000, 700), 2), [(1280, 720), (640, 480)]);
        assert_eq!(sizes.to_string(), "320×240, 640×480, 1280×720");
        assert_eq!(sizes.largest(), Some((1280, 720)));
        assert_eq!(parse_sizes(&[]).contain((1, 1)), None);
        assert!(parse_sizes(&[]).nearest((1, 1), 4).is_empty());
    }

    #[test]
    fn intervals_become_rates() {
        let interval = |numerator, denominator| raw::v4l2_fract {
            numerator,
            denominator,
        };
        let rates = parse_rates(&[
            RawInterval::Discrete(interval(1, 5)),
            RawInterval::Discrete(interval(1001, 30_000)),
            RawInterval::Discrete(interval(0, 0)),
        ]);
        assert_eq!(rates.to_string(), "5, 29.97");
        let range = parse_rates(&[RawInterval::Stepwise(raw::v4l2_frmival_stepwise {
            min: interval(1, 60),
            max: interval(1, 1),
            step: interval(1, 1000),
        })]);
        assert_eq!(range.to_string(), "1 to 60");
    }

    #[test]
    fn a_list_ends_where_the_kernel_says_so() {
        let ends = |errno| list(|index| if index < 3 { Ok(index) } else { Err(errno) });
        assert_eq!(ends(Errno::EINVAL), Ok(vec![0, 1, 2]));
        assert_eq!(ends(Errno::ENOTTY), Ok(vec![0, 1, 2]));
        assert_eq!(ends(Errno::ENODEV), Err(Errno::ENODEV));
    }
}
