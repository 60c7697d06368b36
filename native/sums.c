/* Sums of the resampler.
 *
 * An output is one sum over all taps in SA_LANES lanes: lane l adds taps l, l + 16, l + 32, ... in this order, then
 * the lanes are added in halves. The bits of an output depend on this order only, not on the number of outputs of a
 * call, on the outputs that share a row, or on the width of the processor's registers. */
#include "filter.h"

#include "decimate.h"
#include "kernel.h"

#include <stddef.h>

/* The lanes as registers, as wide as possible without loss where they must be split: 32 bytes on x86, which only the
 * oldest clone splits, and 16 elsewhere. Rows are aligned, samples are not. */
#if defined(SA_CLONES)
#define PART_FLOATS 8u
#else
#define PART_FLOATS 4u
#endif
#define PARTS (SA_LANES / PART_FLOATS)
typedef float part __attribute__((vector_size(PART_FLOATS * sizeof(float)), may_alias));
typedef float unaligned_part
    __attribute__((vector_size(PART_FLOATS * sizeof(float)), aligned(sizeof(float)), may_alias));

#define ROW_PART(at, n) (*(const part *)(const void *)((at) + (n) * PART_FLOATS))
#define SAMPLE_PART(at, n) (*(const unaligned_part *)(const void *)((at) + (n) * PART_FLOATS))

/* Adds the lanes of `sums` in halves: registers first, then the lanes of the last register. */
static inline __attribute__((always_inline)) float add_lanes(part *sums) {
    for (uint32_t width = PARTS / 2; width > 0; width /= 2)
        for (uint32_t n = 0; n < width; n++) sums[n] += sums[n + width];
    part last = sums[0];
#if PART_FLOATS == 8
    return ((last[0] + last[4]) + (last[2] + last[6])) + ((last[1] + last[5]) + (last[3] + last[7]));
#else
    return (last[0] + last[2]) + (last[1] + last[3]);
#endif
}

/* Writes several outputs of one row, which share the loads of the row. Their samples are `stride` apart, their results
 * `out_stride`. `outputs` is a constant once this is inlined. */
static inline __attribute__((always_inline)) void row_outputs(const float *row, uint32_t taps, const float *samples,
                                                              size_t stride, uint32_t outputs, float *out,
                                                              size_t out_stride) {
    part sums[4][PARTS] = {{{0}}};
    for (uint32_t tap = 0; tap < taps; tap += SA_LANES)
        for (uint32_t n = 0; n < PARTS; n++) {
            part weights = ROW_PART(row + tap, n);
            for (uint32_t i = 0; i < outputs; i++) sums[i][n] += weights * SAMPLE_PART(samples + i * stride + tap, n);
        }
    for (uint32_t i = 0; i < outputs; i++) out[i * out_stride] = add_lanes(sums[i]);
}

/* For a row for each phase. Every out-th output has the same phase, and its samples are `in` further on. */
static SA_KERNEL void run_exact(const sa_filter *filter, uint32_t phase, const float *samples, uint64_t count,
                                float *out) {
    const uint32_t taps = filter->taps;
    const size_t stride = filter->in, out_stride = filter->out;
    const uint32_t phase_step = filter->in % filter->out;
    const size_t sample_step = filter->in / filter->out;
    for (uint64_t first = 0; first < count && first < out_stride; first++) {
        const float *row = filter->coefficients + (size_t)phase * taps;
        const float *from = samples;
        uint64_t i = first;
        for (; i + 3 * out_stride < count; i += 4 * out_stride, from += 4 * stride)
            row_outputs(row, taps, from, stride, 4, out + i, out_stride);
        if (i + out_stride < count) {
            row_outputs(row, taps, from, stride, 2, out + i, out_stride);
            i += 2 * out_stride;
            from += 2 * stride;
        }
        if (i < count) row_outputs(row, taps, from, stride, 1, out + i, out_stride);
        samples += sample_step;
        phase += phase_step;
        if (phase >= filter->out) {
            phase -= filter->out;
            samples++;
        }
    }
}

/* For phases between rows: sums with both rows over the same samples, and interpolates lane by lane. */
static SA_KERNEL void run_between(const sa_filter *filter, uint32_t phase, const float *samples, uint64_t count,
                                  float *out) {
    const uint32_t taps = filter->taps;
    const float unit = 1.0f / (float)filter->out;
    uint64_t position = phase;
    for (uint64_t i = 0; i < count; i++, position += filter->in) {
        const float *from = samples + position / filter->out;
        uint64_t at = position % filter->out * filter->steps;
        const float *row = filter->coefficients + at / filter->out * taps;
        float fraction = (float)(at % filter->out) * unit;
        part sums[PARTS] = {{0}}, next_sums[PARTS] = {{0}};
        for (uint32_t tap = 0; tap < taps; tap += SA_LANES)
            for (uint32_t n = 0; n < PARTS; n++) {
                part values = SAMPLE_PART(from + tap, n);
                sums[n] += ROW_PART(row + tap, n) * values;
                next_sums[n] += ROW_PART(row + taps + tap, n) * values;
            }
        for (uint32_t n = 0; n < PARTS; n++) sums[n] += fraction * (next_sums[n] - sums[n]);
        out[i] = add_lanes(sums);
    }
}

uint64_t sa_filter_run(const sa_filter *filter, uint32_t phase, const float *samples, uint64_t count, float *out) {
    if (sa_decimates(filter))
        sa_decimate(filter, samples, 0, samples, count, out);
    else if (filter->exact)
        run_exact(filter, phase, samples, count, out);
    else
        run_between(filter, phase, samples, count, out);
    return phase + count * filter->in;
}
