//! The ioctls of the loop, as bare as they come.
#![expect(
    unsafe_code,
    reason = "ioctls have no safe form; every block names what makes it sound"
)]

use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use v4l::v4l_sys::{
    v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE as CAPTURE,
    v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT as OUTPUT, v4l2_buffer, v4l2_event,
    v4l2_event_subscription, v4l2_format, v4l2_memory_V4L2_MEMORY_DMABUF as DMABUF,
    v4l2_requestbuffers, v4l2_streamparm,
};

/// `V4L2_EVENT_SOURCE_CHANGE`.
const SOURCE_CHANGE: u32 = 5;

/// `struct dma_heap_allocation_data`.
#[repr(C)]
struct DmaHeapAllocationData {
    len: u64,
    fd: u32,
    fd_flags: u32,
    heap_flags: u64,
}

nix::ioctl_readwrite!(heap_alloc, b'H', 0, DmaHeapAllocationData);
nix::ioctl_readwrite!(vidioc_s_fmt, b'V', 5, v4l2_format);
nix::ioctl_readwrite!(vidioc_reqbufs, b'V', 8, v4l2_requestbuffers);
nix::ioctl_readwrite!(vidioc_qbuf, b'V', 15, v4l2_buffer);
nix::ioctl_readwrite!(vidioc_dqbuf, b'V', 17, v4l2_buffer);
nix::ioctl_write_ptr!(vidioc_streamon, b'V', 18, i32);
nix::ioctl_readwrite!(vidioc_s_parm, b'V', 22, v4l2_streamparm);
nix::ioctl_read!(vidioc_dqevent, b'V', 89, v4l2_event);
nix::ioctl_write_ptr!(vidioc_subscribe_event, b'V', 90, v4l2_event_subscription);

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

/// One queue of a device.
#[derive(Clone, Copy)]
pub(crate) struct Queue<'d> {
    device: BorrowedFd<'d>,
    kind: u32,
}

impl<'d> Queue<'d> {
    /// What comes out of a device.
    pub(crate) const fn capture(device: BorrowedFd<'d>) -> Self {
        Self {
            device,
            kind: CAPTURE,
        }
    }

    /// What goes into one.
    pub(crate) const fn output(device: BorrowedFd<'d>) -> Self {
        Self {
            device,
            kind: OUTPUT,
        }
    }

    /// Sets a format; returns the size of a buffer in bytes.
    pub(crate) fn set_format(
        self,
        (width, height): (u32, u32),
        code: [u8; 4],
    ) -> Result<u32, Errno> {
        let code = u32::from_le_bytes(code);
        // SAFETY: all zeroes are a valid `struct v4l2_format`.
        let mut format: v4l2_format = unsafe { zeroed() };
        format.type_ = self.kind;
        format.fmt.pix.width = width;
        format.fmt.pix.height = height;
        format.fmt.pix.pixelformat = code;
        // SAFETY: `format` is a live `struct v4l2_format`.
        unsafe { vidioc_s_fmt(self.device.as_raw_fd(), &raw mut format) }?;
        // SAFETY: for this buffer type the driver has filled in `pix`.
        let pix = unsafe { format.fmt.pix };
        if (pix.width, pix.height, pix.pixelformat) != (width, height, code) {
            return Err(Errno::ERANGE);
        }
        Ok(pix.sizeimage)
    }

    /// Asks for a number of frames a second.
    pub(crate) fn set_rate(self, rate: u32) -> Result<(), Errno> {
        // SAFETY: all zeroes are a valid `struct v4l2_streamparm`.
        let mut parm: v4l2_streamparm = unsafe { zeroed() };
        parm.type_ = self.kind;
        parm.parm.capture.timeperframe.numerator = 1;
        parm.parm.capture.timeperframe.denominator = rate;
        // SAFETY: `parm` is a live `struct v4l2_streamparm`.
        unsafe { vidioc_s_parm(self.device.as_raw_fd(), &raw mut parm) }.map(drop)
    }

    /// Says how many buffers will be imported.
    pub(crate) fn request(self, count: u32) -> Result<(), Errno> {
        // SAFETY: all zeroes are a valid `struct v4l2_requestbuffers`.
        let mut request: v4l2_requestbuffers = unsafe { zeroed() };
        request.count = count;
        request.type_ = self.kind;
        request.memory = DMABUF;
        // SAFETY: `request` is a live `struct v4l2_requestbuffers`.
        unsafe { vidioc_reqbufs(self.device.as_raw_fd(), &raw mut request) }.map(drop)
    }

    fn buffer(self) -> v4l2_buffer {
        // SAFETY: all zeroes are a valid `struct v4l2_buffer`.
        let mut buffer: v4l2_buffer = unsafe { zeroed() };
        buffer.type_ = self.kind;
        buffer.memory = DMABUF;
        buffer
    }

    /// Gives a dma-buf to the device, with so many bytes in it.
    pub(crate) fn queue(self, index: u32, dma_buf: BorrowedFd<'_>, used: u32) -> Result<(), Errno> {
        let mut buffer = self.buffer();
        buffer.index = index;
        buffer.m.fd = dma_buf.as_raw_fd();
        buffer.bytesused = used;
        // SAFETY: `buffer` is a live `struct v4l2_buffer`.
        unsafe { vidioc_qbuf(self.device.as_raw_fd(), &raw mut buffer) }.map(drop)
    }

    /// Takes a buffer that the device is done with: its index and the bytes in it; `None` while
    /// there is none.
    pub(crate) fn dequeue(self) -> Result<Option<(u32, u32)>, Errno> {
        let mut buffer = self.buffer();
        // SAFETY: `buffer` is a live `struct v4l2_buffer`.
        match unsafe { vidioc_dqbuf(self.device.as_raw_fd(), &raw mut buffer) } {
            Ok(_zero) => Ok(Some((buffer.index, buffer.bytesused))),
            Err(Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Starts the flow.
    pub(crate) fn stream_on(self) -> Result<(), Errno> {
        let kind = self.kind.cast_signed();
        // SAFETY: the argument is a live `int` with the buffer type.
        unsafe { vidioc_streamon(self.device.as_raw_fd(), &raw const kind) }.map(drop)
    }
}

/// Has a decoder tell when it knows what its pictures are like.
pub(crate) fn subscribe(decoder: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: all zeroes are a valid `struct v4l2_event_subscription`.
    let mut subscription: v4l2_event_subscription = unsafe { zeroed() };
    subscription.type_ = SOURCE_CHANGE;
    // SAFETY: `subscription` is a live `struct v4l2_event_subscription`.
    unsafe { vidioc_subscribe_event(decoder.as_raw_fd(), &raw const subscription) }.map(drop)
}

/// Takes the event.
pub(crate) fn take_event(decoder: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: all zeroes are a valid `struct v4l2_event`.
    let mut event: v4l2_event = unsafe { zeroed() };
    // SAFETY: `event` is a live `struct v4l2_event`.
    unsafe { vidioc_dqevent(decoder.as_raw_fd(), &raw mut event) }.map(drop)
}
