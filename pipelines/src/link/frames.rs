//! Frames for tests, whose buffers nobody looks into: nothing here needs a kernel.

use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::heap::{ExportError, Exporter, Heap, HeapInfo, Request};
use dmaflow_core::layout::Layout;

/// Gives descriptors of nothing.
struct Nothing;

impl Exporter for Nothing {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let file = std::fs::File::open("/dev/null").unwrap();
        Ok(DmaBuf::with_len(file.into(), request.len))
    }
}

/// A pool of small frames.
pub(super) fn pool(frames: usize) -> FramePool {
    let layout = Layout::packed(Format::XRGB8888, 16, 16).unwrap();
    let heap = Heap::new(HeapInfo::new("nothing"), Nothing);
    FramePool::allocate(&heap, &layout, frames).unwrap()
}

/// The next free frame of a pool, numbered.
pub(super) fn numbered(pool: &FramePool, sequence: u64) -> Frame {
    let mut frame = pool.acquire().unwrap();
    frame.set_meta(FrameMeta {
        sequence,
        ..FrameMeta::default()
    });
    frame
}
