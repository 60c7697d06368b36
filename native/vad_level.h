/* The level of one window: its energy after removal of DC and hum, in dBFS. */
#ifndef STREAMER_VAD_LEVEL_H
#define STREAMER_VAD_LEVEL_H

#include <stdint.h>

#define SA_LEVEL_LANES 8u
#define SA_LEVEL_TERMS 5u   /* coefficients of the polynomial that is removed */
#define SA_LEVEL_BLOCKS 8u  /* of SA_LEVEL_LANES points, at most: 60 points (5,999 Hz) */

#define SA_LOWEST_DB -120.0f
#define SA_HIGHEST_DB 30.0f

/* Aligned by name: GCC gives a vector type the alignment of the baseline, yet clones for wider processors load it as aligned to
 * its size. Eight lanes, because GCC splits wider vectors badly where they are not native. */
#define SA_LEVEL_ALIGNMENT 32
typedef float sa_lanes __attribute__((vector_size(SA_LEVEL_LANES * sizeof(float)), aligned(SA_LEVEL_ALIGNMENT)));

/* How windows of one sample rate are measured. */
typedef struct {
    sa_lanes basis[SA_LEVEL_BLOCKS * SA_LEVEL_TERMS]; /* orthonormal polynomials over the points, block by block */
    uint32_t window;                                  /* samples */
    uint32_t group;                                   /* samples added into one point */
    uint32_t points;                                  /* points of a window */
    uint32_t blocks;                                  /* `points` in units of SA_LEVEL_LANES, rounded up */
    float scale;                                      /* sum of squares of what is left -> mean square */
} sa_level;

/* sample_rate: SA_MIN_RATE .. SA_MAX_RATE Hz. */
void sa_level_init(sa_level *level, uint32_t sample_rate);

/* dBFS, SA_LOWEST_DB .. SA_HIGHEST_DB, of `level->window` samples; SA_LOWEST_DB when it is not a number. */
float sa_level_of(const sa_level *level, const float *samples);

#endif
