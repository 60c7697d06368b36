/* Several threads take, share and release the same filters, and copy from one arena of which parts are given back, at
 * the same time: for the thread sanitizer. */
#include "../streamer_audio.h"

#include "../fuzz/input.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS 60u

static void *stream(void *shared) {
    sa_arena *arena = shared;
    float *samples = block(500 * sizeof(float));
    for (uint32_t i = 0; i < 500; i++) samples[i] = (float)(i % 7);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        /* Twenty pairs are more than the table holds. */
        sa_resampler *resampler = sa_resampler_new(40000 + 1000 * (round % 20), 16000);
        REQUIRE(resampler != NULL);
        uint32_t count = sa_resampler_max_output(resampler, 500);
        float *out = block(count * sizeof(float));
        REQUIRE(sa_resampler_process(resampler, samples, 0, 500, out, 0) == (int32_t)count);
        sa_resampler_free(resampler);
        sa_copy(sa_arena_base(arena), round, out, 0, count < 500 ? count : 500);
        REQUIRE(sa_arena_give_back(arena, 1 + round % 3, 1) == 0);
        free(out);
    }
    free(samples);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    sa_arena *arena = sa_arena_new(4);
    REQUIRE(arena != NULL);
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_create(&threads[i], NULL, stream, arena) == 0);
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    sa_arena_free(arena);
    return 0;
}
