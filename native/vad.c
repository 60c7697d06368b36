/*
 * Energy voice activity detector: is this window louder than the noise before it?
 *
 * Level. A window becomes about 40 points by adding groups of neighbouring samples (those at its end that do not fill a
 * group, fewer than `group`, do not count). That low-pass, half power near 1.8 kHz, keeps the vowels and takes three quarters of
 * the power of white noise at 16 kHz. Then the polynomial of degree 4 that fits the points best is taken away, and the energy of
 * the rest is the level. Over 10 ms such a polynomial is anything slow: DC and slopes vanish, 50 Hz falls by 51 dB, 60 Hz by
 * 43, 100 Hz by 23, 120 Hz by 16; half power is near 200 Hz. Unlike a recursive high-pass it has no memory, so that a level
 * depends on its window alone, a burst does not ring, and the work is done in vectors.
 *
 * Floor. The lowest smoothed level that two windows in a row kept to (one may be half empty where a device is muted) in the last
 * 2.5 to 3 s bounds the noise from below; the floor is the mean, over about 2 s, of the levels up to NOISE_SPREAD_DB above that
 * minimum that are not part of speech. Speech falls to the noise between syllables and so does not lift the minimum; a noise
 * that became louder does, and is learned within 3 s. By this definition any sound that holds its level for 3 s is noise: a held
 * tone, a hum, an engine, music without pauses.
 *
 * A stream's first windows start the floor: steady noise from the start is never speech, and a stream that begins in the middle of
 * a word is heard from its first dip on. A stream that begins with zeros for 100 ms or more is expected to be quiet: speech is heard
 * at once, and noise above -50 dBFS there is taken for speech until it is learned.
 */
#include "kernel.h"
#include "streamer_audio.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16u
#define TERMS 5u        /* coefficients of the polynomial that is removed */
#define POINT_RATE 4000u /* Hz, about */
#define MAX_POINTS 64u  /* of a window, rounded up to LANES: at most 60 (5,999 Hz) */

#define LOWEST_DB -120.0f
#define HIGHEST_DB 30.0f

/* Below this a window holds nothing that was recorded: zeros, or the dither of 16 bits (-98 dBFS). It teaches nothing about the
 * noise, so that a microphone that comes back is not taken for speech. */
#define EMPTY_DB -85.0f
#define LOWEST_FLOOR_DB -70.0f /* so that with the default threshold nothing under -60 dBFS is speech */
#define HYSTERESIS_DB 4.0f     /* speech lasts until this far below the threshold; half of a threshold under 8 dB */

/* The figures below are the best of those tried with scripts/bench/vad.ts: more smoothing or a wider spread loses utterances in
 * noise, less takes babble for speech. */
#define SMOOTHING 0.5f         /* share of the newest window in the level that is decided about */
#define NOISE_SPREAD_DB 12.0f  /* levels up to this far above the minimum may be noise */
#define FLOOR_WINDOWS 200.0f   /* time constant of the floor */
#define BLOCK_WINDOWS 50u      /* the minimum is kept for blocks of 0.5 s */
#define BLOCKS 5u              /* whole blocks remembered, beside the one being filled */
#define WARM_UP_WINDOWS 5.0f   /* a device may fade in: the first windows do not count as the minimum */

/* What breaks a silence of zeros at the start is taken for speech when it is loud, since nothing says otherwise. */
#define SILENT_START_WINDOWS 10u
#define SILENT_START_FLOOR_DB -60.0f

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef float quads __attribute__((vector_size(4 * sizeof(float))));
typedef int32_t quad_bits __attribute__((vector_size(4 * sizeof(int32_t))));

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
    uint32_t empty;               /* empty windows, up to SILENT_START_WINDOWS */
    float heard;                  /* windows that the floor was learned from, up to FLOOR_WINDOWS */
    uint32_t block_windows;       /* windows in the block being filled */
    uint32_t next_block;          /* the oldest of `minima` */
    float smooth_db;              /* the level that is decided about */
    float floor_db;               /* mean level of the noise */
    float block_minimum;          /* of the block being filled */
    float minima[BLOCKS];         /* of whole blocks */
    int speaking;
    int partial;                  /* the window before was empty: this one may be so in part */

    float *pending;               /* `window` samples */
    lanes basis[];                /* TERMS rows of `blocks`: orthonormal polynomials over the points */
};

/* The sum of all lanes, those 8 and 4 apart first: one order, whatever the processor. */
static inline float sum_of(const lanes *v) {
    quads part[LANES / 4];
    memcpy(part, v, sizeof part);
    quads sum = (part[0] + part[2]) + (part[1] + part[3]);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/* points[i] = the sum of samples[i * group .. i * group + group). */
static inline __attribute__((always_inline)) void add_neighbours(const float *restrict samples, uint32_t group, uint32_t count,
                                                                 float *restrict points) {
    for (uint32_t i = 0; i < count; i++) {
        const float *in = samples + i * group;
        if (group == 2) points[i] = in[0] + in[1];
        if (group == 3) points[i] = in[0] + in[1] + in[2];
        if (group == 4) points[i] = (in[0] + in[1]) + (in[2] + in[3]);
    }
}

static inline void add_groups(const float *restrict samples, uint32_t group, uint32_t count, float *restrict points) {
    if (group == 1) memcpy(points, samples, count * sizeof(float));
    else if (group == 2) add_neighbours(samples, 2, count, points);
    else if (group == 3) add_neighbours(samples, 3, count, points);
    else if (group == 4) add_neighbours(samples, 4, count, points);
    else {
        /* Every fourth sample of a group first, then as a group of 4. */
        quads quarters[MAX_POINTS];
        uint32_t rest = group % 4;
        quad_bits kept = {rest > 0 ? -1 : 0, rest > 1 ? -1 : 0, rest > 2 ? -1 : 0, 0};
        for (uint32_t i = 0; i < count; i++) {
            const float *in = samples + (size_t)i * group;
            quads sum;
            quads next;
            memcpy(&sum, in, sizeof sum);
            sum = (quads)((quad_bits)sum & kept);
            for (uint32_t j = rest; j < group; j += 4) {
                memcpy(&next, in + j, sizeof next);
                sum += next;
            }
            quarters[i] = sum;
        }
        add_neighbours((const float *)quarters, 4, count, points);
    }
}

/* Sum of squares of what is left of `points` when the polynomial that fits them best has been taken away. */
static inline __attribute__((always_inline)) float rest_of(const lanes *points, uint32_t blocks, const lanes *basis) {
    lanes sums[TERMS];
    for (uint32_t k = 0; k < TERMS; k++) sums[k] = points[0] * basis[k];
    for (uint32_t b = 1; b < blocks; b++)
        for (uint32_t k = 0; k < TERMS; k++) sums[k] += points[b] * basis[b * TERMS + k];

    float weights[TERMS];
    for (uint32_t k = 0; k < TERMS; k++) weights[k] = sum_of(&sums[k]);

    lanes energy = {0};
    for (uint32_t b = 0; b < blocks; b++) {
        lanes rest = points[b];
        for (uint32_t k = 0; k < TERMS; k++) rest -= weights[k] * basis[b * TERMS + k];
        energy += rest * rest;
    }
    return sum_of(&energy);
}

SA_KERNEL static float residual_energy(const float *samples, uint32_t group, uint32_t count, uint32_t blocks, const lanes *basis) {
    lanes points[MAX_POINTS / LANES];
    points[blocks - 1] = (lanes){0};
    add_groups(samples, group, count, (float *)points);
    if (blocks == 3) return rest_of(points, 3, basis); /* every usual rate; unrolled it takes half the time */
    return rest_of(points, blocks, basis);
}

static float level_of(const sa_vad *vad, const float *samples) {
    float mean = residual_energy(samples, vad->group, vad->points, vad->blocks, vad->basis) * vad->scale;
    if (!(mean > 1e-12f)) return LOWEST_DB; /* also what is not a number */
    float level = 3.01029996f * log2f(mean);
    return level < HIGHEST_DB ? level : HIGHEST_DB;
}

/* The lowest `level` of the last BLOCKS to BLOCKS + 1 blocks. */
static float track_minimum(sa_vad *vad, float level) {
    if (level < vad->block_minimum) vad->block_minimum = level;
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

/* The first window that is not empty. */
static void begin(sa_vad *vad, float level) {
    vad->smooth_db = level;
    if (vad->empty < SILENT_START_WINDOWS) return;
    vad->floor_db = level < SILENT_START_FLOOR_DB ? level : SILENT_START_FLOOR_DB;
    vad->block_minimum = vad->floor_db;
    vad->heard = FLOOR_WINDOWS;
}

static int decide(sa_vad *vad, float level) {
    if (level < EMPTY_DB) {
        if (vad->empty < SILENT_START_WINDOWS) vad->empty++;
        vad->smooth_db = vad->floor_db;
        vad->speaking = 0;
        vad->partial = 1;
        return 0;
    }
    if (vad->heard == 0.0f) begin(vad, level);
    float before = vad->smooth_db;
    if (vad->partial && level < before) level = before;
    vad->partial = 0;
    vad->smooth_db += SMOOTHING * (level - vad->smooth_db);
    if (vad->heard < WARM_UP_WINDOWS) vad->block_minimum = HIGHEST_DB;

    float minimum = track_minimum(vad, vad->smooth_db > before ? vad->smooth_db : before);
    int quiet = !vad->speaking || vad->smooth_db < vad->floor_db;
    if (quiet && level <= minimum + NOISE_SPREAD_DB) {
        if (vad->heard < FLOOR_WINDOWS) vad->heard += 1.0f;
        vad->floor_db += (level - vad->floor_db) / vad->heard;
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
    uint32_t group = (sample_rate + POINT_RATE / 2) / POINT_RATE;
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
    if (vad == NULL || samples == NULL || speech == NULL || length > INT32_MAX) return -1;
    uint32_t windows = sa_vad_max_output(vad, length);
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
    vad->empty = 0;
    vad->heard = 0.0f;
    vad->block_windows = 0;
    vad->next_block = 0;
    vad->smooth_db = LOWEST_DB;
    vad->floor_db = LOWEST_DB;
    vad->block_minimum = HIGHEST_DB;
    for (uint32_t i = 0; i < BLOCKS; i++) vad->minima[i] = HIGHEST_DB;
    vad->speaking = 0;
    vad->partial = 0;
}

void sa_vad_free(sa_vad *vad) { free(vad); }
