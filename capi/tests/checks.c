/* What dmaflow.h promises, of each heap that is named: checks NAME... */
#define _GNU_SOURCE
#include <dmaflow.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int checks;

#define CHECK(what)                                                                          \
    do {                                                                                     \
        checks++;                                                                            \
        if (!(what)) {                                                                       \
            fprintf(stderr, "%s:%d: %s\n  last error %d: %s\n", __FILE__, __LINE__, #what,   \
                    dmaflow_last_errno(), dmaflow_last_error());                             \
            exit(1);                                                                         \
        }                                                                                    \
    } while (0)

/* That a call fails with a number, in errno and kept, and says a word of the reason. */
#define REFUSED(call, number, word)                                                          \
    do {                                                                                     \
        errno = 0;                                                                           \
        CHECK(call);                                                                         \
        CHECK(errno == (number) && dmaflow_last_errno() == (number));                        \
        CHECK(strstr(dmaflow_last_error(), word));                                           \
    } while (0)

static int open_files(void) {
    int count = 0;
    DIR *files = opendir("/proc/self/fd");
    CHECK(files);
    while (readdir(files)) count++;
    closedir(files);
    return count;
}

static int mappings(void) {
    int count = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps);
    while (fgets(line, sizeof line, maps))
        count += strstr(line, "dmabuf") || strstr(line, "memfd:");
    fclose(maps);
    return count;
}

/* The bytes are zero, stay where they are, and are those behind the descriptor. */
static void memory(dmaflow_heap *heap, size_t len) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    dmaflow_buffer *buffer = dmaflow_heap_alloc(heap, len, 0, 0);
    CHECK(buffer);
    size_t given = dmaflow_buffer_len(buffer);
    CHECK(given >= len && given % page == 0 && given < len + page);
    int fd = dmaflow_buffer_fd(buffer);
    CHECK(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
    CHECK(lseek(fd, 0, SEEK_END) == (off_t)given);

    unsigned char *bytes = dmaflow_buffer_begin_cpu_access(buffer, DMAFLOW_READ_WRITE);
    CHECK(bytes);
    for (size_t at = 0; at < given; at++)
        if (bytes[at]) CHECK(!"the memory is zeroed");
    bytes[0] = 1;
    bytes[given - 1] = 2;
    CHECK(dmaflow_buffer_end_cpu_access(buffer) == 0);

    const unsigned char *seen = dmaflow_buffer_begin_cpu_access(buffer, DMAFLOW_READ);
    CHECK(seen == bytes && seen[0] == 1 && seen[given - 1] == 2);
    const unsigned char *other = mmap(NULL, given, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(other != MAP_FAILED && other != seen);
    CHECK(other[0] == 1 && other[given - 1] == 2);
    CHECK(munmap((void *)other, given) == 0);
    CHECK(dmaflow_buffer_end_cpu_access(buffer) == 0);
    CHECK(dmaflow_buffer_free(buffer) == 0);
    CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
}

/* Readers share, a writer is alone, and ends match beginnings. */
static void access_rules(dmaflow_heap *heap) {
    dmaflow_buffer *buffer = dmaflow_heap_alloc(heap, 1, 0, 0);
    CHECK(dmaflow_buffer_begin_cpu_access(buffer, DMAFLOW_READ));
    CHECK(dmaflow_buffer_begin_cpu_access(buffer, DMAFLOW_READ));
    REFUSED(!dmaflow_buffer_begin_cpu_access(buffer, DMAFLOW_READ_WRITE), EBUSY, "in use");
    CHECK(dmaflow_buffer_end_cpu_access(buffer) == 0);
    REFUSED(!dmaflow_buffer_begin_cpu_access(buffer, DMAFLOW_READ_WRITE), EBUSY, "in use");
    CHECK(dmaflow_buffer_end_cpu_access(buffer) == 0);
    CHECK(dmaflow_buffer_begin_cpu_access(buffer, DMAFLOW_READ_WRITE));
    REFUSED(!dmaflow_buffer_begin_cpu_access(buffer, DMAFLOW_READ), EBUSY, "in use");
    CHECK(dmaflow_buffer_end_cpu_access(buffer) == 0);
    REFUSED(dmaflow_buffer_end_cpu_access(buffer) == -1, EINVAL, "not open");
    REFUSED(!dmaflow_buffer_begin_cpu_access(buffer, 0), EINVAL, "DMAFLOW_READ");
    REFUSED(!dmaflow_buffer_begin_cpu_access(buffer, 2), EINVAL, "DMAFLOW_READ");
    /* A buffer may be freed while it is open. */
    CHECK(dmaflow_buffer_begin_cpu_access(buffer, DMAFLOW_READ));
    CHECK(dmaflow_buffer_free(buffer) == 0);
}

/* What is wrong is refused, also what would be undefined with plain pointers. */
static void misuse(dmaflow_heap *heap) {
    REFUSED(!dmaflow_heap_open(NULL, NULL), EINVAL, "NULL");
    REFUSED(!dmaflow_heap_open("no such heap", NULL), ENOENT, "no such heap");
    REFUSED(!dmaflow_heap_open("\xff", NULL), EINVAL, "UTF-8");
    REFUSED(!dmaflow_heap_open(dmaflow_heap_name(heap), "\xff"), EINVAL, "UTF-8");
    REFUSED(dmaflow_heap_close(NULL) == -1, EINVAL, "NULL");
    REFUSED(!dmaflow_heap_name(NULL), EINVAL, "NULL");
    REFUSED(!dmaflow_heap_list_name(NULL, 0), EINVAL, "NULL");
    REFUSED(!dmaflow_heap_alloc(NULL, 1, 0, 0), EINVAL, "NULL");
    REFUSED(!dmaflow_buffer_begin_cpu_access(NULL, DMAFLOW_READ), EINVAL, "NULL");
    REFUSED(dmaflow_buffer_end_cpu_access(NULL) == -1, EINVAL, "NULL");
    REFUSED(dmaflow_buffer_fd(NULL) == -1, EINVAL, "NULL");
    REFUSED(dmaflow_buffer_len(NULL) == 0, EINVAL, "NULL");
    REFUSED(dmaflow_buffer_free(NULL) == -1, EINVAL, "NULL");

    REFUSED(!dmaflow_heap_alloc(heap, 0, 0, 0), EINVAL, "0 bytes");
    REFUSED(!dmaflow_heap_alloc(heap, 1, 3, 0), EINVAL, "alignment");
    REFUSED(!dmaflow_heap_alloc(heap, 1, 0, 1), EINVAL, "flags");
    errno = 0;
    CHECK(!dmaflow_heap_alloc(heap, (size_t)1 << 60, 0, 0) && errno == ENOMEM);

    dmaflow_buffer *buffer = dmaflow_heap_alloc(heap, 1, 4096, 0);
    CHECK(buffer);
    REFUSED(!dmaflow_heap_alloc((dmaflow_heap *)buffer, 1, 0, 0), EINVAL, "no heap");
    REFUSED(dmaflow_buffer_free((dmaflow_buffer *)heap) == -1, EINVAL, "no buffer");
    REFUSED(dmaflow_heap_list_free((dmaflow_heaps *)&buffer) == -1, EINVAL, "no list");
    CHECK(dmaflow_buffer_free(buffer) == 0);
    REFUSED(dmaflow_buffer_free(buffer) == -1, EINVAL, "freed before");
    REFUSED(dmaflow_buffer_len(buffer) == 0, EINVAL, "freed before");
}

struct shared {
    dmaflow_heap *heap;
    dmaflow_buffer *buffer;
};

static void *in_a_thread(void *argument) {
    struct shared *shared = argument;
    if (dmaflow_last_errno() != 0 || *dmaflow_last_error()) return "another thread's failure";
    for (int round = 0; round < 100; round++) {
        dmaflow_buffer *own = dmaflow_heap_alloc(shared->heap, 4096, 0, 0);
        if (!own || dmaflow_buffer_free(own)) return "a thread's own buffer";
        unsigned char *bytes;
        do bytes = dmaflow_buffer_begin_cpu_access(shared->buffer, DMAFLOW_READ_WRITE);
        while (!bytes && errno == EBUSY);
        if (!bytes) return "a shared buffer";
        bytes[0]++;
        if (dmaflow_buffer_end_cpu_access(shared->buffer)) return "the end of an access";
    }
    return NULL;
}

/* Threads share handles; each has its own failure; writers take turns. */
static void threads(dmaflow_heap *heap) {
    struct shared shared = {heap, dmaflow_heap_alloc(heap, 1, 0, 0)};
    pthread_t both[2];
    CHECK(dmaflow_buffer_end_cpu_access(shared.buffer) == -1);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&both[i], NULL, in_a_thread, &shared) == 0);
    for (int i = 0; i < 2; i++) {
        void *broken;
        CHECK(pthread_join(both[i], &broken) == 0);
        if (broken) fprintf(stderr, "%s\n", (char *)broken);
        CHECK(!broken);
    }
    CHECK(strstr(dmaflow_last_error(), "not open"));
    const unsigned char *bytes = dmaflow_buffer_begin_cpu_access(shared.buffer, DMAFLOW_READ);
    CHECK(bytes && bytes[0] == 200);
    CHECK(dmaflow_buffer_free(shared.buffer) == 0);
}

static void listed(const char *wanted) {
    const char *name;
    int found = 0;
    dmaflow_heaps *heaps = dmaflow_heap_list();
    CHECK(heaps);
    for (size_t i = 0; (name = dmaflow_heap_list_name(heaps, i)); i++)
        found += strcmp(name, wanted) == 0;
    CHECK(found == 1);
    CHECK(dmaflow_heap_list_free(heaps) == 0);
    REFUSED(dmaflow_heap_list_free(heaps) == -1, EINVAL, "freed before");
}

/* The kernel's listing names the account, where the heap gives dma-bufs and debugfs is there. */
static void named(dmaflow_heap *heap) {
    int found = 0;
    char line[512];
    dmaflow_buffer *buffer = dmaflow_heap_alloc(heap, 1, 0, 0);
    FILE *listing = fopen("/sys/kernel/debug/dma_buf/bufinfo", "r");
    if (listing && strcmp(dmaflow_heap_name(heap), "memfd")) {
        while (fgets(line, sizeof line, listing)) found += !!strstr(line, "dmaflow checks");
        CHECK(found == 1);
    }
    if (listing) fclose(listing);
    CHECK(dmaflow_buffer_free(buffer) == 0);
}

int main(int argc, char **argv) {
    CHECK(argc > 1);
    CHECK(dmaflow_last_errno() == 0 && *dmaflow_last_error() == '\0');
    int files = open_files(), maps = mappings();
    for (int i = 1; i < argc; i++) {
        dmaflow_heap *heap = dmaflow_heap_open(argv[i], "checks");
        CHECK(heap);
        listed(dmaflow_heap_name(heap));
        memory(heap, 1);
        memory(heap, 100000);
        access_rules(heap);
        misuse(heap);
        threads(heap);
        named(heap);
        /* A buffer outlives the handle of its heap. */
        dmaflow_buffer *left = dmaflow_heap_alloc(heap, 4096, 0, 0);
        CHECK(dmaflow_heap_close(heap) == 0);
        REFUSED(dmaflow_heap_close(heap) == -1, EINVAL, "freed before");
        REFUSED(!dmaflow_heap_alloc(heap, 1, 0, 0), EINVAL, "freed before");
        CHECK(dmaflow_buffer_begin_cpu_access(left, DMAFLOW_READ));
        CHECK(dmaflow_buffer_end_cpu_access(left) == 0);
        CHECK(dmaflow_buffer_free(left) == 0);
    }
    CHECK(open_files() == files);
    CHECK(mappings() == maps);
    printf("%d checks passed\n", checks);
    return 0;
}
