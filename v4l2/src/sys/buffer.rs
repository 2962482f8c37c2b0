//! Buffers and streaming.
//!
//! Plane arrays live on the stack: queueing and dequeueing allocate nothing.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

use super::{call, raw, request};

/// The most buffers a frame has.
const MAX_BUFFERS: usize = dmaflow_core::layout::MAX_PLANES;

const DMABUF: u32 = raw::v4l2_memory_V4L2_MEMORY_DMABUF;

/// What came out of a queue.
pub(crate) struct RawDequeued {
    pub(crate) index: u32,
    pub(crate) flags: u32,
    pub(crate) sequence: u32,
    /// Seconds and microseconds.
    pub(crate) timestamp: (i64, i64),
    /// Of each buffer of the frame, which the kernel calls a plane.
    pub(crate) bytes_used: [u32; MAX_BUFFERS],
    pub(crate) data_offsets: [u32; MAX_BUFFERS],
}

type Planes = [raw::v4l2_plane; MAX_BUFFERS];

fn planes() -> Planes {
    [request::zeroed::<raw::v4l2_plane>(); MAX_BUFFERS]
}

/// A buffer structure for a queue, with `planes` to be filled in on a multi-planar one.
fn describe(queue: u32, multiplanar: bool, planes: &mut Planes, used: usize) -> raw::v4l2_buffer {
    let mut buffer = request::zeroed::<raw::v4l2_buffer>();
    buffer.type_ = queue;
    buffer.memory = DMABUF;
    if multiplanar {
        buffer.m.planes = planes.as_mut_ptr();
        buffer.length = u32::try_from(used.min(MAX_BUFFERS)).unwrap_or_default();
    }
    buffer
}

fn parse(buffer: &raw::v4l2_buffer, multiplanar: bool, planes: &Planes) -> RawDequeued {
    let mut bytes_used = planes.map(|plane| plane.bytesused);
    if !multiplanar {
        bytes_used[0] = buffer.bytesused;
    }
    RawDequeued {
        index: buffer.index,
        flags: buffer.flags,
        sequence: buffer.sequence,
        timestamp: (buffer.timestamp.tv_sec, buffer.timestamp.tv_usec),
        bytes_used,
        data_offsets: planes.map(|plane| plane.data_offset),
    }
}

/// Has the queue forget its buffers and prepare `count` for dma-bufs; returns how many it made.
#[doc(alias = "VIDIOC_REQBUFS")]
pub(crate) fn request_buffers(fd: BorrowedFd<'_>, queue: u32, count: u32) -> Result<u32, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_requestbuffers>();
    arg.type_ = queue;
    arg.memory = DMABUF;
    arg.count = count;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::REQBUFS, &mut arg) }?;
    Ok(arg.count)
}

/// What the driver says of a buffer of the queue.
#[doc(alias = "VIDIOC_QUERYBUF")]
pub(crate) fn query_buffer(
    fd: BorrowedFd<'_>,
    queue: u32,
    multiplanar: bool,
    index: u32,
) -> Result<RawDequeued, Errno> {
    let mut planes = planes();
    let mut arg = describe(queue, multiplanar, &mut planes, MAX_BUFFERS);
    arg.index = index;
    // SAFETY: on a multi-planar queue `m` points to `planes`, and `length` is their number;
    // the kernel follows no pointer on others.
    unsafe { call(fd, request::QUERYBUF, &mut arg) }?;
    Ok(parse(&arg, multiplanar, &planes))
}

/// Hands a frame's buffers to the driver, each a dma-buf and how many bytes of it to use.
#[doc(alias = "VIDIOC_QBUF")]
pub(crate) fn queue_buffer<'a>(
    fd: BorrowedFd<'_>,
    queue: u32,
    multiplanar: bool,
    index: u32,
    buffers: impl ExactSizeIterator<Item = (BorrowedFd<'a>, u32)>,
) -> Result<(), Errno> {
    let mut planes = planes();
    let used = buffers.len();
    for (plane, (dma_buf, len)) in planes.iter_mut().zip(buffers) {
        plane.m.fd = dma_buf.as_raw_fd();
        plane.length = len;
    }
    let mut arg = describe(queue, multiplanar, &mut planes, used);
    arg.index = index;
    if !multiplanar {
        // SAFETY: the descriptor was written above, or is a zero.
        arg.m.fd = unsafe { planes[0].m.fd };
        arg.length = planes[0].length;
    }
    // SAFETY: on a multi-planar queue `m` points to `planes`, and `length` is their number;
    // on others it is a descriptor.
    unsafe { call(fd, request::QBUF, &mut arg) }
}

/// Waits for the driver to be done with a buffer, and takes it.
#[doc(alias = "VIDIOC_DQBUF")]
pub(crate) fn dequeue_buffer(
    fd: BorrowedFd<'_>,
    queue: u32,
    multiplanar: bool,
) -> Result<RawDequeued, Errno> {
    let mut planes = planes();
    let mut arg = describe(queue, multiplanar, &mut planes, MAX_BUFFERS);
    // SAFETY: on a multi-planar queue `m` points to `planes`, and `length` is their number;
    // the kernel follows no pointer on others.
    unsafe { call(fd, request::DQBUF, &mut arg) }?;
    Ok(parse(&arg, multiplanar, &planes))
}

/// Starts the flow of a queue.
#[doc(alias = "VIDIOC_STREAMON")]
pub(crate) fn stream_on(fd: BorrowedFd<'_>, queue: u32) -> Result<(), Errno> {
    let mut arg = c_int::try_from(queue).map_err(|_no_queue| Errno::EINVAL)?;
    // SAFETY: a number holds no pointers.
    unsafe { call(fd, request::STREAMON, &mut arg) }
}

/// Ends the flow of a queue: every buffer is given back, and whoever waits for one is woken.
#[doc(alias = "VIDIOC_STREAMOFF")]
pub(crate) fn stream_off(fd: BorrowedFd<'_>, queue: u32) -> Result<(), Errno> {
    let mut arg = c_int::try_from(queue).map_err(|_no_queue| Errno::EINVAL)?;
    // SAFETY: a number holds no pointers.
    unsafe { call(fd, request::STREAMOFF, &mut arg) }
}
