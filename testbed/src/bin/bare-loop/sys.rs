//! The ioctls of the loop, as bare as they come.
#![expect(
    unsafe_code,
    reason = "ioctls have no safe form; every block names what makes it sound"
)]

use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use v4l::v4l_sys::{
    v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE as CAPTURE, v4l2_buffer, v4l2_capability,
    v4l2_format, v4l2_memory_V4L2_MEMORY_DMABUF as DMABUF, v4l2_requestbuffers, v4l2_streamparm,
};

/// `struct dma_heap_allocation_data`.
#[repr(C)]
struct DmaHeapAllocationData {
    len: u64,
    fd: u32,
    fd_flags: u32,
    heap_flags: u64,
}

nix::ioctl_readwrite!(heap_alloc, b'H', 0, DmaHeapAllocationData);
nix::ioctl_read!(vidioc_querycap, b'V', 0, v4l2_capability);
nix::ioctl_readwrite!(vidioc_s_fmt, b'V', 5, v4l2_format);
nix::ioctl_readwrite!(vidioc_reqbufs, b'V', 8, v4l2_requestbuffers);
nix::ioctl_readwrite!(vidioc_qbuf, b'V', 15, v4l2_buffer);
nix::ioctl_readwrite!(vidioc_dqbuf, b'V', 17, v4l2_buffer);
nix::ioctl_write_ptr!(vidioc_streamon, b'V', 18, i32);
nix::ioctl_readwrite!(vidioc_s_parm, b'V', 22, v4l2_streamparm);

/// Allocates from an open dma-heap node.
pub(crate) fn alloc(heap: BorrowedFd<'_>, len: u64) -> Result<OwnedFd, Errno> {
    let flags = nix::fcntl::OFlag::O_RDWR | nix::fcntl::OFlag::O_CLOEXEC;
    let mut data = DmaHeapAllocationData {
        len,
        fd: 0,
        fd_flags: flags.bits().cast_unsigned(),
        heap_flags: 0,
    };
    // SAFETY: `data` is a live `struct dma_heap_allocation_data`.
    unsafe { heap_alloc(heap.as_raw_fd(), &raw mut data) }?;
    // SAFETY: on success the kernel has stored a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(data.fd.cast_signed()) })
}

/// The driver's name.
pub(crate) fn driver(video: BorrowedFd<'_>) -> Result<String, Errno> {
    // SAFETY: all zeroes are a valid `struct v4l2_capability`.
    let mut caps: v4l2_capability = unsafe { zeroed() };
    // SAFETY: `caps` is a live `struct v4l2_capability`.
    unsafe { vidioc_querycap(video.as_raw_fd(), &raw mut caps) }?;
    let end = caps.driver.iter().position(|&byte| byte == 0);
    Ok(String::from_utf8_lossy(&caps.driver[..end.unwrap_or(16)]).into_owned())
}

/// Sets a format; returns stride and size of a picture in bytes.
pub(crate) fn set_format(
    video: BorrowedFd<'_>,
    (width, height): (u32, u32),
    fourcc: u32,
) -> Result<(u32, u32), Errno> {
    // SAFETY: all zeroes are a valid `struct v4l2_format`.
    let mut format: v4l2_format = unsafe { zeroed() };
    format.type_ = CAPTURE;
    format.fmt.pix.width = width;
    format.fmt.pix.height = height;
    format.fmt.pix.pixelformat = fourcc;
    // SAFETY: `format` is a live `struct v4l2_format`.
    unsafe { vidioc_s_fmt(video.as_raw_fd(), &raw mut format) }?;
    // SAFETY: for this buffer type the driver has filled in `pix`.
    let pix = unsafe { format.fmt.pix };
    if (pix.width, pix.height, pix.pixelformat) != (width, height, fourcc) {
        return Err(Errno::ERANGE);
    }
    Ok((pix.bytesperline, pix.sizeimage))
}

/// Asks for a number of frames a second.
pub(crate) fn set_rate(video: BorrowedFd<'_>, rate: u32) -> Result<(), Errno> {
    // SAFETY: all zeroes are a valid `struct v4l2_streamparm`.
    let mut parm: v4l2_streamparm = unsafe { zeroed() };
    parm.type_ = CAPTURE;
    parm.parm.capture.timeperframe.numerator = 1;
    parm.parm.capture.timeperframe.denominator = rate;
    // SAFETY: `parm` is a live `struct v4l2_streamparm`.
    unsafe { vidioc_s_parm(video.as_raw_fd(), &raw mut parm) }.map(drop)
}

/// Says how many buffers will be imported.
pub(crate) fn request(video: BorrowedFd<'_>, count: u32) -> Result<(), Errno> {
    // SAFETY: all zeroes are a valid `struct v4l2_requestbuffers`.
    let mut request: v4l2_requestbuffers = unsafe { zeroed() };
    request.count = count;
    request.type_ = CAPTURE;
    request.memory = DMABUF;
    // SAFETY: `request` is a live `struct v4l2_requestbuffers`.
    unsafe { vidioc_reqbufs(video.as_raw_fd(), &raw mut request) }.map(drop)
}

fn buffer() -> v4l2_buffer {
    // SAFETY: all zeroes are a valid `struct v4l2_buffer`.
    let mut buffer: v4l2_buffer = unsafe { zeroed() };
    buffer.type_ = CAPTURE;
    buffer.memory = DMABUF;
    buffer
}

/// Gives a dma-buf to the camera.
pub(crate) fn queue(
    video: BorrowedFd<'_>,
    index: u32,
    dma_buf: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let mut buffer = buffer();
    buffer.index = index;
    buffer.m.fd = dma_buf.as_raw_fd();
    // SAFETY: `buffer` is a live `struct v4l2_buffer`.
    unsafe { vidioc_qbuf(video.as_raw_fd(), &raw mut buffer) }.map(drop)
}

/// Takes a filled buffer: its index and its timestamp in nanoseconds.
pub(crate) fn dequeue(video: BorrowedFd<'_>) -> Result<(u32, u64), Errno> {
    let mut buffer = buffer();
    // SAFETY: `buffer` is a live `struct v4l2_buffer`.
    unsafe { vidioc_dqbuf(video.as_raw_fd(), &raw mut buffer) }?;
    let seconds = buffer.timestamp.tv_sec.cast_unsigned();
    let micros = buffer.timestamp.tv_usec.cast_unsigned();
    Ok((buffer.index, seconds * 1_000_000_000 + micros * 1_000))
}

/// Starts the flow.
pub(crate) fn stream_on(video: BorrowedFd<'_>) -> Result<(), Errno> {
    let kind = CAPTURE.cast_signed();
    // SAFETY: the argument is a live `int` with the buffer type.
    unsafe { vidioc_streamon(video.as_raw_fd(), &raw const kind) }.map(drop)
}
