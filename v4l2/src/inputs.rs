//! Inputs of a receiver, and the signals on them.

use std::fmt;

use dmaflow_core::Errno;
use dmaflow_core::time::Rate;

use crate::device::VideoDevice;
use crate::error::V4l2Error;
use crate::sys::{self, raw};

/// An input of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its number.
    pub index: u32,
    /// The driver's name for it: "HDMI 0".
    pub name: String,
    /// The signal on it has timings of its own, as on HDMI, which the receiver must be set to.
    pub has_timings: bool,
}

impl Input {
    fn parse(kernel: &raw::v4l2_input) -> Self {
        Self {
            index: kernel.index,
            name: sys::text(&kernel.name),
            has_timings: kernel.capabilities & raw::V4L2_IN_CAP_DV_TIMINGS != 0,
        }
    }

    fn is_called(&self, asked: &str) -> bool {
        self.name.eq_ignore_ascii_case(asked) || self.index.to_string() == asked
    }
}

/// Why there is no picture on an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// ENOLINK.
    Missing,
    /// ENOLCK.
    Unlocked,
    /// ERANGE.
    OutOfRange,
}

impl Signal {
    /// The same in two or three words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "no signal",
            Self::Unlocked => "no lock",
            Self::OutOfRange => "out of range",
        }
    }

    const fn of(errno: Errno) -> Option<Self> {
        match errno {
            Errno::ENOLINK => Some(Self::Missing),
            Errno::ENOLCK => Some(Self::Unlocked),
            Errno::ERANGE => Some(Self::OutOfRange),
            _ => None,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no signal: nothing is plugged in, or its source is switched off",
            Self::Unlocked => {
                "no lock: a signal is there, but too unsteady; look at the cable and its length"
            }
            Self::OutOfRange => {
                "a signal out of range: set its source to a smaller size or a lower rate"
            }
        })
    }
}

/// The timings of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Whether it comes in fields.
    pub interlaced: bool,
    /// Frames a second.
    pub rate: Option<Rate>,
}

impl Timings {
    fn parse(kernel: &raw::v4l2_dv_timings) -> Option<Self> {
        let bt = sys::bt_timings(kernel)?;
        let sum = |parts: [u32; 4]| parts.into_iter().try_fold(0, u32::checked_add);
        let rate = || {
            let columns = sum([bt.width, bt.hfrontporch, bt.hsync, bt.hbackporch])?;
            let rows = sum([bt.height, bt.vfrontporch, bt.vsync, bt.vbackporch])?;
            let clock = u32::try_from(bt.pixelclock).ok()?;
            Rate::new(clock, columns.checked_mul(rows)?)
        };
        Some(Self {
            size: (bt.width, bt.height),
            interlaced: bt.interlaced != 0,
            rate: rate(),
        })
    }
}

impl VideoDevice {
    /// Its inputs; empty where the driver does not count them.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_ENUMINPUT")]
    pub fn inputs(&self) -> Result<Vec<Input>, V4l2Error> {
        let mut inputs = Vec::new();
        loop {
            let index = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
            match sys::enum_input(self.fd(), index) {
                Ok(input) => inputs.push(Input::parse(&input)),
                Err(Errno::EINVAL | Errno::ENOTTY | Errno::ENODATA) => return Ok(inputs),
                Err(errno) => {
                    return Err(self.failed("VIDIOC_ENUMINPUT", "list its inputs")(errno));
                }
            }
        }
    }

    /// The input that is chosen, where it has inputs.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_G_INPUT")]
    pub fn input(&self) -> Result<Option<Input>, V4l2Error> {
        let found = sys::get_input(self.fd()).and_then(|index| sys::enum_input(self.fd(), index));
        match found {
            Ok(input) => Ok(Some(Input::parse(&input))),
            Err(Errno::EINVAL | Errno::ENOTTY | Errno::ENODATA) => Ok(None),
            Err(errno) => Err(self.failed("VIDIOC_G_INPUT", "ask for its input")(errno)),
        }
    }

    /// Chooses the input of this name or number; one that is chosen already is left alone.
    ///
    /// # Errors
    /// [`V4l2Error::UnknownInput`], which lists what there is; [`V4l2Error::Call`]: EBUSY while
    /// another program streams or frames are queued, ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_S_INPUT")]
    pub fn set_input(&self, asked: &str) -> Result<Input, V4l2Error> {
        let inputs = self.inputs()?;
        let Some(input) = inputs.iter().find(|input| input.is_called(asked)) else {
            return Err(V4l2Error::UnknownInput {
                device: self.to_string(),
                asked: asked.to_owned(),
                known: inputs.into_iter().map(|input| input.name).collect(),
            });
        };
        // Some drivers reset the format with every choice.
        if self.input()?.as_ref() != Some(input) {
            sys::set_input(self.fd(), input.index)
                .map_err(self.failed("VIDIOC_S_INPUT", format!("choose input `{}`", input.name)))?;
        }
        Ok(input.clone())
    }

    /// The timings of the signal on the input that is chosen; `None` where the driver cannot
    /// tell.
    ///
    /// # Errors
    /// [`V4l2Error::NoSignal`] without a signal that it can take; [`V4l2Error::Call`]; ENODEV
    /// when the device is gone.
    #[doc(alias = "VIDIOC_QUERY_DV_TIMINGS")]
    pub fn signal(&self, input: &Input) -> Result<Option<Timings>, V4l2Error> {
        let timings = self.query_timings(input)?;
        Ok(timings.as_ref().and_then(Timings::parse))
    }

    /// Sets the receiver to the signal on its input, and tells its timings; `None` where the
    /// driver cannot tell them.
    ///
    /// # Errors
    /// As [`VideoDevice::signal`]; EBUSY while frames are queued.
    #[doc(alias = "VIDIOC_S_DV_TIMINGS")]
    pub fn follow_signal(&self, input: &Input) -> Result<Option<Timings>, V4l2Error> {
        let Some(timings) = self.query_timings(input)? else {
            return Ok(None);
        };
        sys::set_dv_timings(self.fd(), timings).map_err(self.failed(
            "VIDIOC_S_DV_TIMINGS",
            format!("set input `{}` to its signal", input.name),
        ))?;
        Ok(Timings::parse(&timings))
    }

    fn query_timings(&self, input: &Input) -> Result<Option<raw::v4l2_dv_timings>, V4l2Error> {
        match sys::query_dv_timings(self.fd()) {
            Ok(timings) => Ok(Some(timings)),
            Err(Errno::ENOTTY | Errno::ENODATA | Errno::EINVAL) => Ok(None),
            Err(source) => Err(match Signal::of(source) {
                Some(signal) => V4l2Error::NoSignal {
                    device: self.to_string(),
                    input: input.name.clone(),
                    signal,
                    source,
                },
                None => self.failed("VIDIOC_QUERY_DV_TIMINGS", "ask what comes in")(source),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_have_names_and_numbers() {
        let input = Input {
            index: 1,
            name: "HDMI 0".to_owned(),
            has_timings: true,
        };
        assert!(input.is_called("hdmi 0") && input.is_called("1"));
        assert!(!input.is_called("0") && !input.is_called("hdmi"));
    }

    #[test]
    fn what_is_missing_is_told_apart() {
        let told = [Errno::ENOLINK, Errno::ENOLCK, Errno::ERANGE]
            .map(|errno| Signal::of(errno).unwrap().to_string());
        assert!(told[0].starts_with("no signal"));
        assert!(told[1].starts_with("no lock"));
        assert!(told[2].contains("out of range"));
        assert_eq!(Signal::of(Errno::ENODEV), None);
    }
}
