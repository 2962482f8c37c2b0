//! Why a video device did not do as asked.

use std::path::PathBuf;

use dmaflow_core::Errno;
use dmaflow_core::fourcc::FourCc;
use dmaflow_core::frame::PoolError;
use dmaflow_core::layout::{Layout, LayoutError};
use dmaflow_core::stage::StageError;

use crate::inputs::Signal;

/// Why a video device did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum V4l2Error {
    /// The node could not be opened.
    #[error("cannot open {}{}", path.display(), open_advice(*.source))]
    Open {
        /// The node.
        path: PathBuf,
        /// ENOENT without such a node, EACCES without permission, ENODEV or ENXIO when its
        /// driver is gone, EBUSY when the driver lets one program in at a time.
        source: Errno,
    },
    /// The node is no video device.
    #[error("{} is no V4L2 node", path.display())]
    NotVideo {
        /// The node.
        path: PathBuf,
        /// ENOTTY.
        source: Errno,
    },
    /// No node is called so, or none of those does what is wanted.
    #[error(
        "no {wanted} is called `{asked}`; there {}",
        if known.is_empty() { "is none".to_owned() } else { format!("are: {}", known.join(", ")) }
    )]
    NoMatch {
        /// What kind of device was wanted: "camera".
        wanted: &'static str,
        /// What was asked for.
        asked: String,
        /// The devices of that kind, and the nodes that could not be asked.
        known: Vec<String>,
    },
    /// There is no device of that kind at all.
    #[error(
        "there is no {wanted}{}",
        if refused.is_empty() { String::new() } else { format!("; {}", refused.join("; ")) }
    )]
    NoDevice {
        /// What kind of device was wanted: "camera".
        wanted: &'static str,
        /// The nodes that could not be asked, and why.
        refused: Vec<String>,
    },
    /// An ioctl failed.
    #[error("{device}: cannot {doing}: {call} failed{}", meaning(call, *.source))]
    Call {
        /// Card, driver and node.
        device: String,
        /// What was being done, with its operands.
        doing: String,
        /// The ioctl.
        call: &'static str,
        /// What the kernel answered.
        source: Errno,
    },
    /// The driver has a format set that dmaflow does not know.
    #[error("{device} has the format `{code}`, which dmaflow does not know")]
    UnknownFormat {
        /// Card, driver and node.
        device: String,
        /// V4L2's code of it.
        code: FourCc,
    },
    /// The driver delivers fields, not whole pictures.
    #[error(
        "{device} delivers separate fields (V4L2 field order {field}); dmaflow takes whole \
         pictures only: choose a progressive mode"
    )]
    Fields {
        /// Card, driver and node.
        device: String,
        /// `enum v4l2_field`.
        field: u32,
    },
    /// The driver's strides and sizes fit no picture.
    #[error("{device} describes its {code} pictures in a way that cannot be")]
    Layout {
        /// Card, driver and node.
        device: String,
        /// V4L2's code of the format.
        code: FourCc,
        /// What does not fit.
        source: LayoutError,
    },
    /// The driver spreads the picture over a number of buffers that the format does not have.
    #[error("{device} spreads {code} over {buffers} buffers, which dmaflow cannot follow")]
    Buffers {
        /// Card, driver and node.
        device: String,
        /// V4L2's code of the format.
        code: FourCc,
        /// How many buffers.
        buffers: usize,
    },
    /// The driver can queue fewer frames than there are.
    #[error("{device} queues at most {most} frames, and {asked} were asked for: use fewer buffers")]
    TooManyFrames {
        /// Card, driver and node.
        device: String,
        /// How many frames were to be queued.
        asked: usize,
        /// How many the driver takes.
        most: usize,
    },
    /// The driver keeps room for itself before the picture, which the layout does not show.
    #[error(
        "{device} puts {offset} bytes of its own before its {format} pictures (data_offset): \
         choose another format"
    )]
    DataOffset {
        /// Card, driver and node.
        device: String,
        /// The format.
        format: &'static str,
        /// How many bytes.
        offset: u32,
    },
    /// The pool's frames do not look as the device reads or writes them.
    #[error("{device} {does} {expected}, and the pool's frames are {found}")]
    OtherLayout {
        /// Card, driver and node.
        device: String,
        /// "reads" or "writes".
        does: &'static str,
        /// What the device reads or writes.
        expected: Box<Layout>,
        /// What the pool has.
        found: Box<Layout>,
    },
    /// A pool with too few frames for the device to run.
    #[error("{device} needs {least} buffers queued to run, and the pool has {found}")]
    TooFewFrames {
        /// Card, driver and node.
        device: String,
        /// How many it needs.
        least: usize,
        /// How many there are.
        found: usize,
    },
    /// The pool cannot be watched.
    #[error("{device} cannot be told when a frame is free")]
    Pool {
        /// Card, driver and node.
        device: String,
        /// Why.
        source: PoolError,
    },
    /// A frame cannot be queued for a start.
    #[error("{device}: cannot queue frame {slot} again: VIDIOC_QBUF failed")]
    Requeue {
        /// Card, driver and node.
        device: String,
        /// Which frame.
        slot: usize,
        /// What the kernel answered.
        source: Errno,
    },
    /// A phase was left out.
    #[error("{device}: {missing} first")]
    Phase {
        /// Card, driver and node.
        device: String,
        /// What is missing.
        missing: &'static str,
    },
    /// No more frames can be had without a restart.
    #[error("{device}: VIDIOC_DQBUF failed: {meaning}")]
    Dequeue {
        /// Card, driver and node.
        device: String,
        /// What that means.
        meaning: &'static str,
        /// What the kernel answered.
        source: Errno,
    },
    /// No input is called so.
    #[error(
        "{device} has no input called `{asked}`; {}",
        if known.is_empty() { "it has none to choose".to_owned() } else { format!("it has: {}", known.join(", ")) }
    )]
    UnknownInput {
        /// Card, driver and node.
        device: String,
        /// What was asked for.
        asked: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// Nothing that it could deliver comes in.
    #[error("{device}: input `{input}` has {signal}")]
    NoSignal {
        /// Card, driver and node.
        device: String,
        /// The input's name.
        input: String,
        /// What is missing.
        signal: Signal,
        /// What the kernel answered: ENOLINK, ENOLCK or ERANGE.
        source: Errno,
    },
    /// No control is called so.
    #[error(
        "{device} has no control called `{asked}`{}; it has: {}",
        suggestion.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default(),
        list(.known)
    )]
    UnknownControl {
        /// Card, driver and node.
        device: String,
        /// What was asked for.
        asked: String,
        /// The name that is most like it.
        suggestion: Option<String>,
        /// The names there are.
        known: Vec<String>,
    },
    /// The control does not take such a value.
    #[error("{device}: control `{control}` takes {takes}, and not {value}")]
    ControlValue {
        /// Card, driver and node.
        device: String,
        /// The control's name.
        control: String,
        /// What it takes.
        takes: String,
        /// What it was to be set to.
        value: String,
    },
    /// The control cannot be set at all.
    #[error("{device}: control `{control}` cannot be set: {reason}")]
    ControlLocked {
        /// Card, driver and node.
        device: String,
        /// The control's name.
        control: String,
        /// Why.
        reason: &'static str,
    },
}

impl V4l2Error {
    /// The error number the kernel gave, where it was the kernel that refused.
    #[must_use]
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::Open { source, .. }
            | Self::NotVideo { source, .. }
            | Self::Call { source, .. }
            | Self::Requeue { source, .. }
            | Self::Dequeue { source, .. }
            | Self::NoSignal { source, .. } => Some(*source),
            _ => None,
        }
    }

    /// Whether it is that the device went away.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self.errno(), Some(Errno::ENODEV | Errno::ENXIO))
    }
}

impl From<V4l2Error> for StageError {
    fn from(error: V4l2Error) -> Self {
        match error {
            V4l2Error::Call { device, source, .. }
            | V4l2Error::Requeue { device, source, .. }
            | V4l2Error::Dequeue { device, source, .. }
                if matches!(source, Errno::ENODEV | Errno::ENXIO) =>
            {
                Self::Gone { device }
            }
            error => Self::failed(error),
        }
    }
}

/// What there is, in an error's words: names, or that there are none.
#[must_use]
pub fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// The sizes that a device has instead of one asked for, in an error's words.
#[must_use]
pub fn nearest_sizes(sizes: &[(u32, u32)]) -> String {
    if sizes.is_empty() {
        return "it does not list its sizes".to_owned();
    }
    let sizes: Vec<_> = sizes
        .iter()
        .map(|(width, height)| format!("{width}×{height}"))
        .collect();
    format!("the nearest it has: {}", sizes.join(", "))
}

fn open_advice(errno: Errno) -> &'static str {
    match errno {
        Errno::EACCES | Errno::EPERM => ": permission denied; add the user to the group `video`",
        Errno::ENODEV | Errno::ENXIO => ": its driver is gone",
        Errno::EBUSY => ": its driver lets one program in at a time, and another is in",
        _ => "",
    }
}

/// What an error number means for an ioctl, where it is not obvious.
fn meaning(call: &str, errno: Errno) -> &'static str {
    match (call, errno) {
        (_, Errno::ENODEV | Errno::ENXIO) => ": the device was unplugged or its driver unloaded",
        ("VIDIOC_S_FMT", Errno::EBUSY) => {
            ": another program streams from the device, or its buffers are still allocated"
        }
        ("VIDIOC_S_FMT", Errno::EINVAL) => ": the device has no such queue",
        ("VIDIOC_S_PARM" | "VIDIOC_S_EXT_CTRLS" | "VIDIOC_STREAMON", Errno::EBUSY) => {
            ": the device is in use by another program, or cannot change this while it streams"
        }
        ("VIDIOC_REQBUFS", Errno::EBUSY) => ": another program streams from the device",
        ("VIDIOC_REQBUFS", Errno::EINVAL) => {
            ": the driver cannot import dma-bufs (no V4L2_MEMORY_DMABUF), or rejected its set-up"
        }
        ("VIDIOC_STREAMON", Errno::EPIPE) => {
            ": formats or links of the media pipeline do not match (`dmaflow media` shows them)"
        }
        ("VIDIOC_STREAMON", Errno::ENOLINK) => {
            ": no sensor is linked to the node (`dmaflow media` shows the links)"
        }
        ("VIDIOC_STREAMON", Errno::EINVAL) => {
            ": the driver refused to start, or needs more buffers"
        }
        ("VIDIOC_STREAMON", Errno::EIO) => ": the camera does not answer",
        ("VIDIOC_STREAMON", Errno::ENOSPC) => ": the bus (USB) has no bandwidth left for it",
        ("MEDIA_IOC_SETUP_LINK", Errno::EBUSY) => {
            ": pictures flow over it, or its sink is linked to something else"
        }
        ("MEDIA_IOC_SETUP_LINK", Errno::EINVAL) => ": the driver does not let it be changed so",
        ("MEDIA_IOC_DEVICE_INFO", Errno::ENOTTY) => ": it is no media device",
        ("VIDIOC_SUBDEV_S_FMT", Errno::EBUSY) => ": another program streams from it",
        ("VIDIOC_S_EXT_CTRLS", Errno::EACCES) => ": the control is read-only",
        ("VIDIOC_S_EXT_CTRLS", Errno::ERANGE) => ": the value is out of range",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_to_do() {
        let open = V4l2Error::Open {
            path: "/dev/video0".into(),
            source: Errno::EACCES,
        };
        assert_eq!(
            open.to_string(),
            "cannot open /dev/video0: permission denied; add the user to the group `video`"
        );
        let busy = V4l2Error::Call {
            device: "cam (uvcvideo, /dev/video0)".to_owned(),
            doing: "set the format".to_owned(),
            call: "VIDIOC_S_FMT",
            source: Errno::EBUSY,
        };
        assert_eq!(
            busy.to_string(),
            "cam (uvcvideo, /dev/video0): cannot set the format: VIDIOC_S_FMT failed: another \
             program streams from the device, or its buffers are still allocated"
        );
        let none = V4l2Error::NoDevice {
            wanted: "camera",
            refused: vec![open.to_string()],
        };
        assert!(
            none.to_string()
                .starts_with("there is no camera; cannot open")
        );
    }
}
