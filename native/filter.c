/* Filters of the resampler: design, table and the sums. */
#include "filter.h"

#include "kernel.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ROOM (1024u * 1024u / sizeof(float)) /* floats of a filter */
#define PI 3.14159265358979323846

static double bessel(double x) {
    double sum = 1, term = 1;
    for (int k = 1; k < 40; k++) {
        term *= (x / (2 * k)) * (x / (2 * k));
        sum += term;
    }
    return sum;
}

#define HALF_LENGTH 54.0
static double prototype(double t) {
    double u = t / HALF_LENGTH;
    if (u <= -1 || u >= 1) return 0;
    double cutoff = 0.46875 * 2;
    double sinc = t == 0 ? cutoff : sin(PI * cutoff * t) / (PI * t);
    double beta = 0.1102 * (105 - 8.7);
    return sinc * bessel(beta * sqrt(1 - u * u)) / bessel(beta);
}

static sa_filter *build(uint32_t in, uint32_t out) {
    double spacing = in > out ? (double)out / in : 1;
    uint32_t half = (uint32_t)ceil(HALF_LENGTH / spacing);
    uint32_t taps = (2 * half + SA_LANES - 1) / SA_LANES * SA_LANES;
    int exact = (uint64_t)out * taps <= ROOM;
    uint32_t steps = exact ? out : (uint32_t)ceil(2048 * spacing);
    uint32_t rows = exact ? steps : steps + 1;
    sa_filter *filter = malloc(sizeof *filter);
    if (filter == NULL) return NULL;
    float *coefficients = aligned_alloc(64, (size_t)rows * taps * sizeof(float));
    if (coefficients == NULL) {
        free(filter);
        return NULL;
    }
    *filter = (sa_filter){.in = in, .out = out, .taps = taps, .half = half, .rows = rows, .exact = (uint32_t)exact, .coefficients = coefficients};
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t tap = 0; tap < taps; tap++) {
            double distance = (double)tap - (double)(taps - 1 - half) - (double)row / steps;
            coefficients[(size_t)row * taps + tap] = (float)(prototype(distance * spacing) * spacing);
        }
    return filter;
}

#define TABLE 16
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sa_filter *table[TABLE]; /* most recently used first */

sa_filter *sa_filter_take(uint32_t in, uint32_t out) {
    pthread_mutex_lock(&lock);
    sa_filter *found = NULL;
    for (int i = 0; i < TABLE && found == NULL; i++)
        if (table[i] != NULL && table[i]->in == in && table[i]->out == out) found = table[i];
    if (found == NULL) {
        found = build(in, out);
        if (found != NULL) {
            sa_filter *oldest = table[TABLE - 1];
            if (oldest != NULL && --oldest->users == 0) { free(oldest->coefficients); free(oldest); }
            memmove(table + 1, table, (TABLE - 1) * sizeof table[0]);
            table[0] = found;
            found->users = 1;
        }
    }
    if (found != NULL) found->users++;
    pthread_mutex_unlock(&lock);
    return found;
}

void sa_filter_release(sa_filter *filter) {
    if (filter == NULL) return;
    pthread_mutex_lock(&lock);
    int last = --filter->users == 0;
    pthread_mutex_unlock(&lock);
    if (!last) return;
    free(filter->coefficients);
    free(filter);
}

static float dot(const float *row, const float *samples, uint32_t taps) {
    float lanes[SA_LANES] = {0};
    for (uint32_t tap = 0; tap < taps; tap += SA_LANES)
        for (uint32_t lane = 0; lane < SA_LANES; lane++) lanes[lane] += row[tap + lane] * samples[tap + lane];
    for (uint32_t width = SA_LANES / 2; width > 0; width /= 2)
        for (uint32_t lane = 0; lane < width; lane++) lanes[lane] += lanes[lane + width];
    return lanes[0];
}

uint64_t sa_filter_run(const sa_filter *filter, uint32_t phase, const float *samples, uint64_t count, float *out) {
    uint64_t position = phase;
    uint32_t steps = filter->exact ? filter->rows : filter->rows - 1;
    for (uint64_t i = 0; i < count; i++, position += filter->in) {
        const float *from = samples + position / filter->out;
        uint64_t at = position % filter->out * steps;
        const float *row = filter->coefficients + at / filter->out * filter->taps;
        float value = dot(row, from, filter->taps);
        if (!filter->exact) {
            float fraction = (float)(at % filter->out) / (float)filter->out;
            value += fraction * (dot(row + filter->taps, from, filter->taps) - value);
        }
        out[i] = value;
    }
    return position;
}
