/* A buffer from any heap, written by the CPU: heap [NAME] */
#include <dmaflow.h>
#include <stdio.h>
#include <string.h>

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, dmaflow_last_error());
    return 1;
}

int main(int argc, char **argv) {
    dmaflow_heap *heap = dmaflow_heap_open(argc > 1 ? argv[1] : "system", "example");
    if (!heap) return failed("open");
    dmaflow_buffer *buffer = dmaflow_heap_alloc(heap, 1920 * 1080 * 4, 0, 0);
    if (!buffer) return failed("allocate");
    void *pixels = dmaflow_buffer_begin_cpu_access(buffer, DMAFLOW_READ_WRITE);
    if (!pixels) return failed("write");
    memset(pixels, 0x80, dmaflow_buffer_len(buffer));
    dmaflow_buffer_end_cpu_access(buffer);
    printf("%s: %zu bytes in descriptor %d\n", dmaflow_heap_name(heap),
           dmaflow_buffer_len(buffer), dmaflow_buffer_fd(buffer));
    dmaflow_buffer_free(buffer);
    dmaflow_heap_close(heap);
    return 0;
}
