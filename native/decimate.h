/* Sums of the resampler for rates whose ratio is a whole number. Internal. */
#ifndef STREAMER_DECIMATE_H
#define STREAMER_DECIMATE_H

#include "filter.h"

#include <stddef.h>

/* Highest ratio: 384 to 16 kHz. */
#define SA_MOST_DECIMATION 24u

/* Returns 1 when sa_decimate can compute the outputs of a filter: one row, and at most SA_MOST_DECIMATION. */
static inline int sa_decimates(const sa_filter *filter) {
    return filter->out == 1 && filter->in <= SA_MOST_DECIMATION;
}

/* Writes `count` outputs. The first is the sum over the `taps` samples from the first one of `before` on; the others
 * follow in steps of `in`. `samples` go on where the `before_count` samples of `before` end. */
void sa_decimate(const sa_filter *filter, const float *before, size_t before_count, const float *samples,
                 uint64_t count, float *out);

#endif
