/* Runs a fuzz target on files and on random inputs, for compilers without libFuzzer: `program RUNS SEED [FILE ...]`. */
#include "../fuzz/input.h"

#define MOST_BYTES 6000u

static void run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    REQUIRE(file != NULL);
    uint8_t *room = block(1u << 20);
    size_t size = fread(room, 1, 1u << 20, file);
    fclose(file);
    uint8_t *data = block_copy(room, size);
    free(room);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static void run_random(uint32_t *state, size_t most_bytes) {
    *state = *state * 1664525u + 1013904223u;
    size_t size = (*state >> 4) % most_bytes;
    uint8_t *data = block(size);
    for (size_t i = 0; i < size; i++) {
        *state = *state * 1664525u + 1013904223u;
        data[i] = (uint8_t)(*state >> 24);
    }
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

int main(int argc, char **argv) {
    REQUIRE(argc >= 3);
    unsigned long runs = strtoul(argv[1], NULL, 10);
    uint32_t state = (uint32_t)strtoul(argv[2], NULL, 10);
    for (int i = 3; i < argc; i++) run_file(argv[i]);
    for (unsigned long run = 0; run < runs; run++) run_random(&state, run % 2 == 0 ? MOST_BYTES : 64);
    return 0;
}
