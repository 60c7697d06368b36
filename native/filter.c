/* Design of the resampler's filters, and the table that shares them. */
#include "filter.h"

#include "kernel.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- Prototype -----------------------------------------------------------------------------------------------------
 *
 * With time t and frequency f in samples of the lower rate and L = SA_PROTOTYPE_LENGTH, the impulse response is
 *     h(t) = sum over k of PROTOTYPE[k] * cos(2 pi k t / L)   for |t| < L / 2, else 0
 * and its spectrum is a sum of sinc(f L - k) and sinc(f L + k). The coefficients solve a linear programme: minimise
 * |H(f)| from f = 0.5 up, subject to |H(f)| within 0.05 dB of 1 up to f = 0.4375, and to h(L / 2) = 0, which makes the
 * spectrum fall with the third power of f. The result is -105.8 dB. A Kaiser window would have to be 1.5 times as long,
 * because its ripple is as small in the pass band as in the stop band. */
#define PI 3.14159265358979323846

#define TERMS 35
static const double PROTOTYPE[TERMS] = {
    0.01450634225483276, 0.02868512551436635, 0.02899103654929186, 0.02872700754466123, 0.0289316128729865,
    0.02880050062527596, 0.02884931631459491, 0.02888497303409696, 0.02876826165715894, 0.02895794792496588,
    0.0287075355847911,  0.02900306922374911, 0.0286804019120449,  0.02901088898873833, 0.02869214428474433,
    0.0289803850345149,  0.02873962948526812, 0.02891857961908875, 0.02881233558574876, 0.02883900873501791,
    0.02889428338321574, 0.02875941289744289, 0.02896659512696514, 0.02870039345951775, 0.02900764324331277,
    0.0286794756410004,  0.02900767020673425, 0.02869783793984547, 0.02897997449661822, 0.02871457129639943,
    0.02901270053361196, 0.0247416231560018,  0.01157924550575492, 0.002099290080083,   7.336171709691525e-05,
};

/* Evaluates the sum for ROW_PIECE taps by Clenshaw's recurrence, with cosine = cos(2 pi t / L): a vector loop. */
#define ROW_PIECE 64u
static SA_KERNEL void prototype_piece(const double *cosine, double scale, float *out) {
    double last[ROW_PIECE] = {0}, before[ROW_PIECE] = {0};
    for (int k = TERMS - 1; k > 0; k--)
        for (uint32_t i = 0; i < ROW_PIECE; i++) {
            double next = 2 * cosine[i] * last[i] - before[i] + PROTOTYPE[k];
            before[i] = last[i];
            last[i] = next;
        }
    for (uint32_t i = 0; i < ROW_PIECE; i++) out[i] = (float)(scale * (cosine[i] * last[i] - before[i] + PROTOTYPE[0]));
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* Most floats of a filter: 1 MiB together with its struct. */
#define ROOM ((1024u * 1024u - 256u) / 4u)

/* Rows for one input sample when not every phase has a row, for a spacing of 1. Phases between two rows are
 * interpolated linearly, with an error of (pi / 2048)^2 / 8 of the highest frequency: -131 dB. */
#define STEPS 2048.0

#define ALIGNMENT (SA_LANES * sizeof(float))

/* Cosines and sines of the taps of row 0. Other rows follow by the addition theorem. */
typedef struct {
    double *cosine, *sine; /* one for each tap, padded to a multiple of ROW_PIECE */
    double spacing;        /* of two input samples, in samples of the lower rate */
} tap_angles;

#define TURN (2 * PI / SA_PROTOTYPE_LENGTH)

static void fill_row(sa_filter *filter, uint32_t row, const tap_angles *angles) {
    float *out = filter->coefficients + (size_t)row * filter->taps;
    double shift = (double)row / filter->steps;
    double cosine_shift = cos(shift * angles->spacing * TURN), sine_shift = sin(shift * angles->spacing * TURN);
    double reach = SA_PROTOTYPE_LENGTH / 2 / angles->spacing;
    double start = -(double)(filter->taps - 1 - filter->half) - shift;
    for (uint32_t begin = 0; begin < filter->taps; begin += ROW_PIECE) {
        const double *tap_cosine = angles->cosine + begin, *tap_sine = angles->sine + begin;
        double cosine[ROW_PIECE];
        float values[ROW_PIECE];
        for (uint32_t i = 0; i < ROW_PIECE; i++) cosine[i] = tap_cosine[i] * cosine_shift + tap_sine[i] * sine_shift;
        prototype_piece(cosine, angles->spacing, values);
        for (uint32_t i = 0; i < ROW_PIECE && begin + i < filter->taps; i++)
            out[begin + i] = fabs(start + begin + i) < reach ? values[i] : 0;
    }
}

static int fill_rows(sa_filter *filter, uint32_t rows, double spacing) {
    size_t length = (filter->taps + ROW_PIECE - 1) / ROW_PIECE * ROW_PIECE;
    double *room = malloc(2 * length * sizeof(double));
    if (room == NULL) return 0;
    tap_angles angles = {.cosine = room, .sine = room + length, .spacing = spacing};
    for (size_t tap = 0; tap < length; tap++) {
        double angle = ((double)tap - (double)(filter->taps - 1 - filter->half)) * spacing * TURN;
        angles.cosine[tap] = cos(angle);
        angles.sine[tap] = sin(angle);
    }
    for (uint32_t row = 0; row < rows; row++) fill_row(filter, row, &angles);
    free(room);
    return 1;
}

static uint32_t row_count(const sa_filter *filter) { return filter->exact ? filter->steps : filter->steps + 1; }

uint32_t sa_filter_bytes(const sa_filter *filter) {
    return (uint32_t)(sizeof *filter + (size_t)row_count(filter) * filter->taps * sizeof(float));
}

static void destroy(sa_filter *filter) {
    free(filter->coefficients);
    free(filter);
}

static sa_filter *build(uint32_t in, uint32_t out) {
    double spacing = in > out ? (double)out / in : 1;
    uint32_t half = (uint32_t)ceil(SA_PROTOTYPE_LENGTH / 2 / spacing);
    uint32_t taps = (2 * half + SA_LANES - 1) / SA_LANES * SA_LANES;
    uint32_t exact = (uint64_t)out * taps <= ROOM;
    uint32_t steps = exact ? out : (uint32_t)ceil(STEPS * spacing);
    sa_filter *filter = malloc(sizeof *filter);
    if (filter == NULL) return NULL;
    *filter = (sa_filter){.in = in, .out = out, .half = half, .taps = taps, .steps = steps, .exact = exact};
    uint32_t rows = row_count(filter);
    filter->coefficients = aligned_alloc(ALIGNMENT, (size_t)rows * taps * sizeof(float));
    if (filter->coefficients != NULL && fill_rows(filter, rows, spacing)) return filter;
    destroy(filter);
    return NULL;
}

/* ---- Table ------------------------------------------------------------------------------------------------------- */

/* The pairs used last stay here even when no handle uses them, so that the next handle is made at once: at most 16
 * MiB. A filter that is pushed out lives as long as its handles. */
#define TABLE_SIZE 16

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static sa_filter *table[TABLE_SIZE]; /* last used first; NULL after the last one */

/* Moves the pair's filter to the front and counts a user. Returns NULL when there is none. The caller holds the
 * lock. */
static sa_filter *find(uint32_t in, uint32_t out) {
    for (int i = 0; i < TABLE_SIZE && table[i] != NULL; i++) {
        sa_filter *found = table[i];
        if (found->in != in || found->out != out) continue;
        memmove(table + 1, table, (size_t)i * sizeof table[0]);
        table[0] = found;
        found->users++;
        return found;
    }
    return NULL;
}

/* Puts a filter in front and counts a user. Returns the filter that fell out if it has no users, else NULL. The
 * caller holds the lock. */
static sa_filter *insert(sa_filter *filter) {
    sa_filter *oldest = table[TABLE_SIZE - 1];
    memmove(table + 1, table, (TABLE_SIZE - 1) * sizeof table[0]);
    table[0] = filter;
    filter->users = 2;
    return oldest != NULL && --oldest->users == 0 ? oldest : NULL;
}

sa_filter *sa_filter_take(uint32_t in, uint32_t out) {
    pthread_mutex_lock(&table_lock);
    sa_filter *filter = find(in, out);
    pthread_mutex_unlock(&table_lock);
    if (filter != NULL) return filter;

    /* Built without the lock, which other threads may need. The thread that is second drops its own filter. */
    sa_filter *built = build(in, out);
    if (built == NULL) return NULL;
    pthread_mutex_lock(&table_lock);
    filter = find(in, out);
    sa_filter *unused = built;
    if (filter == NULL) {
        unused = insert(built);
        filter = built;
    }
    pthread_mutex_unlock(&table_lock);
    if (unused != NULL) destroy(unused);
    return filter;
}

void sa_filter_release(sa_filter *filter) {
    if (filter == NULL) return;
    pthread_mutex_lock(&table_lock);
    uint32_t users = --filter->users;
    pthread_mutex_unlock(&table_lock);
    if (users == 0) destroy(filter);
}
