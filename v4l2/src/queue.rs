//! A queue of frames between us and a driver, which imports them as dma-bufs.
//!
//! ```text
//!              enqueue                  (the driver fills it)             dequeue
//!   with us ────────────▶ with the driver ──────────────────▶ done ────────────────▶ with us
//!      ▲                        │                              │
//!      └────────────────────────┴───────── stream_off ─────────┘
//! ```
//!
//! A blocked [`Queue::dequeue`] holds no lock of the kernel's: `enqueue` and `stream_off` work
//! from other threads meanwhile, and `stream_off`, the driver's unloading and a queue error
//! wake it (`__vb2_wait_for_done_vb` in `drivers/media/common/videobuf2/videobuf2-core.c`).

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dmaflow_core::Errno;
use dmaflow_core::frame::{FrameFlags, FramePool, StampPoint};
use dmaflow_core::heap::HeapBuffer;
use dmaflow_core::layout::MAX_PLANES;
use dmaflow_core::time::Timestamp;

use crate::device::{Direction, VideoDevice};
use crate::error::V4l2Error;
use crate::request::MediaRequest;
use crate::sys::{self, RawDequeued, Said, raw};

/// Where a driver says that a timestamp is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampClock {
    /// It does not say.
    Unknown,
    /// `CLOCK_MONOTONIC`; some drivers say so of other clocks.
    Monotonic,
    /// It is that of the frame that went in.
    Copied,
}

/// A frame that came back from a driver, in the driver's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dequeued {
    /// Which of the queue's frames it is.
    pub slot: usize,
    /// The driver's count of frames since the start, modulo 2³².
    pub sequence: u32,
    /// When it was captured, to the microsecond.
    pub at: Timestamp,
    /// The clock of `at`.
    pub clock: StampClock,
    /// What happened at that moment.
    pub point: StampPoint,
    /// The driver marked the data as damaged (`V4L2_BUF_FLAG_ERROR`).
    pub damaged: bool,
    /// What else the driver says of it.
    pub flags: FrameFlags,
    /// Bytes that the driver wrote into each buffer; 0 from drivers that do not say.
    pub bytes_used: [u32; MAX_PLANES],
}

impl Dequeued {
    fn parse(kernel: &RawDequeued) -> Self {
        let has = |flag: u32| kernel.flags & flag != 0;
        let (seconds, micros) = kernel.timestamp;
        // No clock of Linux goes beyond 2⁶³ nanoseconds; a stamp that does is of none.
        let nanos = seconds
            .wrapping_mul(1_000_000_000)
            .wrapping_add(micros.wrapping_mul(1000));
        Self {
            slot: usize::try_from(kernel.index).unwrap_or(usize::MAX),
            sequence: kernel.sequence,
            at: Timestamp::from_nanos(nanos.cast_unsigned()),
            clock: match kernel.flags & raw::V4L2_BUF_FLAG_TIMESTAMP_MASK {
                raw::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC => StampClock::Monotonic,
                raw::V4L2_BUF_FLAG_TIMESTAMP_COPY => StampClock::Copied,
                _ => StampClock::Unknown,
            },
            point: if kernel.flags & raw::V4L2_BUF_FLAG_TSTAMP_SRC_MASK
                == raw::V4L2_BUF_FLAG_TSTAMP_SRC_SOE
            {
                StampPoint::StartOfExposure
            } else {
                StampPoint::EndOfFrame
            },
            damaged: has(raw::V4L2_BUF_FLAG_ERROR),
            flags: FrameFlags {
                key: has(raw::V4L2_BUF_FLAG_KEYFRAME),
                last: has(raw::V4L2_BUF_FLAG_LAST),
            },
            bytes_used: kernel.bytes_used,
        }
    }
}

/// A dma-buf to import, and how many bytes of it.
#[derive(Debug)]
struct Import {
    dma_buf: OwnedFd,
    len: u32,
}

/// A driver's queue, set up for the frames of a pool or several. Dropping it stops the flow and has the
/// driver forget the frames.
///
/// # Invariants
/// The driver made at least as many buffers as there are `frames`. The descriptors are our own,
/// so that a frame can be queued from any thread whoever has the pool.
#[derive(Debug)]
pub struct Queue {
    device: Arc<VideoDevice>,
    direction: Direction,
    queue: u32,
    multiplanar: bool,
    /// `V4L2_BUF_CAP_…`.
    capabilities: u32,
    frames: Vec<Vec<Import>>,
    /// The driver's queue is another's.
    forgotten: AtomicBool,
}

/// How a frame goes into a queue with a request.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'r> {
    /// The request.
    pub request: &'r MediaRequest,
    /// How many bytes of its first buffer mean something.
    pub bytes_used: u32,
    /// What the driver copies to what it makes of it, in microseconds.
    pub stamp: u64,
    /// More of the same picture follows in another frame: what is made of them is kept until
    /// then (`V4L2_BUF_FLAG_M2M_HOLD_CAPTURE_BUF`).
    pub more: bool,
}

impl Queue {
    /// Prepares a queue of a device for the frames of a pool; none is queued yet.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; EBUSY while another program streams, EINVAL when the driver cannot
    /// import dma-bufs, EMFILE without free descriptors. [`V4l2Error::TooManyFrames`].
    #[doc(alias = "VIDIOC_REQBUFS")]
    pub fn request(
        device: &Arc<VideoDevice>,
        direction: Direction,
        pool: &FramePool,
    ) -> Result<Self, V4l2Error> {
        Self::request_all(device, direction, std::slice::from_ref(pool))
    }

    /// Prepares a queue of a device for the frames of several pools, which are laid out alike:
    /// the queue's slots are those of the first pool, then those of the next, and so on, so that
    /// each frame is imported once. None is queued yet.
    ///
    /// # Errors
    /// As [`Queue::request`].
    #[doc(alias = "VIDIOC_REQBUFS")]
    pub fn request_all(
        device: &Arc<VideoDevice>,
        direction: Direction,
        pools: &[FramePool],
    ) -> Result<Self, V4l2Error> {
        let frames = pools
            .iter()
            .flat_map(|pool| {
                let lens = pool.layout().buffer_lens();
                pool.buffers().map(move |buffers| imports(buffers, lens))
            })
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or_default()))
            .map_err(device.failed("fcntl(F_DUPFD_CLOEXEC)", "keep the frames' descriptors"))?;
        let queue = device.queue_type(direction);
        // From here on dropping it gives the driver's buffers back.
        let mut this = Self {
            device: Arc::clone(device),
            direction,
            queue,
            multiplanar: device.capabilities().is_multiplanar(),
            capabilities: 0,
            frames,
            forgotten: AtomicBool::new(false),
        };
        this.capabilities = this.prepare()?;
        Ok(this)
    }

    /// Has the driver make as many buffers as there are frames; says what the queue can do.
    fn prepare(&self) -> Result<u32, V4l2Error> {
        let doing = format!("prepare its queue for {} frames", self.frames.len());
        let count = u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        let granted = sys::request_buffers(self.device.fd(), self.queue, count)
            .map_err(self.device.failed("VIDIOC_REQBUFS", doing))?;
        if granted.count < count {
            return Err(V4l2Error::TooManyFrames {
                device: self.device.to_string(),
                asked: self.frames.len(),
                most: usize::try_from(granted.count).unwrap_or_default(),
            });
        }
        Ok(granted.capabilities)
    }

    /// Has the driver forget the frames, and then know them anew: between the two `set` may
    /// change the queue's format, which keeps its place and length in the frames. Nothing flows
    /// before and after, and none is queued.
    ///
    /// # Errors
    /// As [`Queue::request`]; the driver may then know no frames.
    pub fn renew(&self, set: impl FnOnce() -> Result<(), V4l2Error>) -> Result<(), V4l2Error> {
        sys::request_buffers(self.device.fd(), self.queue, 0)
            .map_err(self.device.failed("VIDIOC_REQBUFS", "forget the frames"))?;
        set()?;
        self.prepare().map(drop)
    }

    /// Has the driver forget the frames of a queue that does not stream, for good: dropping it does
    /// nothing any more, since the driver's queue may be another's by then.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; EBUSY while it streams, ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_REQBUFS")]
    pub fn forget(&self) -> Result<(), V4l2Error> {
        sys::request_buffers(self.device.fd(), self.queue, 0)
            .map_err(self.device.failed("VIDIOC_REQBUFS", "forget the frames"))?;
        self.forgotten.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether frames can go in with requests; the queue of a stateless decoder takes them no
    /// other way.
    #[doc(alias = "V4L2_BUF_CAP_SUPPORTS_REQUESTS")]
    #[must_use]
    pub const fn supports_requests(&self) -> bool {
        self.capabilities & raw::V4L2_BUF_CAP_SUPPORTS_REQUESTS != 0
    }

    /// Whether one picture can go in in several frames.
    #[doc(alias = "V4L2_BUF_CAP_SUPPORTS_M2M_HOLD_CAPTURE_BUF")]
    #[must_use]
    pub const fn can_hold(&self) -> bool {
        self.capabilities & raw::V4L2_BUF_CAP_SUPPORTS_M2M_HOLD_CAPTURE_BUF != 0
    }

    /// Has the driver import a frame without handing it over; `bytes_used` as in
    /// [`Queue::submit`].
    ///
    /// # Errors
    /// As [`Queue::enqueue`]; ENOTTY where the driver imports frames only as they are handed
    /// over.
    #[doc(alias = "VIDIOC_PREPARE_BUF")]
    pub fn import(&self, slot: usize, bytes_used: Option<u32>) -> Result<(), Errno> {
        let frame = self.frames.get(slot).ok_or(Errno::EINVAL)?;
        let index = u32::try_from(slot).map_err(|_no_frame| Errno::EINVAL)?;
        let buffers = frame
            .iter()
            .map(|import| (import.dma_buf.as_fd(), import.len));
        let (fd, queue) = (self.device.fd(), self.queue);
        sys::prepare_buffer(fd, queue, self.multiplanar, index, bytes_used, buffers)
    }

    /// Puts a frame that goes in into a request, which is still to be handed over.
    ///
    /// # Errors
    /// As [`Queue::enqueue`], when the request is handed over as well; EBADR where the queue
    /// takes no requests.
    #[doc(alias = "VIDIOC_QBUF")]
    #[inline]
    pub fn put(&self, slot: usize, entry: Entry<'_>) -> Result<(), Errno> {
        let said = Said {
            bytes_used: Some(entry.bytes_used),
            timestamp: timestamp(entry.stamp),
            request: Some(entry.request.fd()),
            more: entry.more,
        };
        self.enqueue_said(slot, said)
    }

    /// The device whose queue it is.
    #[must_use]
    pub fn device(&self) -> &Arc<VideoDevice> {
        &self.device
    }

    /// How many frames it is for.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether it is for no frames at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Hands a frame to the driver. Allocates nothing.
    ///
    /// # Errors
    /// EFAULT when the driver needs contiguous memory and this is not; EINVAL when a buffer is
    /// too short or no dma-buf, when the frame is with the driver already, or when there is no
    /// such frame; ENOMEM without address space for the device; ENODEV when it is gone.
    #[doc(alias = "VIDIOC_QBUF")]
    #[inline]
    pub fn enqueue(&self, slot: usize) -> Result<(), Errno> {
        self.enqueue_said(slot, Said::default())
    }

    /// The same of a frame that goes in, saying how many bytes of its first buffer mean something,
    /// and `stamp`, which the driver copies to what it makes of the frame
    /// (`V4L2_BUF_FLAG_TIMESTAMP_COPY`), in microseconds.
    ///
    /// # Errors
    /// As [`Queue::enqueue`].
    #[doc(alias = "VIDIOC_QBUF")]
    #[inline]
    pub fn submit(&self, slot: usize, bytes_used: Option<u32>, stamp: u64) -> Result<(), Errno> {
        let said = Said {
            bytes_used,
            timestamp: timestamp(stamp),
            ..Said::default()
        };
        self.enqueue_said(slot, said)
    }

    #[inline]
    fn enqueue_said(&self, slot: usize, said: Said<'_>) -> Result<(), Errno> {
        let frame = self.frames.get(slot).ok_or(Errno::EINVAL)?;
        let index = u32::try_from(slot).map_err(|_no_frame| Errno::EINVAL)?;
        let buffers = frame
            .iter()
            .map(|import| (import.dma_buf.as_fd(), import.len));
        sys::queue_buffer(
            self.device.fd(),
            self.queue,
            self.multiplanar,
            index,
            said,
            buffers,
        )
    }

    /// Waits until the driver is done with a frame, and takes it back. Allocates nothing.
    ///
    /// # Errors
    /// EINVAL when the queue does not stream or was stopped meanwhile; EIO when the driver gave
    /// up and the queue must be stopped and started; EPIPE after the last frame; EBUSY while
    /// another thread waits; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_DQBUF")]
    #[inline]
    pub fn dequeue(&self) -> Result<Dequeued, Errno> {
        loop {
            match self.try_dequeue() {
                // Of a device in non-blocking mode.
                Err(Errno::EAGAIN) => self.device.wait_for(self.direction)?,
                dequeued => return dequeued,
            }
        }
    }

    /// The same of a device that is no camera, without waiting.
    ///
    /// # Errors
    /// As [`Queue::dequeue`]; EAGAIN while the driver is done with none.
    #[doc(alias = "VIDIOC_DQBUF")]
    #[inline]
    pub fn try_dequeue(&self) -> Result<Dequeued, Errno> {
        sys::dequeue_buffer(self.device.fd(), self.queue, self.multiplanar)
            .map(|kernel| Dequeued::parse(&kernel))
    }

    /// Bytes that the driver puts before the picture in each buffer of a queued frame.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_QUERYBUF")]
    pub fn data_offsets(&self, slot: usize) -> Result<[u32; MAX_PLANES], V4l2Error> {
        let index = u32::try_from(slot).unwrap_or(u32::MAX);
        sys::query_data_offsets(self.device.fd(), self.queue, self.multiplanar, index).map_err(
            self.device
                .failed("VIDIOC_QUERYBUF", "ask where the picture begins"),
        )
    }

    /// Starts the flow.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; EINVAL or EIO when the driver cannot start, EPIPE and ENOLINK when
    /// the media pipeline is not set up, ENOSPC without bandwidth on the bus, ENODEV when the
    /// device is gone.
    #[doc(alias = "VIDIOC_STREAMON")]
    pub fn stream_on(&self) -> Result<(), V4l2Error> {
        sys::stream_on(self.device.fd(), self.queue)
            .map_err(self.device.failed("VIDIOC_STREAMON", "start the flow"))
    }

    /// Ends the flow: every frame is with us again, and a blocked [`Queue::dequeue`] returns
    /// EINVAL. A queue that does not stream is left without frames all the same.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_STREAMOFF")]
    pub fn stream_off(&self) -> Result<(), V4l2Error> {
        sys::stream_off(self.device.fd(), self.queue)
            .map_err(self.device.failed("VIDIOC_STREAMOFF", "end the flow"))
    }
}

/// Microseconds as seconds and microseconds.
fn timestamp(stamp: u64) -> (i64, i64) {
    let signed = |part: u64| i64::try_from(part).unwrap_or(i64::MAX);
    (signed(stamp / 1_000_000), signed(stamp % 1_000_000))
}

/// A frame's buffers, with descriptors of our own.
fn imports(buffers: &[HeapBuffer], lens: &[u32]) -> std::io::Result<Vec<Import>> {
    let import = |(buffer, &len): (&HeapBuffer, &u32)| {
        let dma_buf = buffer.as_fd().try_clone_to_owned()?;
        Ok(Import { dma_buf, len })
    };
    buffers.iter().zip(lens).map(import).collect()
}

impl Drop for Queue {
    fn drop(&mut self) {
        if *self.forgotten.get_mut() {
            return;
        }
        let fd = self.device.fd();
        let undone = sys::stream_off(fd, self.queue)
            .and_then(|()| sys::request_buffers(fd, self.queue, 0).map(drop));
        match undone {
            Ok(()) => {}
            Err(errno @ (Errno::ENODEV | Errno::ENXIO)) => {
                tracing::debug!(device = %self.device, %errno, "a queue went with its device");
            }
            Err(errno) => {
                tracing::warn!(device = %self.device, %errno, "cannot give a queue's buffers back");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(flags: u32, timestamp: (i64, i64)) -> RawDequeued {
        RawDequeued {
            index: 3,
            flags,
            sequence: 9,
            timestamp,
            bytes_used: [0, 7, 0, 0],
        }
    }

    #[test]
    fn flags_become_words() {
        let parsed = Dequeued::parse(&kernel(
            raw::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | raw::V4L2_BUF_FLAG_TSTAMP_SRC_SOE,
            (5, 250),
        ));
        assert_eq!(
            parsed,
            Dequeued {
                slot: 3,
                sequence: 9,
                at: Timestamp::from_nanos(5_000_250_000),
                clock: StampClock::Monotonic,
                point: StampPoint::StartOfExposure,
                damaged: false,
                flags: FrameFlags::default(),
                bytes_used: [0, 7, 0, 0],
            }
        );
        let parsed = Dequeued::parse(&kernel(
            raw::V4L2_BUF_FLAG_TIMESTAMP_COPY | raw::V4L2_BUF_FLAG_ERROR | raw::V4L2_BUF_FLAG_LAST,
            (0, 0),
        ));
        assert_eq!(parsed.clock, StampClock::Copied);
        assert_eq!(parsed.point, StampPoint::EndOfFrame);
        assert!(parsed.damaged && parsed.flags.last && !parsed.flags.key);
        assert_eq!(
            Dequeued::parse(&kernel(0, (0, 0))).clock,
            StampClock::Unknown
        );
    }

    #[test]
    fn timestamps_that_cannot_be_are_taken_as_well() {
        let at = |timestamp| Dequeued::parse(&kernel(0, timestamp)).at;
        assert_eq!(at((-1, 1_000_005)), Timestamp::from_nanos(5000));
        assert_eq!(
            at((i64::MAX, 0)),
            Timestamp::from_nanos(u64::MAX - 999_999_999)
        );
    }
}
