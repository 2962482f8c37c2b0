//! What it means that a device does not take a heap's buffers.

use dmaflow_core::Errno;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::{Contiguity, HeapInfo};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{ImportRefused, StageError};

use crate::device::{Direction, VideoDevice};
use crate::error::V4l2Error;
use crate::fit::same_place;

/// Why a device cannot be given a pool's frames.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// It cannot use the pool's memory; another heap may do.
    #[error(transparent)]
    Refused(Box<ImportRefused>),
    /// Anything else.
    #[error(transparent)]
    Device(#[from] V4l2Error),
}

impl From<ImportRefused> for AttachError {
    fn from(refused: ImportRefused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<AttachError> for StageError {
    fn from(error: AttachError) -> Self {
        match error {
            AttachError::Refused(refused) => Self::Refused(refused),
            AttachError::Device(error) => error.into(),
        }
    }
}

/// Checks that a pool's frames lie as the device does something with them.
pub(crate) fn check_layout(
    device: &VideoDevice,
    does: &'static str,
    expected: &Layout,
    pool: &FramePool,
) -> Result<(), V4l2Error> {
    if same_place(expected, pool.layout()) {
        return Ok(());
    }
    Err(V4l2Error::OtherLayout {
        device: device.to_string(),
        does,
        expected: Box::new(expected.clone()),
        found: Box::new(pool.layout().clone()),
    })
}

/// Why there is no queue: a driver that imports nothing refuses every heap alike.
pub(crate) fn not_requested(
    device: &VideoDevice,
    direction: Direction,
    pool: &FramePool,
    error: V4l2Error,
) -> AttachError {
    // A queue may be refused for other reasons, with the same number.
    if error.errno() == Some(Errno::EINVAL) && device.imports(direction) == Some(false) {
        return of_queue(device.to_string(), pool.heap().info()).into();
    }
    error.into()
}

/// Why a frame of a pool was not taken at `VIDIOC_QBUF`.
pub(crate) fn not_queued(
    device: &VideoDevice,
    pool: &FramePool,
    slot: usize,
    errno: Errno,
) -> AttachError {
    match errno {
        Errno::ENODEV | Errno::ENXIO => {
            device.failed("VIDIOC_QBUF", "hand a frame over")(errno).into()
        }
        errno => {
            let mut buffers = pool.buffers().nth(slot).into_iter().flatten();
            let importable = buffers.all(|buffer| buffer.is_importable());
            of_frame(device.to_string(), pool.heap().info(), importable, errno).into()
        }
    }
}

const CONTIGUOUS: &str = "use a contiguous heap, such as `default_cma_region`";

/// The refusal of a whole queue at `VIDIOC_REQBUFS`: EINVAL is vb2's answer where a driver's
/// queue lacks `VB2_DMABUF`, before it looks at any buffer (`vb2_verify_memory_type`).
fn of_queue(device: String, heap: &HeapInfo) -> ImportRefused {
    ImportRefused {
        device,
        heap: heap.name.clone(),
        call: "VIDIOC_REQBUFS".into(),
        errno: Errno::EINVAL,
        meaning: "this device's driver imports no dma-bufs, from whichever heap".to_owned(),
        remedy: "let the device's own buffers be the heap (VIDIOC_EXPBUF), or use another device"
            .to_owned(),
    }
}

/// The refusal of a frame at `VIDIOC_QBUF`.
fn of_frame(device: String, heap: &HeapInfo, importable: bool, errno: Errno) -> ImportRefused {
    let (meaning, remedy) = explain(heap, importable, errno);
    ImportRefused {
        device,
        heap: heap.name.clone(),
        call: "VIDIOC_QBUF".into(),
        errno,
        meaning: meaning.to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// What an error number means for memory like this, and what to do.
///
/// EFAULT is vb2-dma-contig's answer to scattered memory, and that of drivers which write with
/// the CPU to memory that it cannot see; EINVAL is vb2's to descriptors that are no dma-buf and
/// to buffers shorter than the picture, and vb2-dma-contig's to memory that cannot be mapped
/// for the device (`drivers/media/common/videobuf2`).
fn explain(heap: &HeapInfo, importable: bool, errno: Errno) -> (&'static str, &'static str) {
    match errno {
        Errno::EFAULT if heap.protected => (
            "this device's driver needs sight of the memory, and this heap's is protected",
            "use a heap that is not",
        ),
        Errno::EFAULT => match heap.contiguity {
            Contiguity::Scattered | Contiguity::Pieces(_) => (
                "this device needs contiguous memory (it has no IOMMU), and this heap's is \
                 scattered",
                CONTIGUOUS,
            ),
            Contiguity::Unknown => (
                "this device may need contiguous memory, and this heap does not say how its lies",
                CONTIGUOUS,
            ),
            Contiguity::Contiguous => (
                "the memory is contiguous, but the device's DMA does not reach it or finds it \
                 too short",
                "try another contiguous heap",
            ),
        },
        _ if !importable => (
            "this heap's memory is no dma-buf, and devices cannot import it",
            "use one of the kernel's heaps, or `udmabuf`",
        ),
        Errno::EINVAL => (
            "the driver found a buffer too short, or could not map it for the device: its DMA \
             does not reach the memory, or there is no room left to map it",
            "try another heap, or fewer or smaller buffers",
        ),
        Errno::ENOMEM => (
            "there is no memory or address space left to map the buffers for the device",
            "use fewer or smaller buffers",
        ),
        _ => ("", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heap(name: &str, contiguity: Contiguity) -> HeapInfo {
        HeapInfo {
            contiguity,
            ..HeapInfo::new(name)
        }
    }

    #[test]
    fn scattered_memory_names_all_there_is_to_know() {
        let heap = heap("system", Contiguity::Scattered);
        let text = of_frame("cam".to_owned(), &heap, true, Errno::EFAULT).to_string();
        for part in [
            "cam",
            "`system`",
            "VIDIOC_QBUF",
            "EFAULT",
            "contiguous",
            "default_cma_region",
        ] {
            assert!(text.contains(part), "no {part} in: {text}");
        }
    }

    #[test]
    fn contiguous_memory_is_not_called_scattered() {
        let heap = heap("reserved", Contiguity::Contiguous);
        let (meaning, remedy) = explain(&heap, true, Errno::EFAULT);
        assert!(!meaning.contains("scattered"), "{meaning}");
        assert!(!remedy.contains("default_cma_region"), "{remedy}");
    }

    #[test]
    fn a_driver_that_imports_nothing_says_so_whatever_the_heap() {
        let text = of_queue("cam".to_owned(), &heap("system", Contiguity::Scattered)).to_string();
        for part in [
            "`system`",
            "VIDIOC_REQBUFS",
            "EINVAL",
            "no dma-bufs",
            "EXPBUF",
        ] {
            assert!(text.contains(part), "no {part} in: {text}");
        }
    }

    #[test]
    fn a_memfd_is_no_dma_buf() {
        let heap = heap("memfd", Contiguity::Scattered);
        let (meaning, remedy) = explain(&heap, false, Errno::EINVAL);
        assert!(meaning.contains("no dma-buf"), "{meaning}");
        assert!(remedy.contains("udmabuf"), "{remedy}");
    }
}
