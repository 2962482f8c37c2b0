//! A video device: a node of a V4L2 driver, opened.

mod nodes;

pub(crate) use nodes::numbered;
pub use nodes::{Function, VideoNode, video_nodes};

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use dmaflow_core::Errno;
use dmaflow_core::stage::DeviceKey;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::error::V4l2Error;
use crate::sys::{self, raw};

/// Who a driver is, and what one of its nodes can do (`struct v4l2_capability`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The driver's name: "uvcvideo".
    pub driver: String,
    /// The device's name: "Integrated Camera".
    pub card: String,
    /// Where it is plugged in: "usb-0000:00:14.0-8".
    pub bus: String,
    /// `V4L2_CAP_…` of this node.
    flags: u32,
}

impl Capabilities {
    fn parse(kernel: &raw::v4l2_capability) -> Self {
        // Old drivers speak for the whole device only.
        let flags = if kernel.capabilities & raw::V4L2_CAP_DEVICE_CAPS == 0 {
            kernel.capabilities
        } else {
            kernel.device_caps
        };
        Self {
            driver: sys::text(&kernel.driver),
            card: sys::text(&kernel.card),
            bus: sys::text(&kernel.bus_info),
            flags,
        }
    }

    /// Who the device is from boot to boot.
    #[must_use]
    pub fn key(&self) -> DeviceKey {
        DeviceKey {
            driver: self.driver.clone(),
            bus: self.bus.clone(),
            name: self.card.clone(),
        }
    }

    const fn any(&self, flags: u32) -> bool {
        self.flags & flags != 0
    }

    /// Whether pictures come out of it and none go in: a camera or a video input.
    #[must_use]
    pub const fn captures(&self) -> bool {
        self.any(raw::V4L2_CAP_VIDEO_CAPTURE | raw::V4L2_CAP_VIDEO_CAPTURE_MPLANE)
            && self.any(raw::V4L2_CAP_STREAMING)
    }

    /// Whether pictures or streams go in and come out: a codec, a scaler.
    #[must_use]
    pub const fn converts(&self) -> bool {
        self.any(raw::V4L2_CAP_VIDEO_M2M | raw::V4L2_CAP_VIDEO_M2M_MPLANE)
            && self.any(raw::V4L2_CAP_STREAMING)
    }

    /// Whether its queues are of the multi-planar kind, where a frame may have several buffers.
    #[must_use]
    pub const fn is_multiplanar(&self) -> bool {
        self.any(raw::V4L2_CAP_VIDEO_CAPTURE_MPLANE | raw::V4L2_CAP_VIDEO_M2M_MPLANE)
    }

    /// Whether formats and links must be set up through the media controller before
    /// (`V4L2_CAP_IO_MC`).
    #[must_use]
    pub const fn needs_media_controller(&self) -> bool {
        self.any(raw::V4L2_CAP_IO_MC)
    }
}

/// Which way pictures travel through a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the device to us.
    Capture,
    /// From us to the device.
    Output,
}

/// An open node of a V4L2 driver. Dropping it closes the node, which stops whatever it was doing.
///
/// Cameras are in blocking mode: a source waits inside DQBUF, one system call a frame. Devices
/// that make pictures of pictures are not, see `wait.rs`.
///
/// # Invariants
/// A driver behind `fd` has answered `VIDIOC_QUERYCAP`.
#[derive(Debug)]
pub struct VideoDevice {
    fd: OwnedFd,
    path: PathBuf,
    capabilities: Capabilities,
    pub(crate) source_changed: Noted,
}

/// That something happened, until somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Noted(AtomicBool);

impl Noted {
    pub(crate) fn note(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

impl VideoDevice {
    /// Opens a node.
    ///
    /// *Needs:* read and write permission for the node, which the group `video` has.
    ///
    /// # Errors
    /// [`V4l2Error::Open`], and [`V4l2Error::NotVideo`] when it is something else.
    #[doc(alias = "VIDIOC_QUERYCAP")]
    pub fn open(path: &Path) -> Result<Self, V4l2Error> {
        let owned = || path.to_owned();
        let fd = open(path, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).map_err(|source| {
            V4l2Error::Open {
                path: owned(),
                source,
            }
        })?;
        let kernel = sys::query_cap(fd.as_fd()).map_err(|source| match source {
            Errno::ENOTTY => V4l2Error::NotVideo {
                path: owned(),
                source,
            },
            source => V4l2Error::Open {
                path: owned(),
                source,
            },
        })?;
        let device = Self {
            fd,
            path: owned(),
            capabilities: Capabilities::parse(&kernel),
            source_changed: Noted::default(),
        };
        if device.capabilities.converts() {
            device
                .set_non_blocking()
                .map_err(|source| V4l2Error::Open {
                    path: owned(),
                    source,
                })?;
        }
        Ok(device)
    }

    /// Who the driver is and what the node can do.
    #[must_use]
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The node.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the device went away since it was opened.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(sys::query_cap(self.fd()), Err(Errno::ENODEV | Errno::ENXIO))
    }

    /// Whether the driver imports dma-bufs in this direction; `None` when it cannot be asked,
    /// as while another program streams.
    #[doc(alias = "VIDIOC_REQBUFS")]
    #[must_use]
    pub fn imports(&self, direction: Direction) -> Option<bool> {
        // A request for no buffers changes nothing, and fails where the kind is not known.
        match sys::request_buffers(self.fd(), self.queue_type(direction), 0) {
            Ok(_granted) => Some(true),
            Err(Errno::EINVAL) => Some(false),
            Err(_busy) => None,
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The node and its name, for what a sub-device's node has in common with it.
    pub(crate) fn handle(&self) -> Handle<'_> {
        Handle {
            fd: self.fd(),
            name: self.to_string(),
        }
    }

    /// The number of the queue for this direction, `enum v4l2_buf_type`.
    pub(crate) const fn queue_type(&self, direction: Direction) -> u32 {
        match (direction, self.capabilities.is_multiplanar()) {
            (Direction::Capture, false) => raw::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE,
            (Direction::Capture, true) => raw::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
            (Direction::Output, false) => raw::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT,
            (Direction::Output, true) => raw::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE,
        }
    }

    /// The error for an ioctl of this device that failed.
    pub(crate) fn failed(
        &self,
        call: &'static str,
        doing: impl Into<String>,
    ) -> impl FnOnce(Errno) -> V4l2Error {
        call_failed(self.to_string(), doing.into(), call)
    }
}

/// An open node of V4L2 or the media controller, and its name in errors.
#[derive(Debug)]
pub(crate) struct Handle<'a> {
    pub(crate) fd: BorrowedFd<'a>,
    pub(crate) name: String,
}

impl Handle<'_> {
    /// The error for an ioctl of this node that failed.
    pub(crate) fn failed<T: Into<String>>(
        &self,
        call: &'static str,
        doing: T,
    ) -> impl FnOnce(Errno) -> V4l2Error + use<T> {
        call_failed(self.name.clone(), doing.into(), call)
    }
}

fn call_failed(
    device: String,
    doing: String,
    call: &'static str,
) -> impl FnOnce(Errno) -> V4l2Error {
    move |source| V4l2Error::Call {
        device,
        doing,
        call,
        source,
    }
}

impl fmt::Display for Handle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl fmt::Display for VideoDevice {
    /// Writes card, driver and node: "vivid-000 (vivid, /dev/video0)".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Capabilities { card, driver, .. } = &self.capabilities;
        write!(f, "{card} ({driver}, {})", self.path.display())
    }
}
