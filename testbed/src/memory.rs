//! What tests do with buffers' bytes, and with heaps' ends.

use dmaflow_core::dma_buf::{CpuUse, DmaBuf};
use dmaflow_core::heap::{Heap, HeapBuffer};

/// Writes one value all over a buffer.
///
/// # Panics
/// When the CPU cannot write it.
pub fn fill(buffer: &DmaBuf, byte: u8) {
    buffer.write(CpuUse::Draw).expect("CPU access").fill(byte);
}

/// Whether one value is all over a buffer.
///
/// # Panics
/// When the CPU cannot read it.
#[must_use]
pub fn is_all(buffer: &DmaBuf, byte: u8) -> bool {
    let bytes = buffer.read(CpuUse::Inspect).expect("CPU access");
    bytes.iter().all(|&found| found == byte)
}

/// Everything that a heap still gives, in pieces of so many bytes.
#[must_use]
pub fn the_rest(heap: &Heap, len: usize) -> Vec<HeapBuffer> {
    std::iter::from_fn(|| heap.allocate(len).ok()).collect()
}
