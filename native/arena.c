/* Memory of all buffered audio. See streamer_audio.h. */
#define _GNU_SOURCE /* memfd_create, madvise, F_ADD_SEALS */

#include "streamer_audio.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLAB_BYTES (SA_SLAB_SAMPLES * sizeof(float))

struct sa_arena {
    float *base;
    uint32_t slabs;
    int fd;
};

static size_t bytes_of(uint32_t slabs) { return (size_t)slabs * SLAB_BYTES; }

sa_arena *sa_arena_new(uint32_t slabs) {
    if (slabs == 0 || slabs > SA_MAX_SLABS) return NULL;
    sa_arena *arena = malloc(sizeof *arena);
    if (arena == NULL) return NULL;
    arena->slabs = slabs;
    arena->fd = memfd_create("streamer-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (arena->fd < 0) goto no_file;
    if (ftruncate(arena->fd, (off_t)bytes_of(slabs)) != 0) goto no_memory;
    /* A process that maps the file cannot take the memory away from under the others. */
    if (fcntl(arena->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) goto no_memory;
    void *base = mmap(NULL, bytes_of(slabs), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, arena->fd, 0);
    if (base == MAP_FAILED) goto no_memory;
    /* A huge page would cost 128 slabs for one. A kernel without huge pages refuses, which is as good. */
    (void)madvise(base, bytes_of(slabs), MADV_NOHUGEPAGE);
    arena->base = base;
    return arena;

no_memory:
    close(arena->fd);
no_file:
    free(arena);
    return NULL;
}

float *sa_arena_base(const sa_arena *arena) { return arena == NULL ? NULL : arena->base; }

int32_t sa_arena_fd(const sa_arena *arena) { return arena == NULL ? -1 : arena->fd; }

int32_t sa_arena_give_back(sa_arena *arena, uint32_t first, uint32_t count) {
    if (arena == NULL || first > arena->slabs || count > arena->slabs - first) return -1;
    /* Only whole pages, which may be larger than a slab. MADV_DONTNEED would free nothing of a memfd. */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t from = (bytes_of(first) + page - 1) / page * page;
    size_t to = bytes_of(first + count) / page * page;
    if (from >= to) return 0;
    return madvise((char *)arena->base + from, to - from, MADV_REMOVE) == 0 ? 0 : -1;
}

uint32_t sa_arena_resident(const sa_arena *arena) {
    struct stat status;
    if (arena == NULL || fstat(arena->fd, &status) != 0) return 0;
    return (uint32_t)(status.st_blocks / 2); /* blocks of 512 bytes, whatever st_blksize is */
}

const float *sa_arena_map(int32_t fd, uint32_t slabs) {
    struct stat status;
    if (slabs == 0 || slabs > SA_MAX_SLABS || fstat(fd, &status) != 0) return NULL;
    /* Reading beyond the end of a file ends the process. */
    if ((uint64_t)status.st_size < bytes_of(slabs)) return NULL;
    void *base = mmap(NULL, bytes_of(slabs), PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    return base == MAP_FAILED ? NULL : base;
}

void sa_arena_free(sa_arena *arena) {
    if (arena == NULL) return;
    munmap(arena->base, bytes_of(arena->slabs));
    close(arena->fd);
    free(arena);
}

void sa_copy(const float *from, uint32_t from_index, float *to, uint32_t to_index, uint32_t length) {
    if (from == NULL || to == NULL) return;
    memcpy(to + to_index, from + from_index, (size_t)length * sizeof(float));
}
