/* Filters of the resampler, shared by all streams of the same pair of rates. Not part of the interface. */
#ifndef STREAMER_FILTER_H
#define STREAMER_FILTER_H

#include <stdint.h>

/* Every output is summed in this many lanes (sums.c). Rows are a multiple of it and begin at a multiple of as many floats. */
#define SA_LANES 16u

/* The most taps of any filter, from 384 to 4 kHz: SA_PROTOTYPE_LENGTH * 96. */
#define SA_MAX_TAPS 6656u

/* Length of the prototype filter in samples of the lower rate. */
#define SA_PROTOTYPE_LENGTH (208.0 / 3.0)

/* An output lies at a whole input sample and a phase of 0 .. out - 1, in parts of 1 / out of an input sample. It is the sum
 * over the `taps` input samples that end `half` samples after the whole one. */
typedef struct sa_filter {
    uint32_t in, out; /* rates, without common divisor */
    uint32_t half;
    uint32_t taps;       /* a multiple of SA_LANES */
    uint32_t steps;      /* rows to an input sample */
    uint32_t exact;      /* 1: a row for each phase, steps == out. 0: phases lie between two of steps + 1 rows */
    uint32_t users;      /* streams, and the table; changed under the table's lock */
    float *coefficients; /* one row after the other */
} sa_filter;

/* Finds the filter of a pair or builds it. At most 1 MiB. To be released. Thread-safe. NULL: no memory. */
sa_filter *sa_filter_take(uint32_t in, uint32_t out);

/* NULL is allowed. Thread-safe. */
void sa_filter_release(sa_filter *filter);

/* Memory of a filter in bytes. */
uint32_t sa_filter_bytes(const sa_filter *filter);

/* Writes `count` outputs. The first has the given phase and is made of samples[0 .. taps); the others follow at in / out samples
 * each. Returns phase + count * in: where the next one lies, in parts of 1 / out of a sample. */
uint64_t sa_filter_run(const sa_filter *filter, uint32_t phase, const float *samples, uint64_t count, float *out);

#endif
