/* Filters of the resampler, shared by all streams of the same pair of rates. Not part of the interface. */
#ifndef STREAMER_FILTER_H
#define STREAMER_FILTER_H

#include <stdint.h>

/* Rows of coefficients are this many floats or a multiple of it, and begin at a multiple of as many bytes. */
#define SA_LANES 16u

/* The most taps of any filter: from 384 to 4 kHz. */
#define SA_MAX_TAPS 10400u

typedef struct sa_filter {
    uint32_t in, out;     /* rates, without common divisor */
    uint32_t taps;        /* of each row, a multiple of SA_LANES */
    uint32_t half;        /* input samples after the whole position of an output that it needs */
    uint32_t rows;        /* exact: one for each phase. Otherwise one more, the last being the first of the next sample */
    uint32_t exact;       /* 0: an output lies between two rows and is interpolated */
    uint32_t users;       /* of the table's lock */
    uint32_t in_table;
    float *coefficients; /* rows * taps */
} sa_filter;

/* Finds the filter for the pair or builds it, at most 1 MiB. NULL: no memory. To be released. Thread-safe. */
sa_filter *sa_filter_take(uint32_t in, uint32_t out);

/* NULL is allowed. Thread-safe. */
void sa_filter_release(sa_filter *filter);

/* Writes `count` outputs. The first has the given phase (0 .. out - 1) and is made of samples[0 .. taps); the others
 * follow at in / out samples each. Returns phase + count * in, so that the next one begins at that, divided by out. */
uint64_t sa_filter_run(const sa_filter *filter, uint32_t phase, const float *samples, uint64_t count, float *out);

#endif
