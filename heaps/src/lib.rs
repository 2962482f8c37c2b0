//! The exporters: kernel dma-heaps, udmabuf and memfd.
