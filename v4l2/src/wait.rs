//! Waiting for frames of devices with two queues, which does not outlast the device.
//!
//! A blocked `VIDIOC_DQBUF` returns when its device goes, if the driver ends the flow then. Those
//! of cameras do; drivers of memory-to-memory devices only unregister the node
//! (`video_unregister_device`), and leave who waits there for ever. `poll` is woken by both. So
//! these devices are opened in non-blocking mode, and waited for in `poll`.

use std::thread;
use std::time::Duration;

use dmaflow_core::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::device::{Direction, VideoDevice};
use crate::sys::{self, raw};

/// How long who waits looks away while there is nothing that `poll` could wait for.
const LOOK_AWAY: Duration = Duration::from_millis(1);

impl VideoDevice {
    /// Has calls return EAGAIN that would wait.
    pub(crate) fn set_non_blocking(&self) -> Result<(), Errno> {
        let flags = OFlag::from_bits_retain(fcntl(self.fd(), FcntlArg::F_GETFL)?);
        fcntl(self.fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(())
    }

    /// Waits, on a device in non-blocking mode, until something may have come out of a queue.
    ///
    /// Events that the device tells meanwhile are noted by who waits for pictures
    /// ([`VideoDevice::take_source_changed`]).
    ///
    /// # Errors
    /// ENODEV when the device is gone.
    pub(crate) fn wait_for(&self, direction: Direction) -> Result<(), Errno> {
        let done = match direction {
            Direction::Capture => PollFlags::POLLIN,
            Direction::Output => PollFlags::POLLOUT,
        };
        // Without POLLPRI nobody wakes who waits for a device that goes.
        let mut watched = [PollFd::new(self.fd(), done | PollFlags::POLLPRI)];
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_ready) => {}
            Err(Errno::EINTR) => return Ok(()),
            Err(errno) => return Err(errno),
        }
        let told = watched[0].revents().unwrap_or(PollFlags::empty());
        if told.contains(PollFlags::POLLHUP) {
            return Err(Errno::ENODEV);
        }
        if told.contains(PollFlags::POLLPRI) && direction == Direction::Capture {
            self.note_events();
        } else if !told.contains(done) {
            // Neither queue has a frame (`v4l2_m2m_poll_for_data` in `v4l2-mem2mem.c`): all are
            // in use elsewhere. Or events wait for the thread that takes pictures.
            thread::sleep(LOOK_AWAY);
        }
        Ok(())
    }

    fn note_events(&self) {
        while let Ok(event) = sys::dequeue_event(self.fd()) {
            if event == raw::V4L2_EVENT_SOURCE_CHANGE {
                self.source_changed.note();
            }
        }
    }

    /// Whether the device told, since this was asked last, that pictures of another kind are to
    /// come (`V4L2_EVENT_SOURCE_CHANGE`); looks for what nobody has taken yet.
    pub fn take_source_changed(&self) -> bool {
        self.note_events();
        self.source_changed.take()
    }
}
