/* Sums of the resampler for rates whose ratio is a whole number, such as 48 to 16 kHz.
 *
 * All outputs have the same row, and the samples of an output are `in` further on than those of the one before. Split
 * into `in` phases, phase p with samples p, p + in, p + 2 in, ..., the samples of outputs side by side lie side by
 * side, too: a register holds the sums of LANES outputs, and needs no sum across its lanes. Taps that are LANES samples
 * of a phase apart use the same registers of samples for outputs that are LANES apart, so that each sample that is
 * loaded serves up to GROUP products.
 *
 * An output is one sum in one order: by phase, by the rest of the tap's place in its phase modulo LANES, by tap. Its
 * bits do not depend on the number of outputs of a call. */
#include "decimate.h"

#include "kernel.h"

#include <string.h>

#define LANES 8u
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), may_alias));
typedef float unaligned_lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

#define LOAD(n) (*(const unaligned_lanes *)(const void *)(samples + (n) * LANES))
#define STORE(n, value) (*(unaligned_lanes *)(void *)(out + (n) * LANES) = (value))
#define EVERY_LANE(x) ((lanes){(x), (x), (x), (x), (x), (x), (x), (x)})

/* Outputs of a tile: eight registers. A smaller one takes the same time, because each addition waits for the last. */
#define TILE (8 * LANES)

/* Outputs for which samples are split at a time, so that they stay in the first-level cache. */
#define MOST_OUTPUTS (8 * TILE)

/* Samples of all phases: for SA_MOST_DECIMATION, those of one tile. */
#define ROOM 4096u

/* Taps that share the loads of their samples. */
#define GROUP 3u

/* Adds one register of samples to three registers of sums. */
#define ADD_THREE(n, first, second, third)                                                                             \
    do {                                                                                                               \
        value = LOAD(n);                                                                                               \
        first += a * value;                                                                                            \
        second += b * value;                                                                                           \
        third += c * value;                                                                                            \
    } while (0)

/* Writes the TILE outputs whose first sample of phase p is phases[p * length]. */
static inline __attribute__((always_inline)) void write_tile(const sa_filter *filter, const float *phases,
                                                             size_t length, float *out) {
    const uint32_t in = filter->in, whole = filter->taps / in, more = filter->taps % in;
    const size_t step = (size_t)in * LANES;
    lanes s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, s4 = {0}, s5 = {0}, s6 = {0}, s7 = {0};
    for (uint32_t turn = 0; turn < in * LANES; turn++) {
        const uint32_t phase = turn / LANES, rest = turn % LANES, taps = whole + (phase < more);
        uint32_t left = (taps + LANES - 1 - rest) / LANES;
        const float *weights = filter->coefficients + phase + in * rest;
        const float *samples = phases + phase * length + rest;
        for (; left >= GROUP; left -= GROUP, weights += GROUP * step, samples += GROUP * LANES) {
            /* Without this, GCC keeps samples for the next group in the registers that the sums need. */
            __asm__("" : "+r"(samples));
            lanes a = EVERY_LANE(weights[0]), b = EVERY_LANE(weights[step]), c = EVERY_LANE(weights[2 * step]);
            lanes value = LOAD(0);
            s0 += a * value;
            value = LOAD(1);
            s1 += a * value;
            s0 += b * value;
            ADD_THREE(2, s2, s1, s0);
            ADD_THREE(3, s3, s2, s1);
            ADD_THREE(4, s4, s3, s2);
            ADD_THREE(5, s5, s4, s3);
            ADD_THREE(6, s6, s5, s4);
            ADD_THREE(7, s7, s6, s5);
            value = LOAD(8);
            s7 += b * value;
            s6 += c * value;
            s7 += c * LOAD(9);
        }
        for (; left > 0; left--, weights += step, samples += LANES) {
            lanes a = EVERY_LANE(weights[0]);
            s0 += a * LOAD(0);
            s1 += a * LOAD(1);
            s2 += a * LOAD(2);
            s3 += a * LOAD(3);
            s4 += a * LOAD(4);
            s5 += a * LOAD(5);
            s6 += a * LOAD(6);
            s7 += a * LOAD(7);
        }
    }
    STORE(0, s0);
    STORE(1, s1);
    STORE(2, s2);
    STORE(3, s3);
    STORE(4, s4);
    STORE(5, s5);
    STORE(6, s6);
    STORE(7, s7);
}

/* Splits whole frames of `in` samples. Sample i of a frame goes to out[i]. */
static inline __attribute__((always_inline)) void split_frames(const float *restrict samples, size_t frames,
                                                               uint32_t in, float *const *out) {
    if (in == 3) {
        float *restrict a = out[0], *restrict b = out[1], *restrict c = out[2];
        for (size_t n = 0; n < frames; n++) {
            a[n] = samples[3 * n];
            b[n] = samples[3 * n + 1];
            c[n] = samples[3 * n + 2];
        }
        return;
    }
    for (uint32_t i = 0; i < in; i++)
        for (size_t n = 0; n < frames; n++) out[i][n] = samples[n * in + i];
}

/* Splits `count` samples, of which the first is sample `at`. */
static inline __attribute__((always_inline)) void split(const float *samples, size_t count, size_t at, uint32_t in,
                                                        float *phases, size_t length) {
    float *out[SA_MOST_DECIMATION];
    for (uint32_t i = 0; i < in; i++) out[i] = phases + (at + i) % in * length + (at + i) / in;
    size_t frames = count / in;
    split_frames(samples, frames, in, out);
    for (uint32_t i = 0; i < count % in; i++) out[i][frames] = samples[frames * in + i];
}

static SA_KERNEL void run(const sa_filter *filter, const float *before, size_t before_count, const float *samples,
                          uint64_t count, float *out) {
    const uint32_t in = filter->in;
    const size_t length = ROOM / in, reach = (filter->taps + in - 1) / in;
    const size_t fitting = (length - reach) / TILE * TILE, most = fitting < MOST_OUTPUTS ? fitting : MOST_OUTPUTS;
    float phases[ROOM];
    while (count > 0) {
        size_t outputs = count < most ? (size_t)count : most, tiles = (outputs + TILE - 1) / TILE;
        size_t needed = (outputs - 1) * in + filter->taps;
        size_t first = needed < before_count ? needed : before_count;
        split(before, first, 0, in, phases, length);
        split(samples, needed - first, first, in, phases, length);
        /* Places that nothing was written to belong to outputs that are not kept. */
        for (uint32_t p = 0; p < in && outputs % TILE != 0; p++) {
            size_t end = (needed + in - 1 - p) / in;
            memset(phases + p * length + end, 0, (tiles * TILE + reach - end) * sizeof(float));
        }
        for (size_t n = 0; n < outputs / TILE; n++) write_tile(filter, phases + n * TILE, length, out + n * TILE);
        size_t rest = outputs % TILE;
        if (rest > 0) {
            float last[TILE];
            write_tile(filter, phases + (tiles - 1) * TILE, length, last);
            memcpy(out + outputs - rest, last, rest * sizeof(float));
        }
        size_t travelled = outputs * in, from_before = travelled < before_count ? travelled : before_count;
        before += from_before;
        before_count -= from_before;
        samples += travelled - from_before;
        count -= outputs;
        out += outputs;
    }
}

void sa_decimate(const sa_filter *filter, const float *before, size_t before_count, const float *samples,
                 uint64_t count, float *out) {
    run(filter, before, before_count, samples, count, out);
}
