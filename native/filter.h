/* Filters of the resampler, shared by all handles of the same pair of rates. Internal. */
#ifndef STREAMER_FILTER_H
#define STREAMER_FILTER_H

#include <stdint.h>

/* Lanes of the sum for an output (sums.c). The length of a row is a multiple of it, and rows are aligned to as many
 * floats. */
#define SA_LANES 16u

/* Most taps of a filter: SA_PROTOTYPE_LENGTH * 96, for 384 kHz to 4 kHz. */
#define SA_MAX_TAPS 6656u

/* Length of the prototype filter in samples of the lower rate. */
#define SA_PROTOTYPE_LENGTH (208.0 / 3.0)

/* The position of an output is a whole input sample plus a phase of 0 to out - 1, in units of 1 / out of an input
 * sample. The output is the sum over the `taps` input samples that end `half` samples after the whole one. */
typedef struct sa_filter {
    uint32_t in, out; /* rates divided by their greatest common divisor */
    uint32_t half;
    uint32_t taps;       /* a multiple of SA_LANES */
    uint32_t steps;      /* rows for one input sample */
    uint32_t exact;      /* 1: a row for each phase, steps == out. 0: phases between steps + 1 rows */
    uint32_t users;      /* handles, and the table; guarded by the table's lock */
    float *coefficients; /* the rows, one after the other */
} sa_filter;

/* Finds or builds the filter of two rates without common divisor, at most 1 MiB. The caller releases it. Thread-safe.
 * Returns NULL when there is no memory. */
sa_filter *sa_filter_take(uint32_t in, uint32_t out);

/* Accepts NULL. Thread-safe. */
void sa_filter_release(sa_filter *filter);

/* Returns the memory of a filter in bytes. */
uint32_t sa_filter_bytes(const sa_filter *filter);

/* Writes `count` outputs. The first has the given phase and is the sum over samples[0 .. taps); the others follow in
 * steps of in / out samples. Returns phase + count * in, the position of the next one in units of 1 / out of a
 * sample. */
uint64_t sa_filter_run(const sa_filter *filter, uint32_t phase, const float *samples, uint64_t count, float *out);

#endif
