/* Heaps of dma-bufs for programs in C. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A call that fails returns NULL or -1 (a length: 0), sets errno, and keeps its reason for the
 * thread: dmaflow_last_error(). A call that succeeds leaves the last reason as it was.
 *
 * Threads: any function may be called from any thread at any time, and threads may share what it
 * returns. What one of them has freed is refused with EINVAL from then on, as is NULL. A heap may
 * be closed before its buffers. Only the bytes of a buffer are the program's own concern: no
 * thread may touch them once the access is ended or the buffer freed.
 *
 * Written by cbindgen from capi/src/sys.rs; `cargo xtask header` does it again.
 */

#ifndef DMAFLOW_H
#define DMAFLOW_H

#include <stddef.h>
#include <stdint.h>

/**
 * CPU access for reading.
 */
#define DMAFLOW_READ 1

/**
 * CPU access for reading and writing.
 */
#define DMAFLOW_READ_WRITE 3

/**
 * A buffer on loan from a heap.
 */
typedef struct dmaflow_buffer dmaflow_buffer;

/**
 * A heap that was opened.
 */
typedef struct dmaflow_heap dmaflow_heap;

/**
 * The names of heaps.
 */
typedef struct dmaflow_heaps dmaflow_heaps;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Opens a heap by its name, such as `system`, or by the path of its node.
 *
 * `account` is whose the buffers are: a name for the kernel's listing of dma-bufs and for
 * reports. It may be NULL.
 *
 * Returns NULL on failure: ENOENT when no heap is called so, EACCES when what is called so
 * cannot be used: `dmaflow_last_error` tells why.
 *
 * # Safety
 * `name` and `account` are NULL or texts with a NUL at their end.
 */
dmaflow_heap *dmaflow_heap_open(const char *name, const char *account);

/**
 * Closes a heap. Its buffers stay until each is freed.
 *
 * Returns 0, or -1 on failure.
 */
int dmaflow_heap_close(dmaflow_heap *heap);

/**
 * The name of a heap, which stays until the heap is closed; NULL on failure.
 */
const char *dmaflow_heap_name(const dmaflow_heap *heap);

/**
 * Lists the heaps of this machine that this process can open.
 *
 * Free the list when done. Returns NULL on failure.
 */
dmaflow_heaps *dmaflow_heap_list(void);

/**
 * A name in a list, counted from 0, which stays until the list is freed; NULL after the last,
 * and on failure.
 */
const char *dmaflow_heap_list_name(const dmaflow_heaps *list, size_t index);

/**
 * Frees a list and its names.
 *
 * Returns 0, or -1 on failure.
 */
int dmaflow_heap_list_free(dmaflow_heaps *list);

/**
 * Allocates a buffer of at least `len` bytes, a whole number of pages.
 *
 * It is zeroed. Only a served heap that clears memory between clients, and says so in its
 * server's file, may give a program what it wrote itself.
 *
 * `align` is what its beginning is to be aligned to, as devices see it: a power of two, or 0
 * for no more than the heap does anyway. No flags are defined: `flags` must be 0.
 *
 * Returns NULL on failure: EINVAL for a length of 0, an alignment the heap does not have and
 * unknown flags, ENOMEM where there is no memory, EDQUOT at a budget's limit.
 */
dmaflow_buffer *dmaflow_heap_alloc(const dmaflow_heap *heap,
                                   size_t len,
                                   size_t align,
                                   uint64_t flags);

/**
 * The length of a buffer in bytes; 0 on failure.
 */
size_t dmaflow_buffer_len(const dmaflow_buffer *buffer);

/**
 * The descriptor of a buffer, for devices and other processes; -1 on failure.
 *
 * It is the library's: it is closed when the buffer is freed, so duplicate it to keep it, and
 * do not close it. It is closed on exec.
 */
int dmaflow_buffer_fd(const dmaflow_buffer *buffer);

/**
 * Opens a buffer to the CPU and returns where its bytes begin.
 *
 * `access` is DMAFLOW_READ or DMAFLOW_READ_WRITE. The kernel is told, as it must be for devices
 * and the CPU to see the same. Readers may share a buffer, a writer is alone. The bytes may be
 * used until the access is ended or the buffer is freed.
 *
 * Returns NULL on failure: EBUSY while another access is open that this one would race with,
 * EINVAL for another `access`, the kernel's number where it shows no memory.
 */
void *dmaflow_buffer_begin_cpu_access(dmaflow_buffer *buffer, int access);

/**
 * Ends a CPU access: one end for each begin.
 *
 * Returns 0, or -1 on failure: EINVAL when none is open.
 */
int dmaflow_buffer_end_cpu_access(dmaflow_buffer *buffer);

/**
 * Gives a buffer back to its heap, and ends what CPU access is still open.
 *
 * Its memory stays while a device or another process uses it. Returns 0, or -1 on failure.
 */
int dmaflow_buffer_free(dmaflow_buffer *buffer);

/**
 * What the last failed call of this thread failed for, in words: what was asked, what was found
 * and what to do.
 *
 * Never NULL; empty when no call has failed. It stays until the next failure of this thread,
 * or its end.
 */
const char *dmaflow_last_error(void);

/**
 * The number of the last failed call of this thread, which was also put into `errno`; 0 when no
 * call has failed.
 */
int dmaflow_last_errno(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DMAFLOW_H */
