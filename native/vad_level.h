/* Level of a window: its power after removal of DC and hum, in dBFS. Internal. */
#ifndef STREAMER_VAD_LEVEL_H
#define STREAMER_VAD_LEVEL_H

#include <stdint.h>

#define SA_LEVEL_LANES 8u
#define SA_LEVEL_TERMS 5u   /* coefficients of the polynomial that is subtracted */
#define SA_LEVEL_BLOCKS 8u  /* of SA_LEVEL_LANES points, enough for the most points, 60 (at 5,999 Hz) */

#define SA_LOWEST_DB -120.0f
#define SA_HIGHEST_DB 30.0f

/* The alignment is explicit because GCC aligns a vector type as the oldest processor needs it, but lets clones for
 * newer ones load it as aligned to its size. There are eight lanes because GCC splits wider vectors badly. */
#define SA_LEVEL_ALIGNMENT 32
typedef float sa_lanes __attribute__((vector_size(SA_LEVEL_LANES * sizeof(float)), aligned(SA_LEVEL_ALIGNMENT)));

/* Constants for windows of one sample rate, which all detectors of the rate share: they stay in the processor's cache,
 * which a copy in each of a thousand detectors would not. */
typedef struct sa_level {
    sa_lanes basis[SA_LEVEL_BLOCKS * SA_LEVEL_TERMS]; /* orthonormal polynomials over the points, block by block */
    struct sa_level *next;                            /* in the table */
    uint32_t users;                                   /* handles; guarded by the table's lock */
    uint32_t sample_rate;
    uint32_t window; /* samples */
    uint32_t group;  /* samples added up to one point */
    uint32_t points; /* points of a window */
    uint32_t blocks; /* `points` in units of SA_LEVEL_LANES, rounded up */
    float scale;     /* from the sum of squares of the rest to its mean square */
} sa_level;

/* Finds or makes the constants. sample_rate: SA_MIN_RATE to SA_MAX_RATE, Hz. The caller releases them. Thread-safe.
 * Returns NULL when there is no memory. */
const sa_level *sa_level_take(uint32_t sample_rate);

/* Accepts NULL. Thread-safe. */
void sa_level_release(const sa_level *level);

/* Returns the level of `level->window` samples in dBFS, SA_LOWEST_DB to SA_HIGHEST_DB; SA_LOWEST_DB when a sample is
 * NaN. */
float sa_level_of(const sa_level *level, const float *samples);

#endif
