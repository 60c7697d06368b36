/* Arena: any history of copies and of giving back leaves what a plain array would have, and occupies only what it must. */
#define _GNU_SOURCE
#include "../streamer_audio.h"

#include "input.h"

#include <sys/mman.h>
#include <unistd.h>

#define MOST_SLABS 24u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    uint32_t slabs = take(&input, 1, MOST_SLABS);
    uint32_t length = slabs * SA_SLAB_SAMPLES;
    sa_arena *arena = sa_arena_new(slabs);
    REQUIRE(arena != NULL);
    REQUIRE(sa_abi_version() == SA_ABI_VERSION);
    float *base = sa_arena_base(arena);
    float *expected = calloc(length, sizeof(float));
    REQUIRE(base != NULL && expected != NULL && sa_arena_resident(arena) == 0);
    for (uint32_t round = 1; input.size > 0 && round < 200; round++) {
        uint32_t index = take(&input, 0, length - 1);
        uint32_t most = length - index < 3 * SA_SLAB_SAMPLES ? length - index : 3 * SA_SLAB_SAMPLES;
        uint32_t count = take(&input, 0, most);
        float *piece = block(count * sizeof(float));
        switch (take(&input, 0, 2)) {
        case 0: /* write */
            for (uint32_t i = 0; i < count; i++) piece[i] = (float)(round * 7919u + i);
            sa_copy(piece, 0, base, index, count);
            memcpy(expected + index, piece, count * sizeof(float));
            break;
        case 1: /* read */
            sa_copy(base, index, piece, 0, count);
            REQUIRE(memcmp(piece, expected + index, count * sizeof(float)) == 0);
            break;
        default: { /* give back */
            uint32_t first = index / SA_SLAB_SAMPLES, whole = count / SA_SLAB_SAMPLES;
            REQUIRE(sa_arena_give_back(arena, first, whole) == 0);
            /* A slab is a number of whole pages where these programs run. */
            memset(expected + (size_t)first * SA_SLAB_SAMPLES, 0, (size_t)whole * SA_SLAB_SAMPLES * sizeof(float));
            REQUIRE(whole < slabs || sa_arena_resident(arena) == 0);
        }
        }
        free(piece);
    }
    REQUIRE(memcmp(base, expected, length * sizeof(float)) == 0);
    float last = 1;
    REQUIRE(pread(sa_arena_fd(arena), &last, sizeof last, (off_t)((length - 1) * sizeof last)) == sizeof last);
    REQUIRE(last == expected[length - 1]);
    REQUIRE(sa_arena_map(sa_arena_fd(arena), slabs + 1) == NULL && sa_arena_map(-1, slabs) == NULL);
    const float *mapped = sa_arena_map(sa_arena_fd(arena), slabs);
    REQUIRE(mapped != NULL && memcmp(mapped, expected, length * sizeof(float)) == 0);
    REQUIRE(munmap((void *)mapped, length * sizeof(float)) == 0);
    REQUIRE(sa_arena_give_back(arena, 0, slabs) == 0 && sa_arena_resident(arena) == 0);
    for (uint32_t i = 0; i < length; i += 997) REQUIRE(base[i] == 0);
    sa_arena_free(arena);
    free(expected);
    return 0;
}
