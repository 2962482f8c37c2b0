//! EXPBUF: memory that a video device's driver allocates, as a heap.
//!
//! A driver knows what memory its device can use: contiguous, below some address, mapped for
//! its IOMMU. Memory of its own is right for it, needs no heap of the kernel's, and other
//! devices import it.
//!
//! ```text
//!  CREATE_BUFS ──▶ the queue has a buffer ──EXPBUF──▶ a dma-buf has its memory too
//!                                                       │ REQBUFS(0): the queue forgets it
//!                       queue free for anyone ◀─────────┴────▶ the dma-buf has it alone
//! ```
//!
//! The memory of videobuf2 counts who holds it: the queue, and each dma-buf exported from it
//! (`vb2_dc_get_dmabuf` and its kin in `drivers/media/common/videobuf2`, which also hold the
//! device that it was allocated for). Since Linux 5.0 a queue may forget buffers that are held
//! elsewhere ("orphaned", `V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS`). So a buffer is forgotten by
//! its queue before it is handed out: the limit of 32 buffers a queue is none here, nothing has
//! to be undone at release, and the queue belongs to us during an allocation only. A camera may
//! even import what its own driver gave.
//!
//! # When the device goes away
//!
//! Nothing on loan is freed: what was handed out can be read, written, mapped anew and imported
//! by others until its last user lets go, and is freed then. Allocation fails with ENODEV from
//! then on, and says that the device is gone; that heap never comes back, and a new one is
//! opened when the device does.
//!
//! # Capturing into them
//!
//! A camera that cannot import at all captures into buffers that its queue remembers. A source
//! for it would do the first two steps alike, on its own open node and for as many buffers as
//! the pool has frames, and leave the third out: slot and index are then the same, it queues
//! with `V4L2_MEMORY_MMAP`, and `REQBUFS(0)` is the end of its `Queue`, not of the pool. Such a
//! source is not built yet.

use std::sync::{Mutex, PoisonError};

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{ExportError, Exporter, HeapInfo, Request, memory_total, page_size};

use crate::device::{Direction, VideoDevice, VideoNode, video_nodes};
use crate::error::V4l2Error;
use crate::sys;

/// Memory that a driver allocates for its device.
///
/// A buffer is as long as the device's present format needs, at least: drivers make none that
/// they could not use. Of formats that spread a picture over several buffers, the first one of
/// each set is handed out and the others are freed. The driver may hand out contiguous memory
/// or not, which the kernel does not tell; it is zeroed (`vmalloc_user`, `__GFP_ZERO` and
/// `dma_alloc_attrs` in videobuf2's three allocators).
///
/// *Needs:* read and write permission for the node, Linux 5.0, a driver with
/// `VIDIOC_CREATE_BUFS`; and, while it allocates, that nobody has buffers in the device's queue.
/// A source of this very device must be attached after its pool was allocated, as it always is.
/// A codec gives each of its users queues of their own.
#[derive(Debug)]
pub struct Expbuf {
    /// Locked from the making of a buffer until it is forgotten.
    device: Mutex<VideoDevice>,
    direction: Direction,
}

impl Expbuf {
    /// Takes an open device, and which of its queues gives the memory.
    #[must_use]
    pub const fn new(device: VideoDevice, direction: Direction) -> Self {
        Self {
            device: Mutex::new(device),
            direction,
        }
    }

    /// What to register it with: `expbuf:` and the driver's name, and the node's as an alias.
    #[must_use]
    pub fn info(&self) -> HeapInfo {
        let device = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        let name = device.path().file_name().unwrap_or_default();
        let info = HeapInfo::new(format!("expbuf:{}", device.capabilities().driver));
        HeapInfo {
            aliases: vec![format!("expbuf:{}", name.to_string_lossy())],
            node: Some(device.path().to_owned()),
            largest: memory_total().map(|total| total.min(largest())),
            ..info
        }
    }
}

/// The longest length that `sizeimage` can say, in whole pages.
fn largest() -> u64 {
    (1 << 32) - page_size() as u64
}

/// A heap that is there, and its exporter or why there is none.
pub type DeviceHeap = (HeapInfo, Result<Expbuf, V4l2Error>);

/// Lists the heaps of this machine's cameras and codecs: `expbuf:vivid`, `expbuf:video0`.
///
/// A heap is named after the device's driver, and after its node where that name is taken; the
/// node's always answers. They are for whoever composes a registry, and no part of any. Each
/// holds its node open.
#[must_use]
pub fn of_devices() -> Vec<DeviceHeap> {
    let mut heaps = Vec::<DeviceHeap>::new();
    for VideoNode { path, capabilities } in video_nodes() {
        let opened = match capabilities {
            Ok(has) if !(has.captures() || has.converts()) => continue,
            Ok(_gives_pictures) => VideoDevice::open(&path),
            Err(error) => Err(error),
        };
        let opened = opened.map(|device| Expbuf::new(device, Direction::Capture));
        let mut info = match &opened {
            Ok(expbuf) => expbuf.info(),
            Err(_refused) => {
                let name = path.file_name().unwrap_or_default();
                HeapInfo {
                    node: Some(path.clone()),
                    ..HeapInfo::new(format!("expbuf:{}", name.to_string_lossy()))
                }
            }
        };
        let taken = heaps.iter().any(|(other, _)| other.answers_to(&info.name));
        if taken && let Some(by_node) = info.aliases.pop() {
            info.name = by_node;
        }
        heaps.push((info, opened));
    }
    heaps
}

impl Exporter for Expbuf {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let too_long = |_too_long| ExportError::Os {
            call: "VIDIOC_CREATE_BUFS",
            source: Errno::ENOMEM,
        };
        let len = u32::try_from(request.len.get()).map_err(too_long)?;
        let device = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = device.queue_type(self.direction);
        let failed = |call| {
            let device = &*device;
            move |errno| refusal(device, call, len, errno)
        };
        let made = sys::create_buffer(device.fd(), queue, len);
        let made = made.map_err(failed("VIDIOC_CREATE_BUFS"))?;
        let forgetting = Forgetting {
            device: &device,
            queue,
        };
        if made.count == 0 {
            return Err(failed("VIDIOC_CREATE_BUFS")(Errno::ENOMEM));
        }
        if !made.orphans {
            return Err(failed("V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS")(
                Errno::EOPNOTSUPP,
            ));
        }
        let exported = sys::export_buffer(device.fd(), queue, made.index);
        let exported = exported.map_err(failed("VIDIOC_EXPBUF"))?;
        drop(forgetting);
        Ok(DmaBuf::new(exported)?)
    }
}

/// Has the queue forget its buffers when dropped.
struct Forgetting<'d> {
    device: &'d VideoDevice,
    queue: u32,
}

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        let device = self.device;
        match sys::forget_buffers(device.fd(), self.queue) {
            Ok(()) => {}
            Err(errno @ (Errno::ENODEV | Errno::ENXIO)) => {
                tracing::debug!(%device, %errno, "a queue went with its device");
            }
            Err(errno) => tracing::warn!(%device, %errno, "a queue does not forget its buffer"),
        }
    }
}

/// What an answer of a driver means here, and what helps.
fn refusal(device: &VideoDevice, call: &'static str, len: u32, source: Errno) -> ExportError {
    let reason = match (call, source) {
        // These have an advice of their own.
        (_, Errno::ENOMEM | Errno::EMFILE) => return ExportError::Os { call, source },
        (_, Errno::ENODEV | Errno::ENXIO) => format!(
            "{device} is gone: it was unplugged or its driver was unloaded; what is on loan \
             stays valid, and a new heap can be opened when it is back"
        ),
        (_, Errno::EBUSY) => format!(
            "{device} has buffers of another program, or of a stage, in its queue; stop that, or \
             allocate before the stage is attached"
        ),
        (_, Errno::ENOTTY) => format!("the driver of {device} has no {call}; use another heap"),
        (_, Errno::EOPNOTSUPP) => format!(
            "{device} keeps what it exports in its queue, as kernels before 5.0 do; use a newer \
             one, or another heap"
        ),
        ("VIDIOC_EXPBUF", Errno::EINVAL) => {
            format!("the driver of {device} exports no buffers; use another heap")
        }
        ("VIDIOC_CREATE_BUFS", Errno::EINVAL) => format!(
            "the driver of {device} makes no buffer of {len} bytes in its present format, or has \
             none yet; set another format, or use another heap"
        ),
        _ => format!("{device}: {call} failed with {source:?}"),
    };
    let errno = match source {
        Errno::ENXIO => Errno::ENODEV,
        errno => errno,
    };
    ExportError::Refused { errno, reason }
}
