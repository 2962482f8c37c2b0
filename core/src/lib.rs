//! Heaps, dma-bufs, formats, frames and pools: the part of dmaflow that touches no device.
