//! The functions that C calls: the only unsafe code of this crate.
//!
//! Their documentation is the header's, which `cbindgen` writes from this file.
#![expect(
    unsafe_code,
    reason = "C gives texts by pointer and functions by name; every block says what makes it sound"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::AsRawFd as _;
use std::ptr;

use crate::buffer::BUFFERS;
use crate::call::{self, call};
use crate::failure::Failure;
use crate::heap::{self, HEAPS, LISTS};

/// CPU access for reading.
pub const DMAFLOW_READ: c_int = 1;
/// CPU access for reading and writing.
pub const DMAFLOW_READ_WRITE: c_int = 3;

/// A heap that was opened.
pub enum DmaflowHeap {}

/// A buffer on loan from a heap.
pub enum DmaflowBuffer {}

/// The names of heaps.
pub enum DmaflowHeapList {}

/// Reads a text that C gave.
///
/// # Safety
/// `text` is NULL or leads to a text with a NUL at its end, which nobody changes during `'t`.
unsafe fn text<'t>(what: &'static str, text: *const c_char) -> Result<&'t str, Failure> {
    if text.is_null() {
        return Err(Failure::Null { what });
    }
    // SAFETY: not NULL, so by this function's own condition a text that stays.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_not_utf8| Failure::Text {
        what,
        found: text.to_string_lossy().into_owned(),
    })
}

/// Opens a heap by its name, such as `system`, or by the path of its node.
///
/// `account` is whose the buffers are: a name for the kernel's listing of dma-bufs and for
/// reports. It may be NULL.
///
/// Returns NULL on failure: ENOENT when no heap is called so, EACCES when what is called so
/// cannot be used: `dmaflow_last_error` tells why.
///
/// # Safety
/// `name` and `account` are NULL or texts with a NUL at their end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmaflow_heap_open(
    name: *const c_char,
    account: *const c_char,
) -> *mut DmaflowHeap {
    call(ptr::null_mut(), || {
        // SAFETY: the caller's promise.
        let name = unsafe { text("name of the heap", name) }?;
        let account = match account.is_null() {
            true => None,
            // SAFETY: the caller's promise.
            false => Some(unsafe { text("name of the account", account) }?),
        };
        heap::open(name, account).map(ptr::without_provenance_mut)
    })
}

/// Closes a heap. Its buffers stay until each is freed.
///
/// Returns 0, or -1 on failure.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_heap_close(heap: *mut DmaflowHeap) -> c_int {
    call(-1, || HEAPS.take(heap.addr()).map(|_closed| 0))
}

/// The name of a heap, which stays until the heap is closed; NULL on failure.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_heap_name(heap: *const DmaflowHeap) -> *const c_char {
    call(ptr::null(), || {
        let heap = HEAPS.get(heap.addr())?;
        Ok(heap.name().as_ptr())
    })
}

/// Lists the heaps of this machine that this process can open.
///
/// Free the list when done. Returns NULL on failure.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_heap_list() -> *mut DmaflowHeapList {
    call(ptr::null_mut(), || {
        Ok(ptr::without_provenance_mut(heap::list()))
    })
}

/// A name in a list, counted from 0, which stays until the list is freed; NULL after the last,
/// and on failure.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_heap_list_name(
    list: *const DmaflowHeapList,
    index: usize,
) -> *const c_char {
    call(ptr::null(), || {
        let list = LISTS.get(list.addr())?;
        Ok(list.get(index).map_or(ptr::null(), |name| name.as_ptr()))
    })
}

/// Frees a list and its names.
///
/// Returns 0, or -1 on failure.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_heap_list_free(list: *mut DmaflowHeapList) -> c_int {
    call(-1, || LISTS.take(list.addr()).map(|_freed| 0))
}

/// Allocates a buffer of at least `len` bytes, a whole number of pages.
///
/// It is zeroed. Only a served heap that clears memory between clients, and says so in its
/// server's file, may give a program what it wrote itself.
///
/// `align` is what its beginning is to be aligned to, as devices see it: a power of two, or 0
/// for no more than the heap does anyway. No flags are defined: `flags` must be 0.
///
/// Returns NULL on failure: EINVAL for a length of 0, an alignment the heap does not have and
/// unknown flags, ENOMEM where there is no memory, EDQUOT at a budget's limit.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_heap_alloc(
    heap: *const DmaflowHeap,
    len: usize,
    align: usize,
    flags: u64,
) -> *mut DmaflowBuffer {
    call(ptr::null_mut(), || {
        let heap = HEAPS.get(heap.addr())?;
        heap.alloc(len, align, flags)
            .map(ptr::without_provenance_mut)
    })
}

/// The length of a buffer in bytes; 0 on failure.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_buffer_len(buffer: *const DmaflowBuffer) -> usize {
    call(0, || Ok(BUFFERS.get(buffer.addr())?.len()))
}

/// The descriptor of a buffer, for devices and other processes; -1 on failure.
///
/// It is the library's: it is closed when the buffer is freed, so duplicate it to keep it, and
/// do not close it. It is closed on exec.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_buffer_fd(buffer: *const DmaflowBuffer) -> c_int {
    call(-1, || Ok(BUFFERS.get(buffer.addr())?.fd().as_raw_fd()))
}

/// Opens a buffer to the CPU and returns where its bytes begin.
///
/// `access` is DMAFLOW_READ or DMAFLOW_READ_WRITE. The kernel is told, as it must be for devices
/// and the CPU to see the same. Readers may share a buffer, a writer is alone. The bytes may be
/// used until the access is ended or the buffer is freed.
///
/// Returns NULL on failure: EBUSY while another access is open that this one would race with,
/// EINVAL for another `access`, the kernel's number where it shows no memory.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_buffer_begin_cpu_access(
    buffer: *mut DmaflowBuffer,
    access: c_int,
) -> *mut c_void {
    call(ptr::null_mut(), || {
        let bytes = BUFFERS.get(buffer.addr())?.begin(access)?;
        Ok(bytes.as_ptr().cast())
    })
}

/// Ends a CPU access: one end for each begin.
///
/// Returns 0, or -1 on failure: EINVAL when none is open.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_buffer_end_cpu_access(buffer: *mut DmaflowBuffer) -> c_int {
    call(-1, || BUFFERS.get(buffer.addr())?.end().map(|()| 0))
}

/// Gives a buffer back to its heap, and ends what CPU access is still open.
///
/// Its memory stays while a device or another process uses it. Returns 0, or -1 on failure.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_buffer_free(buffer: *mut DmaflowBuffer) -> c_int {
    call(-1, || BUFFERS.take(buffer.addr()).map(|_freed| 0))
}

/// What the last failed call of this thread failed for, in words: what was asked, what was found
/// and what to do.
///
/// Never NULL; empty when no call has failed. It stays until the next failure of this thread,
/// or its end.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_last_error() -> *const c_char {
    call::last_error()
}

/// The number of the last failed call of this thread, which was also put into `errno`; 0 when no
/// call has failed.
#[unsafe(no_mangle)]
pub extern "C" fn dmaflow_last_errno() -> c_int {
    call::last_errno()
}
