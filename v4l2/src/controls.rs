//! A device's controls: brightness, exposure and whatever else its driver has.

mod value;

pub use value::ControlKind;

use dmaflow_core::Errno;
pub use dmaflow_core::stage::ControlValue;
use dmaflow_core::stage::{Controls, StageError};

use crate::device::{Direction, Handle, VideoDevice};
use crate::error::V4l2Error;
use crate::sys::{self, RawValue, raw};
use value::{Encoded, encode};

/// A control of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// `V4L2_CID_…`.
    pub id: u32,
    /// The driver's name for it: "Power Line Frequency".
    pub name: String,
    /// What it takes.
    pub kind: ControlKind,
    /// Why it cannot be set, where that is so.
    pub locked: Option<&'static str>,
}

impl Control {
    /// Its name as descriptions write it: "`power_line_frequency`".
    #[must_use]
    pub fn key(&self) -> String {
        key(&self.name)
    }
}

/// A control's name in lower case, everything but letters and digits as one underscore: what
/// `v4l2-ctl` calls it.
fn key(name: &str) -> String {
    let words: Vec<_> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("_")
}

impl VideoDevice {
    /// The controls of the device.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_QUERY_EXT_CTRL")]
    pub fn controls(&self) -> Result<Vec<Control>, V4l2Error> {
        self.handle().controls()
    }

    /// Sets a control by its name, written as the driver does or as [`Control::key`] does.
    ///
    /// # Errors
    /// [`V4l2Error::UnknownControl`], which lists what there is;
    /// [`V4l2Error::ControlValue`]; [`V4l2Error::ControlLocked`]; [`V4l2Error::Call`]: EBUSY
    /// while another program or the stream holds it, ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_S_EXT_CTRLS")]
    pub fn set_control(&self, name: &str, value: &ControlValue) -> Result<(), V4l2Error> {
        self.handle().set_control(name, value)
    }

    /// Sets a menu, or another control of 32 bits, by its id.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]: EINVAL when there is no such control or entry, EBUSY while the stream
    /// holds it, ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_S_EXT_CTRLS")]
    pub fn set_menu(&self, id: u32, entry: i32) -> Result<(), V4l2Error> {
        let doing = format!("set control {id:#x} to {entry}");
        sys::set_ext_ctrl(self.fd(), id, RawValue::Short(entry))
            .map_err(self.failed("VIDIOC_S_EXT_CTRLS", doing))
    }

    /// The value of a menu, or of another control of 32 bits, by its id; `None` where there is
    /// none.
    #[must_use]
    #[doc(alias = "VIDIOC_G_CTRL")]
    pub fn menu(&self, id: u32) -> Option<i32> {
        sys::get_ctrl(self.fd(), id).ok()
    }

    /// How many buffers the driver wants queued to run, where it says.
    #[must_use]
    #[doc(alias = "V4L2_CID_MIN_BUFFERS_FOR_CAPTURE")]
    #[doc(alias = "V4L2_CID_MIN_BUFFERS_FOR_OUTPUT")]
    pub fn min_buffers(&self, direction: Direction) -> Option<usize> {
        let id = match direction {
            Direction::Capture => raw::V4L2_CID_MIN_BUFFERS_FOR_CAPTURE,
            Direction::Output => raw::V4L2_CID_MIN_BUFFERS_FOR_OUTPUT,
        };
        let count = sys::get_ctrl(self.fd(), id).ok()?;
        usize::try_from(count).ok().filter(|count| *count > 0)
    }
}

/// Controls are the same for a video node and a sub-device's node.
impl Handle<'_> {
    pub(crate) fn controls(&self) -> Result<Vec<Control>, V4l2Error> {
        let mut controls = Vec::new();
        let mut id = 0;
        loop {
            match sys::query_ext_ctrl(self.fd, id) {
                Ok(control) => {
                    id = control.id;
                    controls.extend(self.parse(&control)?);
                }
                Err(Errno::EINVAL | Errno::ENOTTY) => return Ok(controls),
                Err(errno) => {
                    return Err(self.failed("VIDIOC_QUERY_EXT_CTRL", "list its controls")(
                        errno,
                    ));
                }
            }
        }
    }

    fn parse(&self, control: &raw::v4l2_query_ext_ctrl) -> Result<Option<Control>, V4l2Error> {
        let kind = match control.type_ {
            raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_CTRL_CLASS => return Ok(None),
            _ if control.nr_of_dims > 0 => ControlKind::Other(control.type_),
            raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER
            | raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_BITMASK => integer(control, false),
            raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER64 => integer(control, true),
            raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_BOOLEAN => ControlKind::Boolean,
            raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_BUTTON => ControlKind::Button,
            raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_STRING => ControlKind::Text {
                max: usize::try_from(control.maximum).unwrap_or_default(),
            },
            raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU => {
                ControlKind::Menu(self.menu(control, |bytes| sys::text(&bytes))?)
            }
            raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER_MENU => {
                ControlKind::Menu(self.menu(control, |bytes| {
                    let (number, _rest) = bytes.split_first_chunk().unwrap_or((&[0; 8], &[]));
                    i64::from_ne_bytes(*number).to_string()
                })?)
            }
            other => ControlKind::Other(other),
        };
        Ok(Some(Control {
            id: control.id,
            // A `char` of C has no sign on Arm.
            name: sys::text(&control.name.map(|char| char.to_ne_bytes()[0])),
            kind,
            locked: locked(control.flags),
        }))
    }

    fn menu(
        &self,
        control: &raw::v4l2_query_ext_ctrl,
        text: fn([u8; 32]) -> String,
    ) -> Result<Vec<(u32, String)>, V4l2Error> {
        let first = u32::try_from(control.minimum).unwrap_or_default();
        let last = u32::try_from(control.maximum).unwrap_or_default();
        let mut entries = Vec::new();
        for index in first..=last {
            match sys::query_menu(self.fd, control.id, index) {
                Ok(bytes) => entries.push((index, text(bytes))),
                // Menus may leave numbers out.
                Err(Errno::EINVAL) => {}
                Err(errno) => {
                    return Err(self.failed("VIDIOC_QUERYMENU", "list a menu's entries")(
                        errno,
                    ));
                }
            }
        }
        Ok(entries)
    }

    pub(crate) fn set_control(&self, name: &str, value: &ControlValue) -> Result<(), V4l2Error> {
        let controls = self.controls()?;
        let control = find(&controls, name).ok_or_else(|| V4l2Error::UnknownControl {
            device: self.to_string(),
            asked: name.to_owned(),
            suggestion: suggestion(&controls, name),
            known: controls.iter().map(Control::key).collect(),
        })?;
        if let Some(reason) = control.locked {
            return Err(V4l2Error::ControlLocked {
                device: self.to_string(),
                control: control.key(),
                reason,
            });
        }
        let mut text;
        let raw = match encode(&control.kind, value) {
            Some(Encoded::Short(number)) => RawValue::Short(number),
            Some(Encoded::Long(number)) => RawValue::Long(number),
            Some(Encoded::Text(bytes)) => {
                text = bytes;
                RawValue::Text(&mut text)
            }
            None => {
                return Err(V4l2Error::ControlValue {
                    device: self.to_string(),
                    control: control.key(),
                    takes: control.kind.to_string(),
                    value: value.to_string(),
                });
            }
        };
        sys::set_ext_ctrl(self.fd, control.id, raw).map_err(self.failed(
            "VIDIOC_S_EXT_CTRLS",
            format!("set control `{}` to {value}", control.key()),
        ))
    }
}

impl Controls for VideoDevice {
    fn set(&self, name: &str, value: &ControlValue) -> Result<(), StageError> {
        Ok(self.set_control(name, value)?)
    }
}

const fn integer(control: &raw::v4l2_query_ext_ctrl, long: bool) -> ControlKind {
    ControlKind::Integer {
        min: control.minimum,
        max: control.maximum,
        step: control.step,
        long,
    }
}

fn locked(flags: u32) -> Option<&'static str> {
    let has = |flag: u32| flags & flag != 0;
    if has(raw::V4L2_CTRL_FLAG_DISABLED) {
        Some("the driver has switched it off")
    } else if has(raw::V4L2_CTRL_FLAG_READ_ONLY) {
        Some("it is read-only")
    } else if has(raw::V4L2_CTRL_FLAG_GRABBED) {
        Some("it is in use by another program or a stream")
    } else {
        None
    }
}

pub(crate) fn find<'a>(controls: &'a [Control], name: &str) -> Option<&'a Control> {
    let wanted = key(name);
    controls.iter().find(|control| control.key() == wanted)
}

/// The name that shares the most words or the longest beginning with what was asked.
fn suggestion(controls: &[Control], asked: &str) -> Option<String> {
    let asked = key(asked);
    let likeness = |name: &str| {
        let words = asked
            .split('_')
            .filter(|word| name.split('_').any(|other| other == *word));
        let beginning = asked.chars().zip(name.chars()).take_while(|(a, b)| a == b);
        (words.count(), beginning.count())
    };
    controls
        .iter()
        .map(Control::key)
        .map(|name| (likeness(&name), name))
        .filter(|((words, beginning), _name)| *words > 0 || *beginning >= 3)
        .max_by_key(|(likeness, _name)| *likeness)
        .map(|(_likeness, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(name: &str, kind: ControlKind) -> Control {
        Control {
            id: 1,
            name: name.to_owned(),
            kind,
            locked: None,
        }
    }

    #[test]
    fn names_are_found_however_they_are_written() {
        let controls = [
            control("Brightness", ControlKind::Button),
            control("Power Line Frequency", ControlKind::Boolean),
            control("Exposure, Auto", ControlKind::Boolean),
        ];
        for (asked, name) in [
            ("brightness", "Brightness"),
            ("BRIGHTNESS", "Brightness"),
            ("power_line_frequency", "Power Line Frequency"),
            ("Power Line Frequency", "Power Line Frequency"),
            ("exposure_auto", "Exposure, Auto"),
        ] {
            let found = find(&controls, asked).map(|control| control.name.as_str());
            assert_eq!(found, Some(name), "{asked}");
        }
        assert_eq!(find(&controls, "bright"), None);
        assert_eq!(
            suggestion(&controls, "bright").as_deref(),
            Some("brightness")
        );
        let frequency = suggestion(&controls, "line_frequency");
        assert_eq!(frequency.as_deref(), Some("power_line_frequency"));
        assert_eq!(suggestion(&controls, "zzz"), None);
    }
}
