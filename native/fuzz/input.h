/* Input of the fuzz targets, and their check of a condition. Every buffer is a heap block of exactly its size, so the
 * address sanitizer detects an access of one byte too many. */
#ifndef STREAMER_FUZZ_INPUT_H
#define STREAMER_FUZZ_INPUT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

typedef struct {
    const uint8_t *data;
    size_t size;
} fuzz_input;

/* Returns a number from min to max; min when the input is used up. */
static inline uint32_t take(fuzz_input *input, uint32_t min, uint32_t max) {
    uint32_t value = 0;
    for (uint32_t range = max - min; range > 0; range >>= 8) {
        if (input->size == 0) return min;
        value = value << 8 | *input->data++;
        input->size--;
    }
    return max - min == UINT32_MAX ? value : min + value % (max - min + 1);
}

/* Allocates at least one byte: a block of none may have no address. */
static inline void *block(size_t size) {
    void *memory = malloc(size > 0 ? size : 1);
    REQUIRE(memory != NULL);
    return memory;
}

static inline void *block_copy(const void *from, size_t size) {
    void *memory = block(size);
    if (size > 0) memcpy(memory, from, size);
    return memory;
}

#endif
