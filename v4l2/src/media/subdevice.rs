//! Sub-devices: the nodes of sensors and processing steps.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use dmaflow_core::Errno;
use dmaflow_core::time::Rate;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::ask::PadFormat;
use super::mbus_code::MbusCode;
use super::topology::{Pad, PadDirection, PadId, Topology};
use crate::controls::{Control, ControlValue};
use crate::device::Handle;
use crate::error::V4l2Error;
use crate::modes::{FrameSizes, list, rate_of};
use crate::sys::subdev::{BusFormat, Rect, Which};
use crate::sys::{raw, subdev};

/// What a pad is to its entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Pictures arise there: a crop is the sensor's own business.
    Sensor,
    /// Pictures enter.
    In,
    /// What entered leaves.
    Out,
}

impl Role {
    pub(super) fn of(topology: &Topology, pad: PadId) -> Self {
        let pads = topology
            .entity(pad.entity)
            .map_or(&[][..], |it| &it.pads[..]);
        let is_sink = |of: &Pad| of.direction == PadDirection::Sink;
        if pads.iter().any(|of| of.index == pad.index && is_sink(of)) {
            Self::In
        } else if pads.iter().any(is_sink) {
            Self::Out
        } else {
            Self::Sensor
        }
    }
}

/// An open node of a sub-device. Formats that are tried through it are its own.
#[derive(Debug)]
pub struct Subdevice {
    fd: OwnedFd,
    name: String,
    is_read_only: bool,
}

impl Subdevice {
    /// Opens the node of the entity that is called so.
    ///
    /// *Needs:* read and write permission for the node, which the group `video` has.
    ///
    /// # Errors
    /// [`V4l2Error::Open`].
    #[doc(alias = "VIDIOC_SUBDEV_QUERYCAP")]
    pub fn open(path: &Path, entity: &str) -> Result<Self, V4l2Error> {
        let fd = open(path, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).map_err(|source| {
            V4l2Error::Open {
                path: path.to_owned(),
                source,
            }
        })?;
        let read_only = |flags| flags & subdev::CAP_READ_ONLY != 0;
        let is_read_only = subdev::query_cap(fd.as_fd()).is_ok_and(read_only);
        Ok(Self {
            fd,
            name: format!("{entity} ({})", path.display()),
            is_read_only,
        })
    }

    /// Whether its formats and rate are its driver's alone, to be looked at and tried only.
    #[must_use]
    pub const fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// Refuses to set what is the driver's alone, as the kernel would with a bare EPERM.
    fn may_set(&self, which: Which, call: &'static str) -> Result<(), V4l2Error> {
        if self.is_read_only && which == Which::Active {
            let doing = "set up a sub-device that is its driver's alone";
            return Err(self.failed(call, doing)(Errno::EROFS));
        }
        Ok(())
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn handle(&self) -> Handle<'_> {
        Handle {
            fd: self.fd(),
            name: self.name.clone(),
        }
    }

    fn failed<T: Into<String>>(
        &self,
        call: &'static str,
        doing: T,
    ) -> impl FnOnce(Errno) -> V4l2Error + use<T> {
        self.handle().failed(call, doing)
    }

    /// The controls that it has.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    pub fn controls(&self) -> Result<Vec<Control>, V4l2Error> {
        self.handle().controls()
    }

    /// Sets a control by its name, as [`VideoDevice::set_control`](crate::VideoDevice::set_control) does.
    ///
    /// # Errors
    /// As [`VideoDevice::set_control`](crate::VideoDevice::set_control).
    pub fn set_control(&self, name: &str, value: &ControlValue) -> Result<(), V4l2Error> {
        self.handle().set_control(name, value)
    }

    /// The codes that a pad has.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_SUBDEV_ENUM_MBUS_CODE")]
    pub fn codes(&self, pad: u16) -> Result<Vec<MbusCode>, V4l2Error> {
        let codes = list(|index| subdev::enum_mbus_code(self.fd(), pad, index));
        let doing = format!("list the media bus codes of pad {pad}");
        let codes = codes.map_err(self.failed("VIDIOC_SUBDEV_ENUM_MBUS_CODE", doing))?;
        Ok(codes.into_iter().map(MbusCode).collect())
    }

    /// The sizes that a pad has for a code. A driver may list several ranges; all that lies
    /// between the smallest and the largest counts then.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_SUBDEV_ENUM_FRAME_SIZE")]
    pub fn sizes(&self, pad: u16, code: MbusCode) -> Result<FrameSizes, V4l2Error> {
        let ranges = list(|index| subdev::enum_frame_size(self.fd(), pad, code.0, index));
        let doing = format!("list the sizes of {code} of pad {pad}");
        let ranges = ranges.map_err(self.failed("VIDIOC_SUBDEV_ENUM_FRAME_SIZE", doing))?;
        Ok(sizes_of(&ranges))
    }

    /// The format that is set on a pad.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; EINVAL when there is no such pad, ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_SUBDEV_G_FMT")]
    pub fn format(&self, pad: u16) -> Result<PadFormat, V4l2Error> {
        Ok(parse(self.get(pad, Which::Active)?))
    }

    pub(super) fn get(&self, pad: u16, which: Which) -> Result<BusFormat, V4l2Error> {
        let doing = format!("ask for the format of pad {pad}");
        subdev::get_fmt(self.fd(), pad, which).map_err(self.failed("VIDIOC_SUBDEV_G_FMT", doing))
    }

    pub(super) fn set(
        &self,
        pad: u16,
        which: Which,
        format: BusFormat,
    ) -> Result<BusFormat, V4l2Error> {
        self.may_set(which, "VIDIOC_SUBDEV_S_FMT")?;
        let doing = format!("set pad {pad} to {}", parse(format));
        subdev::set_fmt(self.fd(), pad, which, format)
            .map_err(self.failed("VIDIOC_SUBDEV_S_FMT", doing))
    }

    /// Sets a pad, and crops nothing away: a crop that is smaller than what comes in stays so
    /// when a format grows, and some drivers give just what it lets through.
    pub(super) fn set_uncropped(
        &self,
        pad: u16,
        role: Role,
        which: Which,
        format: BusFormat,
    ) -> Result<BusFormat, V4l2Error> {
        if role == Role::Out
            && let Some(bounds) = self.rect(pad, which, raw::V4L2_SEL_TGT_CROP_BOUNDS)
        {
            self.open_crop(pad, which, bounds);
        }
        let got = self.set(pad, which, format)?;
        if role == Role::In {
            let all = Rect {
                left: 0,
                top: 0,
                width: got.width,
                height: got.height,
            };
            self.open_crop(pad, which, all);
        }
        Ok(got)
    }

    fn open_crop(&self, pad: u16, which: Which, all: Rect) {
        let crop = self.rect(pad, which, raw::V4L2_SEL_TGT_CROP);
        if crop.is_some_and(|crop| crop != all)
            && let Err(error) = self.set_rect(pad, which, raw::V4L2_SEL_TGT_CROP, all)
        {
            // What comes out then tells.
            tracing::debug!(%error, "a crop stays");
        }
    }

    /// The rectangle of a target, where the pad has one.
    pub(super) fn rect(&self, pad: u16, which: Which, target: u32) -> Option<Rect> {
        subdev::get_selection(self.fd(), pad, which, target).ok()
    }

    pub(super) fn set_rect(
        &self,
        pad: u16,
        which: Which,
        target: u32,
        rect: Rect,
    ) -> Result<(), V4l2Error> {
        self.may_set(which, "VIDIOC_SUBDEV_S_SELECTION")?;
        let doing = format!("set a rectangle of pad {pad}");
        subdev::set_selection(self.fd(), pad, which, target, rect)
            .map_err(self.failed("VIDIOC_SUBDEV_S_SELECTION", doing))
    }

    /// How often a pad gives a picture; `None` where that is not set by a rate.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_SUBDEV_G_FRAME_INTERVAL")]
    pub fn rate(&self, pad: u16) -> Result<Option<Rate>, V4l2Error> {
        match subdev::get_frame_interval(self.fd(), pad) {
            Ok(interval) => Ok(rate_of(interval)),
            Err(Errno::ENOTTY | Errno::EINVAL) => Ok(None),
            Err(errno) => {
                let doing = format!("ask for the rate of pad {pad}");
                Err(self.failed("VIDIOC_SUBDEV_G_FRAME_INTERVAL", doing)(errno))
            }
        }
    }

    /// Asks for a rate and returns the one that the driver chose; `None` where it has no say.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; EBUSY while the device streams, ENODEV when it is gone, EROFS when
    /// its rate is its driver's alone.
    #[doc(alias = "VIDIOC_SUBDEV_S_FRAME_INTERVAL")]
    pub fn set_rate(&self, pad: u16, rate: Rate) -> Result<Option<Rate>, V4l2Error> {
        self.may_set(Which::Active, "VIDIOC_SUBDEV_S_FRAME_INTERVAL")?;
        let interval = raw::v4l2_fract {
            numerator: rate.seconds(),
            denominator: rate.frames(),
        };
        match subdev::set_frame_interval(self.fd(), pad, interval) {
            Ok(interval) => Ok(rate_of(interval)),
            Err(Errno::ENOTTY | Errno::EINVAL) => Ok(None),
            Err(errno) => {
                let doing = format!("set {rate} frames a second on pad {pad}");
                Err(self.failed("VIDIOC_SUBDEV_S_FRAME_INTERVAL", doing)(errno))
            }
        }
    }

    /// The rates that a pad has for a format; empty where it does not list them.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_SUBDEV_ENUM_FRAME_INTERVAL")]
    pub fn rates(&self, pad: u16, format: PadFormat) -> Result<Vec<Rate>, V4l2Error> {
        let PadFormat { code, size } = format;
        let rates = list(|at| subdev::enum_frame_interval(self.fd(), pad, code.0, size, at));
        let doing = format!("list the rates of {format} of pad {pad}");
        let rates = rates.map_err(self.failed("VIDIOC_SUBDEV_ENUM_FRAME_INTERVAL", doing))?;
        Ok(rates.into_iter().filter_map(rate_of).collect())
    }
}

impl fmt::Display for Subdevice {
    /// Writes entity and node: "Sensor A (/dev/v4l-subdev0)".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

fn sizes_of(ranges: &[[(u32, u32); 2]]) -> FrameSizes {
    let [first, rest @ ..] = ranges else {
        return FrameSizes::Unknown;
    };
    if ranges.iter().all(|[min, max]| min == max) {
        return FrameSizes::Discrete(ranges.iter().map(|[size, _same]| *size).collect());
    }
    let [mut min, mut max] = *first;
    for [smallest, largest] in rest {
        min = (min.0.min(smallest.0), min.1.min(smallest.1));
        max = (max.0.max(largest.0), max.1.max(largest.1));
    }
    FrameSizes::Stepwise {
        min,
        max,
        step: (1, 1),
    }
}

pub(super) fn parse(format: BusFormat) -> PadFormat {
    PadFormat {
        code: MbusCode(format.code),
        size: (format.width, format.height),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_sizes() {
        assert_eq!(sizes_of(&[]), FrameSizes::Unknown);
        let modes = [[(640, 480); 2], [(1280, 720); 2]];
        let FrameSizes::Discrete(modes) = sizes_of(&modes) else {
            panic!("modes are discrete");
        };
        assert_eq!(modes, [(640, 480), (1280, 720)]);
        let range = sizes_of(&[[(16, 16), (4096, 2160)], [(8, 32), (64, 4096)]]);
        assert_eq!(range.contain((4096, 4096)), Some(true));
        assert_eq!(range.contain((4, 16)), Some(false));
    }
}
