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
}

type Planes = [raw::v4l2_plane; MAX_BUFFERS];

/// Room for what is said of each plane, on a multi-planar queue.
fn planes(multiplanar: bool) -> Option<Planes> {
    multiplanar.then(|| [request::zeroed(); MAX_BUFFERS])
}

/// A buffer structure for a queue, with the first `used` of `planes` on a multi-planar one.
fn describe(queue: u32, planes: Option<&mut Planes>, used: usize) -> raw::v4l2_buffer {
    let mut buffer = request::zeroed::<raw::v4l2_buffer>();
    buffer.type_ = queue;
    buffer.memory = DMABUF;
    if let Some(planes) = planes {
        buffer.m.planes = planes.as_mut_ptr();
        buffer.length = u32::try_from(used.min(MAX_BUFFERS)).unwrap_or_default();
    }
    buffer
}

/// What a queue made room for.
pub(crate) struct Granted {
    /// How many buffers it made.
    pub(crate) count: u32,
    /// `V4L2_BUF_CAP_…`.
    pub(crate) capabilities: u32,
}

/// Has the queue forget its buffers and prepare `count` for dma-bufs.
#[doc(alias = "VIDIOC_REQBUFS")]
pub(crate) fn request_buffers(
    fd: BorrowedFd<'_>,
    queue: u32,
    count: u32,
) -> Result<Granted, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_requestbuffers>();
    arg.type_ = queue;
    arg.memory = DMABUF;
    arg.count = count;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::REQBUFS, &mut arg) }?;
    Ok(Granted {
        count: arg.count,
        capabilities: arg.capabilities,
    })
}

/// Bytes that the driver puts before the picture in each buffer of a frame.
#[doc(alias = "VIDIOC_QUERYBUF")]
pub(crate) fn query_data_offsets(
    fd: BorrowedFd<'_>,
    queue: u32,
    multiplanar: bool,
    index: u32,
) -> Result<[u32; MAX_BUFFERS], Errno> {
    let mut planes = planes(multiplanar);
    let mut arg = describe(queue, planes.as_mut(), MAX_BUFFERS);
    arg.index = index;
    // SAFETY: on a multi-planar queue `m` points to `planes`, and `length` is their number;
    // the kernel follows no pointer on others.
    unsafe { call(fd, request::QUERYBUF, &mut arg) }?;
    Ok(planes.map_or([0; MAX_BUFFERS], |planes| {
        planes.map(|plane| plane.data_offset)
    }))
}

/// What is said of a frame that goes in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said<'r> {
    /// How many bytes of the first buffer mean something; all of them when `None`.
    pub(crate) bytes_used: Option<u32>,
    /// Seconds and microseconds.
    pub(crate) timestamp: (i64, i64),
    /// The request that it goes in with.
    pub(crate) request: Option<BorrowedFd<'r>>,
    /// More of the same picture follows in another buffer
    /// (`V4L2_BUF_FLAG_M2M_HOLD_CAPTURE_BUF`).
    pub(crate) more: bool,
}

/// Hands a frame's buffers to the driver, each a dma-buf and how many bytes of it to use.
#[doc(alias = "VIDIOC_QBUF")]
#[inline]
pub(crate) fn queue_buffer<'a>(
    fd: BorrowedFd<'_>,
    queue: u32,
    multiplanar: bool,
    index: u32,
    said: Said<'_>,
    mut buffers: impl ExactSizeIterator<Item = (BorrowedFd<'a>, u32)>,
) -> Result<(), Errno> {
    let mut planes = planes(multiplanar);
    let mut arg = describe(queue, planes.as_mut(), buffers.len());
    arg.index = index;
    // Of what comes out the driver says these itself; of what goes in they are ours to say, and
    // the kernel warns of pictures without bytes.
    arg.field = raw::v4l2_field_V4L2_FIELD_NONE;
    (arg.timestamp.tv_sec, arg.timestamp.tv_usec) = said.timestamp;
    if let Some(request) = said.request {
        arg.flags |= raw::V4L2_BUF_FLAG_REQUEST_FD;
        arg.__bindgen_anon_1.request_fd = request.as_raw_fd();
    }
    if said.more {
        arg.flags |= raw::V4L2_BUF_FLAG_M2M_HOLD_CAPTURE_BUF;
    }
    fill(&mut arg, planes.as_mut(), said.bytes_used, &mut buffers);
    // SAFETY: on a multi-planar queue `m` points to `planes`, and `length` is their number;
    // on others it is a descriptor.
    unsafe { call(fd, request::QBUF, &mut arg) }
}

/// Has the driver import a frame's buffers without handing them over, saying how many bytes of
/// the first buffer mean something.
#[doc(alias = "VIDIOC_PREPARE_BUF")]
pub(crate) fn prepare_buffer<'a>(
    fd: BorrowedFd<'_>,
    queue: u32,
    multiplanar: bool,
    index: u32,
    bytes_used: Option<u32>,
    mut buffers: impl ExactSizeIterator<Item = (BorrowedFd<'a>, u32)>,
) -> Result<(), Errno> {
    let mut planes = planes(multiplanar);
    let mut arg = describe(queue, planes.as_mut(), buffers.len());
    arg.index = index;
    arg.field = raw::v4l2_field_V4L2_FIELD_NONE;
    fill(&mut arg, planes.as_mut(), bytes_used, &mut buffers);
    // SAFETY: on a multi-planar queue `m` points to `planes`, and `length` is their number;
    // on others it is a descriptor.
    unsafe { call(fd, request::PREPARE_BUF, &mut arg) }
}

/// Says where a frame's buffers are, and that all of each means something, but for the first one
/// where so many bytes do.
#[inline]
fn fill<'a>(
    arg: &mut raw::v4l2_buffer,
    planes: Option<&mut Planes>,
    bytes_used: Option<u32>,
    buffers: &mut impl Iterator<Item = (BorrowedFd<'a>, u32)>,
) {
    if let Some(planes) = planes {
        for (plane, (dma_buf, len)) in planes.iter_mut().zip(buffers) {
            plane.m.fd = dma_buf.as_raw_fd();
            plane.length = len;
            plane.bytesused = len;
        }
        if let (Some(first), Some(bytes)) = (planes.first_mut(), bytes_used) {
            first.bytesused = bytes;
        }
    } else if let Some((dma_buf, len)) = buffers.next() {
        arg.m.fd = dma_buf.as_raw_fd();
        arg.length = len;
        arg.bytesused = bytes_used.unwrap_or(len);
    }
}

/// Waits for the driver to be done with a buffer, and takes it.
#[doc(alias = "VIDIOC_DQBUF")]
#[inline]
pub(crate) fn dequeue_buffer(
    fd: BorrowedFd<'_>,
    queue: u32,
    multiplanar: bool,
) -> Result<RawDequeued, Errno> {
    let mut planes = planes(multiplanar);
    let mut arg = describe(queue, planes.as_mut(), MAX_BUFFERS);
    // SAFETY: on a multi-planar queue `m` points to `planes`, and `length` is their number;
    // the kernel follows no pointer on others.
    unsafe { call(fd, request::DQBUF, &mut arg) }?;
    Ok(RawDequeued {
        index: arg.index,
        flags: arg.flags,
        sequence: arg.sequence,
        timestamp: (arg.timestamp.tv_sec, arg.timestamp.tv_usec),
        bytes_used: match &planes {
            Some(planes) => planes.map(|plane| plane.bytesused),
            None => [arg.bytesused, 0, 0, 0],
        },
    })
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
