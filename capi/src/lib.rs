//! Heaps for programs in C: `dmaflow.h` says what each function does.
//!
//! What C holds are handles: numbers that look like pointers and lead nowhere. Each call looks
//! its handle up, so one that was freed, or never was, is refused. So all that C can break with
//! them are its own pointers into a buffer's bytes. [`sys`] has the functions as C sees them;
//! what they do is beside it, without unsafe code.

mod buffer;
mod call;
mod failure;
mod handles;
mod heap;
mod sys;

pub use sys::{
    DMAFLOW_READ, DMAFLOW_READ_WRITE, DmaflowBuffer, DmaflowHeap, DmaflowHeapList,
    dmaflow_buffer_begin_cpu_access, dmaflow_buffer_end_cpu_access, dmaflow_buffer_fd,
    dmaflow_buffer_free, dmaflow_buffer_len, dmaflow_heap_alloc, dmaflow_heap_close,
    dmaflow_heap_list, dmaflow_heap_list_free, dmaflow_heap_list_name, dmaflow_heap_name,
    dmaflow_heap_open, dmaflow_last_errno, dmaflow_last_error,
};
