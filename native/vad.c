/*
 * Energy voice activity detector: is this window louder than the noise before it?
 *
 * Level. A window is reduced to about 8 kHz by adding `group` neighbouring samples (a window's trailing samples that do not
 * fill a group, fewer than `group`, do not count), which takes away half of the power of white noise and hardly any of speech. The
 * least-squares polynomial of degree 5 is subtracted; what is left is the energy. Over 10 ms such a polynomial is
 * anything slow: DC and slopes are gone entirely, 50 Hz by 68 dB, 60 Hz by 59, 100 Hz by 36, 120 Hz by 27, 150 Hz by 19, 180 Hz by 13; half
 * power is near 270 Hz. Unlike a recursive high-pass it has no memory, so a window's level depends on that window alone, and it
 * vectorises.
 *
 * Floor. The lowest smoothed level of the last 2.5 to 3 s bounds the noise from below; the floor is the running mean of the
 * levels near that minimum. Speech falls to the noise between syllables, so it does not carry the minimum up; a noise that
 * became louder does, within 3 s. Any sound steadier than that is noise by this definition: a held tone, a hum, an engine.
 */
#include "streamer_audio.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16u
#define TERMS 6u      /* coefficients of the polynomial that is removed */
#define MAX_POINTS 128u /* groups of a window, rounded up to LANES: at most 120 (11,999 Hz) */

#define LOWEST_DB -120.0f
#define HIGHEST_DB 30.0f

/* Below this a window holds nothing that was recorded: zeros, or the dither of 16 bits (-98 dBFS). It teaches nothing about the
 * noise, so that a muted microphone is not followed by "speech". */
#define EMPTY_DB -85.0f
#define LOWEST_FLOOR_DB -70.0f /* with the default threshold nothing under -60 dBFS is speech */
#define HYSTERESIS_DB 4.0f     /* speech goes on until the level is this much, or half the threshold, below the threshold */

#define SMOOTHING 0.4f      /* of the level that is decided about, a window */
#define BLOCK_WINDOWS 50u   /* the minimum is kept for blocks of 0.5 s */
#define BLOCKS 5u           /* whole blocks remembered, beside the one being filled */
#define NOISE_SPREAD_DB 10.0f /* levels up to this far above the minimum are noise */
#define FLOOR_WINDOWS 64.0f /* time constant of the floor */

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define CLONES
#endif

struct sa_vad {
    uint32_t window;    /* samples */
    uint32_t group;     /* samples added into one point */
    uint32_t points;    /* points of a window */
    uint32_t blocks;    /* `points` in units of LANES, rounded up */
    float scale;        /* sum of squares of the residual -> mean square */
    float threshold_db; /* above the floor */
    float exit_db;      /* above the floor */

    /* Everything below is as `reset` leaves it in a new handle. */
    uint32_t filled;              /* samples of the incomplete window, in `pending` */
    uint32_t heard;               /* windows that were not empty, up to FLOOR_WINDOWS */
    uint32_t block_windows;       /* windows in the block being filled */
    uint32_t next_block;          /* the oldest of `minima` */
    float smooth_db;              /* the level that is decided about */
    float floor_db;               /* mean level of the noise */
    float block_minimum;          /* of the block being filled */
    float minima[BLOCKS];         /* of whole blocks */
    int speaking;

    float *pending;               /* `window` samples */
    lanes basis[];                /* TERMS rows of `blocks`: orthonormal polynomials over the points */
};

/* Adds groups of samples: points[i] = samples[i * group] + ... + samples[i * group + group - 1]. */
static void add_groups(const float *samples, uint32_t group, uint32_t count, float *points) {
    if (group == 2) {
        for (uint32_t i = 0; i < count; i++) points[i] = samples[2 * i] + samples[2 * i + 1];
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const float *in = samples + (size_t)i * group;
        float sum = in[0];
        for (uint32_t j = 1; j < group; j++) sum += in[j];
        points[i] = sum;
    }
}

static float sum_of(const float *values) {
    float sums[4];
    for (uint32_t i = 0; i < 4; i++) sums[i] = (values[i] + values[i + 8]) + (values[i + 4] + values[i + 12]);
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

/* Sum of squares of what is left of a window when its polynomial has been taken away. */
CLONES static float residual_energy(const float *samples, uint32_t group, uint32_t count, uint32_t blocks, const lanes *basis) {
    lanes points[MAX_POINTS / LANES];
    points[blocks - 1] = (lanes){0};
    if (group == 1) memcpy(points, samples, count * sizeof(float));
    else add_groups(samples, group, count, (float *)points);

    lanes sums[TERMS] = {{0}};
    for (uint32_t b = 0; b < blocks; b++)
        for (uint32_t k = 0; k < TERMS; k++) sums[k] += points[b] * basis[b * TERMS + k];

    float weights[TERMS];
    for (uint32_t k = 0; k < TERMS; k++) weights[k] = sum_of((const float *)&sums[k]);

    lanes energy = {0};
    for (uint32_t b = 0; b < blocks; b++) {
        lanes rest = points[b];
        for (uint32_t k = 0; k < TERMS; k++) rest -= weights[k] * basis[b * TERMS + k];
        energy += rest * rest;
    }
    return sum_of((const float *)&energy);
}

static float level_of(const sa_vad *vad, const float *samples) {
    float mean = residual_energy(samples, vad->group, vad->points, vad->blocks, vad->basis) * vad->scale;
    if (!(mean > 1e-12f)) return LOWEST_DB; /* also what is not a number */
    float level = 3.01029996f * log2f(mean);
    return level < HIGHEST_DB ? level : HIGHEST_DB;
}

/* The lowest smoothed level of the last BLOCKS to BLOCKS + 1 blocks. */
static float track_minimum(sa_vad *vad) {
    if (vad->smooth_db < vad->block_minimum) vad->block_minimum = vad->smooth_db;
    float minimum = vad->block_minimum;
    for (uint32_t i = 0; i < BLOCKS; i++) minimum = vad->minima[i] < minimum ? vad->minima[i] : minimum;
    if (++vad->block_windows == BLOCK_WINDOWS) {
        vad->minima[vad->next_block] = vad->block_minimum;
        vad->next_block = (vad->next_block + 1) % BLOCKS;
        vad->block_windows = 0;
        vad->block_minimum = HIGHEST_DB;
    }
    return minimum;
}

static int decide(sa_vad *vad, float level) {
    if (level < EMPTY_DB) {
        vad->speaking = 0;
        return 0;
    }
    if (vad->heard == 0) vad->smooth_db = level;
    vad->smooth_db += SMOOTHING * (level - vad->smooth_db);

    float minimum = track_minimum(vad);
    if (level <= minimum + NOISE_SPREAD_DB) {
        if ((float)vad->heard < FLOOR_WINDOWS) vad->heard++;
        vad->floor_db += (level - vad->floor_db) / (float)vad->heard;
    }
    if (vad->floor_db < minimum) vad->floor_db = minimum;
    if (vad->floor_db > minimum + NOISE_SPREAD_DB) vad->floor_db = minimum + NOISE_SPREAD_DB;

    float floor = vad->floor_db > LOWEST_FLOOR_DB ? vad->floor_db : LOWEST_FLOOR_DB;
    vad->speaking = vad->smooth_db >= floor + (vad->speaking ? vad->exit_db : vad->threshold_db);
    return vad->speaking;
}

/* Orthonormal polynomials over `points` equidistant points, by Gram-Schmidt (twice, for accuracy) on 1, t, t^2, ... */
static void make_basis(lanes *basis, uint32_t points) {
    double rows[TERMS][MAX_POINTS];
    for (uint32_t k = 0; k < TERMS; k++) {
        for (uint32_t i = 0; i < points; i++) {
            double t = (2.0 * i + 1.0) / points - 1.0;
            rows[k][i] = k == 0 ? 1.0 : rows[k - 1][i] * t;
        }
        for (uint32_t j = 0; j < 2 * k; j++) {
            const double *other = rows[j % k];
            double dot = 0;
            for (uint32_t i = 0; i < points; i++) dot += rows[k][i] * other[i];
            for (uint32_t i = 0; i < points; i++) rows[k][i] -= dot * other[i];
        }
        double square = 0;
        for (uint32_t i = 0; i < points; i++) square += rows[k][i] * rows[k][i];
        for (uint32_t i = 0; i < points; i++) {
            rows[k][i] /= sqrt(square);
            basis[i / LANES * TERMS + k][i % LANES] = (float)rows[k][i];
        }
    }
}

sa_vad *sa_vad_new(uint32_t sample_rate, float threshold_db) {
    if (sample_rate < SA_MIN_RATE || sample_rate > SA_MAX_RATE) return NULL;
    if (!(threshold_db >= 3.0f && threshold_db <= 40.0f)) return NULL;
    uint32_t window = (sample_rate + 50) / 100;
    uint32_t group = sample_rate < 12000 ? 1 : (sample_rate + 4000) / 8000;
    uint32_t points = window / group;
    uint32_t blocks = (points + LANES - 1) / LANES;
    size_t head = sizeof(sa_vad) + (size_t)blocks * TERMS * sizeof(lanes);
    size_t size = (head + window * sizeof(float) + sizeof(lanes) - 1) / sizeof(lanes) * sizeof(lanes);
    sa_vad *vad = aligned_alloc(sizeof(lanes), size);
    if (vad == NULL) return NULL;
    memset(vad, 0, size);
    vad->window = window;
    vad->group = group;
    vad->points = points;
    vad->blocks = blocks;
    vad->scale = 1.0f / ((float)points * (float)group * (float)group);
    vad->threshold_db = threshold_db;
    vad->exit_db = threshold_db - (threshold_db < 2.0f * HYSTERESIS_DB ? 0.5f * threshold_db : HYSTERESIS_DB);
    vad->pending = (float *)((char *)vad + head);
    make_basis(vad->basis, points);
    sa_vad_reset(vad);
    return vad;
}

uint32_t sa_vad_window(const sa_vad *vad) { return vad == NULL ? 0 : vad->window; }

uint32_t sa_vad_max_output(const sa_vad *vad, uint32_t length) {
    return vad == NULL ? 0 : (uint32_t)(((uint64_t)vad->filled + length) / vad->window);
}

int32_t sa_vad_process(sa_vad *vad, const float *samples, uint32_t offset, uint32_t length, uint8_t *speech,
                       float *level_db) {
    if (vad == NULL || samples == NULL || length > INT32_MAX) return -1;
    uint32_t windows = sa_vad_max_output(vad, length);
    if (windows > 0 && speech == NULL) return -1;
    const float *in = samples + offset;
    for (uint32_t i = 0; i < windows; i++) {
        const float *whole = in;
        uint32_t missing = vad->window - vad->filled;
        if (vad->filled > 0) {
            memcpy(vad->pending + vad->filled, in, missing * sizeof(float));
            whole = vad->pending;
        }
        in += missing;
        length -= missing;
        vad->filled = 0;
        float level = level_of(vad, whole);
        speech[i] = (uint8_t)decide(vad, level);
        if (level_db != NULL) level_db[i] = level;
    }
    memcpy(vad->pending + vad->filled, in, length * sizeof(float));
    vad->filled += length;
    return (int32_t)windows;
}

uint32_t sa_vad_flush(sa_vad *vad) {
    if (vad == NULL) return 0;
    uint32_t dropped = vad->filled;
    vad->filled = 0;
    return dropped;
}

void sa_vad_reset(sa_vad *vad) {
    if (vad == NULL) return;
    vad->filled = 0;
    vad->heard = 0;
    vad->block_windows = 0;
    vad->next_block = 0;
    vad->smooth_db = LOWEST_DB;
    vad->floor_db = LOWEST_DB;
    vad->block_minimum = HIGHEST_DB;
    for (uint32_t i = 0; i < BLOCKS; i++) vad->minima[i] = HIGHEST_DB;
    vad->speaking = 0;
}

void sa_vad_free(sa_vad *vad) { free(vad); }
