//! Waiting for requests.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dmaflow_core::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::device::VideoDevice;
use crate::error::V4l2Error;
use crate::request::MediaRequest;

/// How long nobody looks whether the device is still there, if nothing tells of it.
const LOOK_EVERY: u16 = 1000;

/// How long a driver may take for one request.
const SILENT: Duration = Duration::from_secs(20);

/// What a wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The driver is done.
    Done,
    /// It was called off.
    CalledOff,
    /// The device went away.
    Gone,
    /// The driver did nothing for so long that it never will.
    Silent,
}

/// Waits for what a driver does with requests, in one thread, until another calls it off.
///
/// Nobody sleeps in the driver: one that is unloaded wakes who polls its node, and not everybody
/// who waits for a frame.
#[derive(Debug)]
pub struct Completion {
    device: Arc<VideoDevice>,
    called_off: EventFd,
}

impl Completion {
    /// Of a device.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; EMFILE without free descriptors.
    pub fn new(device: &Arc<VideoDevice>) -> Result<Self, V4l2Error> {
        let called_off = EventFd::from_flags(EfdFlags::EFD_CLOEXEC)
            .map_err(device.failed("eventfd", "wait for its requests"))?;
        Ok(Self {
            device: Arc::clone(device),
            called_off,
        })
    }

    /// Waits until the driver is done with a request that it was given.
    pub fn wait(&self, request: &MediaRequest) -> Waited {
        self.wait_for(PollFd::new(request.as_fd(), PollFlags::POLLPRI))
    }

    /// Waits until a frame can be taken from one of the queues.
    pub fn wait_for_frame(&self) -> Waited {
        let either = PollFlags::POLLIN | PollFlags::POLLOUT;
        self.wait_for(PollFd::new(self.device.fd(), either))
    }

    fn wait_for(&self, what: PollFd<'_>) -> Waited {
        let begun = Instant::now();
        loop {
            let mut watched = [
                what.clone(),
                // Told of nothing but that it is gone.
                PollFd::new(self.device.fd(), PollFlags::POLLPRI),
                PollFd::new(self.called_off.as_fd(), PollFlags::POLLIN),
            ];
            let ready = poll(&mut watched, PollTimeout::from(LOOK_EVERY));
            let [done, device, called_off] =
                watched.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
            match ready {
                Ok(0) if self.device.is_gone() => return Waited::Gone,
                Ok(0) if begun.elapsed() > SILENT => return Waited::Silent,
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_ready) => {}
                Err(errno) => {
                    tracing::warn!(device = %self.device, %errno, "cannot wait for requests");
                    return Waited::CalledOff;
                }
            }
            if !called_off.is_empty() {
                return Waited::CalledOff;
            }
            if !device.is_empty() && self.device.is_gone() {
                return Waited::Gone;
            }
            // A request that nobody handed over is done as well.
            if !done.is_empty() {
                return Waited::Done;
            }
        }
    }

    /// Waits for a request whatever was called off, until a moment at the latest; whether it is
    /// done.
    pub fn settle(&self, request: &MediaRequest, until: Instant) -> bool {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::from(LOOK_EVERY));
            let mut watched = [PollFd::new(request.as_fd(), PollFlags::POLLPRI)];
            match poll(&mut watched, timeout) {
                Ok(0) if left > Duration::ZERO => {}
                Err(Errno::EINTR) => {}
                Ok(ready) => return ready > 0,
                Err(_errno) => return false,
            }
        }
    }

    /// Has waits return, now and from now on.
    pub fn call_off(&self) {
        if let Err(errno) = self.called_off.write(1) {
            // Only a counter that is full refuses, and that wakes as well.
            tracing::debug!(%errno, "called off more than once");
        }
    }
}
