/*
 * Level of a window. Groups of neighbouring samples are added up to about 40 points; samples at the end that do not
 * fill a group do not count. This low-pass, with half power near 1.8 kHz, keeps the vowels and removes three quarters
 * of the power of white noise at 16 kHz. Then the polynomial of degree 4 that fits the points best is subtracted, and
 * the power of the rest is the level. Over 10 ms such a polynomial follows everything slow: DC and slopes vanish, 50 Hz
 * falls by 51 dB, 60 Hz by 43, 100 Hz by 23, 120 Hz by 16; half power is near 200 Hz. Unlike a recursive high-pass it
 * has no memory: a level depends on its window alone, a burst does not ring, and the work is done in vectors.
 */
#include "vad_level.h"

#include "kernel.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LANES SA_LEVEL_LANES
#define TERMS SA_LEVEL_TERMS
#define MAX_POINTS (SA_LEVEL_BLOCKS * LANES)
#define POINT_RATE 4000u /* points a second, about */

typedef sa_lanes lanes;
typedef float quads __attribute__((vector_size(4 * sizeof(float))));
typedef int32_t quad_bits __attribute__((vector_size(4 * sizeof(int32_t))));

/* Returns a[0] + a[1], a[2] + a[3], b[0] + b[1], b[2] + b[3]. */
static inline quads pair_sums(quads a, quads b) {
    quads even = {a[0], a[2], b[0], b[2]};
    quads odd = {a[1], a[3], b[1], b[3]};
    return even + odd;
}

/* Returns the sums of lanes that are 4 apart. */
static inline quads fold(const lanes *v) {
    quads part[LANES / 4];
    memcpy(part, v, sizeof part);
    return part[0] + part[1];
}

/* Returns the sum of all lanes, those 4 apart first, then those 2 apart: the order is the same on every processor. */
static inline float sum_of(const lanes *v) {
    quads sum = fold(v);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/* The same for four at once. */
static inline quads sums_of(const lanes *v) {
    quads a = fold(v), b = fold(v + 1), c = fold(v + 2), d = fold(v + 3);
    quads ab = (quads){a[0], a[1], b[0], b[1]} + (quads){a[2], a[3], b[2], b[3]};
    quads cd = (quads){c[0], c[1], d[0], d[1]} + (quads){c[2], c[3], d[2], d[3]};
    return pair_sums(ab, cd);
}

static inline quads load(const float *from) {
    quads loaded;
    memcpy(&loaded, from, sizeof loaded);
    return loaded;
}

/* points[i] = the sum of samples[i * group .. i * group + group). */
static inline __attribute__((always_inline)) void add_neighbours(const float *restrict samples, uint32_t group,
                                                                 uint32_t count, float *restrict points) {
    uint32_t i = 0;
    /* Four points at a time, for the rates that are used most. GCC 12 finds no vectors in the loop below. */
    for (; group != 3 && i + 4 <= count; i += 4) {
        const float *in = samples + i * group;
        quads sums = pair_sums(load(in), load(in + 4));
        if (group == 4) sums = pair_sums(sums, pair_sums(load(in + 8), load(in + 12)));
        memcpy(points + i, &sums, sizeof sums);
    }
    for (; i < count; i++) {
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
        /* Every fourth sample of a group first, then the four sums as a group of 4. */
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

/* Returns the sum of squares of `points` less the polynomial that fits them best. */
static inline __attribute__((always_inline)) float rest_of(const lanes *points, uint32_t blocks, const lanes *basis) {
    lanes sums[TERMS];
    for (uint32_t k = 0; k < TERMS; k++) sums[k] = points[0] * basis[k];
    for (uint32_t b = 1; b < blocks; b++)
        for (uint32_t k = 0; k < TERMS; k++) sums[k] += points[b] * basis[b * TERMS + k];

    float weights[TERMS];
    quads first = sums_of(sums);
    memcpy(weights, &first, sizeof first);
    for (uint32_t k = 4; k < TERMS; k++) weights[k] = sum_of(&sums[k]);

    lanes energy = {0};
    for (uint32_t b = 0; b < blocks; b++) {
        lanes rest = points[b];
        for (uint32_t k = 0; k < TERMS; k++) rest -= weights[k] * basis[b * TERMS + k];
        energy += rest * rest;
    }
    return sum_of(&energy);
}

SA_KERNEL static float residual_energy(const float *samples, uint32_t group, uint32_t count, uint32_t blocks,
                                       const lanes *basis) {
    lanes points[MAX_POINTS / LANES];
    points[blocks - 1] = (lanes){0};
    add_groups(samples, group, count, (float *)points);
    if (blocks == 5) return rest_of(points, 5, basis); /* at all common rates; unrolled it takes half the time */
    return rest_of(points, blocks, basis);
}

float sa_level_of(const sa_level *level, const float *samples) {
    float mean = residual_energy(samples, level->group, level->points, level->blocks, level->basis) * level->scale;
    if (!(mean > 1e-12f)) return SA_LOWEST_DB; /* true for NaN as well */
    float decibel = 3.01029996f * log2f(mean);
    return decibel < SA_HIGHEST_DB ? decibel : SA_HIGHEST_DB;
}

/* Makes orthonormal polynomials over `points` equidistant points, by Gram-Schmidt (twice, for accuracy) on 1, t,
 * t^2, ... */
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

static sa_level *make(uint32_t sample_rate) {
    /* aligned_alloc requires a multiple of the alignment, which the size of the struct is. */
    sa_level *level = aligned_alloc(SA_LEVEL_ALIGNMENT, sizeof *level);
    if (level == NULL) return NULL;
    memset(level, 0, sizeof *level);
    level->sample_rate = sample_rate;
    level->window = (sample_rate + 50) / 100;
    level->group = (sample_rate + POINT_RATE / 2) / POINT_RATE;
    level->points = level->window / level->group;
    level->blocks = (level->points + LANES - 1) / LANES;
    level->scale = 1.0f / ((float)level->points * (float)level->group * (float)level->group);
    make_basis(level->basis, level->points);
    return level;
}

/* The constants in use. */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static sa_level *table;

const sa_level *sa_level_take(uint32_t sample_rate) {
    pthread_mutex_lock(&table_lock);
    sa_level *level = table;
    while (level != NULL && level->sample_rate != sample_rate) level = level->next;
    if (level == NULL && (level = make(sample_rate)) != NULL) {
        level->next = table;
        table = level;
    }
    if (level != NULL) level->users++;
    pthread_mutex_unlock(&table_lock);
    return level;
}

void sa_level_release(const sa_level *level) {
    if (level == NULL) return;
    pthread_mutex_lock(&table_lock);
    sa_level **at = &table;
    while (*at != level) at = &(*at)->next;
    sa_level *found = *at;
    if (--found->users == 0) {
        *at = found->next;
        free(found);
    }
    pthread_mutex_unlock(&table_lock);
}
