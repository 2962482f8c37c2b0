//! Requests: what a stateless device is told of one picture and given for it, all at once.
//!
//! ```text
//!           controls, a frame          queue                   the driver
//!   empty ────────────────────▶ filled ──────▶ with the driver ─────────▶ done
//!     ▲                           │                                         │
//!     └───────────────────────────┴──────────────────── reinit ─────────────┘
//! ```
//!
//! Requests belong to the media device of a video node. Their descriptors are used again and
//! again: nothing is opened per picture (`Documentation/userspace-api/media/mediactl/request-api.rst`).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use dmaflow_core::Errno;

use crate::device::VideoDevice;
use crate::error::V4l2Error;
use crate::media::{MediaDevice, MediaError};
use crate::sys::{self, MOST_VALUES, Value, media_request};

/// A request of a media device. Dropping it lets go of what is in it, unless its driver has it.
#[derive(Debug)]
pub struct MediaRequest {
    fd: OwnedFd,
}

impl MediaRequest {
    /// Makes one.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]: ENOTTY where the driver knows no requests, EMFILE without free
    /// descriptors, ENODEV when the device is gone.
    #[doc(alias = "MEDIA_IOC_REQUEST_ALLOC")]
    pub fn alloc(media: &MediaDevice) -> Result<Self, V4l2Error> {
        let failed = media
            .handle()
            .failed("MEDIA_IOC_REQUEST_ALLOC", "make a request");
        let fd = media_request::alloc(media.fd()).map_err(failed)?;
        Ok(Self { fd })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Hands it to the driver.
    ///
    /// # Errors
    /// ENOENT when it lacks something, as a frame or a control; EINVAL when it has too much;
    /// EBUSY when the driver has it already; otherwise as
    /// [`Queue::enqueue`](crate::Queue::enqueue).
    #[doc(alias = "MEDIA_REQUEST_IOC_QUEUE")]
    #[inline]
    pub fn queue(&self) -> Result<(), Errno> {
        media_request::queue(self.fd())
    }

    /// Empties it, to be used again.
    ///
    /// # Errors
    /// EBUSY while the driver has it.
    #[doc(alias = "MEDIA_REQUEST_IOC_REINIT")]
    #[inline]
    pub fn reinit(&self) -> Result<(), Errno> {
        media_request::reinit(self.fd())
    }
}

/// Polled for `POLLPRI` it tells when the driver is done with it.
impl AsFd for MediaRequest {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A fixed set of requests, known by their numbers.
#[derive(Debug)]
pub struct RequestPool {
    requests: Vec<MediaRequest>,
}

impl RequestPool {
    /// Makes so many requests of the media device that a video node belongs to.
    ///
    /// *Needs:* read and write permission for the media node, which the group `video` has.
    ///
    /// # Errors
    /// [`MediaError::NoMedia`] when it belongs to none; otherwise as [`MediaRequest::alloc`].
    pub fn of(video: &VideoDevice, count: usize) -> Result<Self, MediaError> {
        let (media, _topology, _entity) = MediaDevice::of(video)?;
        let requests = (0..count).map(|_request| MediaRequest::alloc(&media));
        Ok(Self {
            requests: requests.collect::<Result<_, _>>()?,
        })
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&MediaRequest> {
        self.requests.get(number)
    }
}

/// Controls whose values are structures or arrays, to be set at once. It is used again for each
/// picture, so that no memory is taken for it once it has been as large as it gets.
#[derive(Debug, Default)]
pub struct ControlValues {
    values: Vec<Value>,
    bytes: Vec<u8>,
}

/// Why controls were not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlsRefused {
    /// What the kernel answered: EINVAL for a value that the driver does not take or a control
    /// that it does not have, ENOSPC and ERANGE for one of another length, EBUSY where it would
    /// change frames that there are, E2BIG for more controls than anybody has.
    pub errno: Errno,
    /// The id of the one that is to blame, where the kernel says.
    pub control: Option<u32>,
}

impl ControlValues {
    /// The most controls that can be set at once.
    pub const MOST: usize = MOST_VALUES;

    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.values.clear();
        self.bytes.clear();
    }

    /// Adds one, as the kernel lays it out.
    pub fn add(&mut self, id: u32, value: &[u8]) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(value);
        let bytes = begin..self.bytes.len();
        self.values.push(Value { id, bytes });
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Sets them: now, or in a request for when it is carried out. The driver may change the
    /// values here.
    ///
    /// # Errors
    /// [`ControlsRefused`].
    #[doc(alias = "VIDIOC_S_EXT_CTRLS")]
    #[inline]
    pub fn set(
        &mut self,
        device: &VideoDevice,
        request: Option<&MediaRequest>,
    ) -> Result<(), ControlsRefused> {
        let request = request.map(MediaRequest::fd);
        sys::set_values(device.fd(), request, &self.values, &mut self.bytes)
            .map_err(|(errno, control)| ControlsRefused { errno, control })
    }
}
