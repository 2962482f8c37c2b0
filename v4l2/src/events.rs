//! What a device tells besides frames: that its signal changed, that its stream ended.

use std::os::fd::AsFd;
use std::sync::Arc;

use dmaflow_core::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::device::VideoDevice;
use crate::error::V4l2Error;
use crate::sys::{self, raw};

/// What a device told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// What comes in is another signal than before, or none (`V4L2_EVENT_SOURCE_CHANGE`).
    SourceChange,
    /// Its stream has ended (`V4L2_EVENT_EOS`).
    EndOfStream,
    /// The device went away.
    Gone,
}

/// Events of a device, which one thread waits for and another can call off.
///
/// Waiting makes no system call a frame, but not without any cost: vb2 wakes whoever polls a
/// node with each frame, and the kernel has the thread sleep on by itself. So only inputs whose
/// signal can change are worth it.
#[derive(Debug)]
pub struct Events {
    device: Arc<VideoDevice>,
    called_off: EventFd,
}

impl Events {
    /// Has the device tell of changes of an input's signal and of the stream's end; `None`
    /// where its driver tells of neither. What was told before is forgotten.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone, EMFILE without free descriptors.
    #[doc(alias = "VIDIOC_SUBSCRIBE_EVENT")]
    pub fn subscribe(device: &Arc<VideoDevice>, input: u32) -> Result<Option<Self>, V4l2Error> {
        let mut any = false;
        forget(device)?;
        for (kind, id) in [
            (raw::V4L2_EVENT_SOURCE_CHANGE, input),
            (raw::V4L2_EVENT_EOS, 0),
        ] {
            match sys::subscribe_event(device.fd(), kind, id) {
                Ok(()) => any = true,
                Err(Errno::EINVAL | Errno::ENOTTY) => {}
                Err(errno) => {
                    let doing = "have it tell of changes";
                    return Err(device.failed("VIDIOC_SUBSCRIBE_EVENT", doing)(errno));
                }
            }
        }
        if !any {
            return Ok(None);
        }
        let called_off = EventFd::from_flags(EfdFlags::EFD_CLOEXEC)
            .map_err(device.failed("eventfd", "wait for what it tells"))?;
        Ok(Some(Self {
            device: Arc::clone(device),
            called_off,
        }))
    }

    /// Waits for what the device tells next; `None` once it was called off.
    pub fn wait(&self) -> Option<Event> {
        loop {
            let mut watched = [
                PollFd::new(self.device.fd(), PollFlags::POLLPRI),
                PollFd::new(self.called_off.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut watched, PollTimeout::NONE) {
                Ok(_ready) => {}
                Err(Errno::EINTR) => continue,
                Err(errno) => {
                    tracing::warn!(device = %self.device, %errno, "cannot wait for events");
                    return None;
                }
            }
            let [device, called_off] = watched.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
            if !called_off.is_empty() {
                return None;
            }
            if device.is_empty() {
                continue;
            }
            // Asked first: taking an event that is not there would wait for ever.
            if !device.contains(PollFlags::POLLPRI) || self.device.is_gone() {
                return Some(Event::Gone).filter(|_| self.device.is_gone());
            }
            match sys::dequeue_event(self.device.fd()) {
                Ok(raw::V4L2_EVENT_SOURCE_CHANGE) => return Some(Event::SourceChange),
                Ok(raw::V4L2_EVENT_EOS) => return Some(Event::EndOfStream),
                Ok(_other) => {}
                Err(_gone) => return Some(Event::Gone),
            }
        }
    }

    /// Has [`Events::wait`] return, now and from now on.
    pub fn call_off(&self) {
        if let Err(errno) = self.called_off.write(1) {
            // Only a counter that is full refuses, and that wakes as well.
            tracing::debug!(%errno, "called off more than once");
        }
    }

    /// The same device is waited for again.
    pub fn resume(&self) {
        // A read of a counter that is 0 would wait.
        let mut ready = [PollFd::new(self.called_off.as_fd(), PollFlags::POLLIN)];
        if matches!(poll(&mut ready, PollTimeout::ZERO), Ok(1..)) {
            self.called_off.read().ok();
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if let Err(error) = forget(&self.device) {
            tracing::debug!(%error, "cannot end a subscription");
        }
    }
}

/// Ends the subscriptions there are.
fn forget(device: &VideoDevice) -> Result<(), V4l2Error> {
    match sys::forget_events(device.fd()) {
        // Without events at all.
        Ok(()) | Err(Errno::ENOTTY | Errno::EINVAL) => Ok(()),
        Err(errno) => Err(device
            .failed("VIDIOC_UNSUBSCRIBE_EVENT", "forget what it told")(
            errno
        )),
    }
}
