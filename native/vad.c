/*
 * Energy voice activity detector: is this window louder than the noise before it?
 *
 * The level of a window is that of vad_level.c, with neither DC nor hum nor most of the treble. The lowest smoothed level that two
 * windows in a row kept to (one may be half empty, where a device is muted) in the last 2.5 to 3 s bounds the noise from below; the
 * floor is the mean, over about 2 s, of the levels up to NOISE_SPREAD_DB above that minimum that are not part of speech. Speech falls
 * to the noise between syllables and so does not lift the minimum; a noise that became louder does, and is learned within 3 s. By
 * this definition any sound that holds its level for 3 s is noise: a held tone, a hum, an engine, music without pauses.
 *
 * A stream's first windows start the floor: steady noise from the start is never speech, and a stream that begins in the middle of
 * a word is heard from its first dip on. A stream that begins with zeros for 100 ms or more is expected to be quiet: speech is heard
 * at once, and noise above -50 dBFS there is taken for speech until it is learned.
 */
#include "streamer_audio.h"
#include "vad_level.h"

#include <stdlib.h>
#include <string.h>

/* Below this a window holds nothing that was recorded: zeros, or the dither of 16 bits (-98 dBFS). It teaches nothing about the
 * noise, so that a microphone that comes back is not taken for speech. */
#define EMPTY_DB -85.0f
#define LOWEST_FLOOR_DB -70.0f /* so that with the default threshold nothing under -60 dBFS is speech */
#define HYSTERESIS_DB 5.0f     /* speech lasts until this far below the threshold; half of a threshold under 10 dB */

/* The figures below are the best of those tried with scripts/bench/vad.ts: more smoothing or a wider spread loses utterances in
 * noise, less takes babble for speech. */
#define SMOOTHING 0.5f         /* share of the newest window in the level that is decided about */
#define NOISE_SPREAD_DB 12.0f  /* levels up to this far above the minimum may be noise */
#define FLOOR_WINDOWS 200.0f   /* time constant of the floor */
#define BLOCK_WINDOWS 50u      /* the minimum is kept for blocks of 0.5 s */
#define BLOCKS 5u              /* whole blocks remembered, beside the one being filled */
#define WARM_UP_WINDOWS 5.0f   /* a device may fade in: the first windows do not count as the minimum */

/* What breaks a silence of zeros at the start is taken for speech when it is loud, since nothing says otherwise. */
#define GAP_WINDOWS 10u
#define SILENT_START_FLOOR_DB -60.0f

struct sa_vad {
    sa_level level;
    float threshold_db; /* above the floor */
    float exit_db;      /* above the floor */

    /* Everything below is as `reset` leaves it in a new handle. */
    uint32_t filled;              /* of `pending` */
    uint32_t empty;               /* empty windows in a row, up to GAP_WINDOWS */
    float heard;                  /* windows that the floor was learned from, up to FLOOR_WINDOWS */
    uint32_t block_windows;       /* windows in the block being filled */
    uint32_t next_block;          /* the oldest of `minima` */
    float smooth_db;              /* the level that is decided about */
    float floor_db;               /* mean level of the noise */
    float block_minimum;          /* of the block being filled */
    float minima[BLOCKS];         /* of whole blocks */
    int speaking;
    int partial;                  /* the window before was empty: this one may be so in part */
    float pending[];              /* samples of the incomplete window */
};

/* The lowest `level` of the last BLOCKS to BLOCKS + 1 blocks. */
static float track_minimum(sa_vad *vad, float level) {
    if (level < vad->block_minimum) vad->block_minimum = level;
    float minimum = vad->block_minimum;
    for (uint32_t i = 0; i < BLOCKS; i++) minimum = vad->minima[i] < minimum ? vad->minima[i] : minimum;
    if (++vad->block_windows == BLOCK_WINDOWS) {
        vad->minima[vad->next_block] = vad->block_minimum;
        vad->next_block = (vad->next_block + 1) % BLOCKS;
        vad->block_windows = 0;
        vad->block_minimum = SA_HIGHEST_DB;
    }
    return minimum;
}

/* A gap of zeros: what a gate or a synthesiser leaves between words. The floor that the words were heard over still holds; without
 * this the words themselves would become the quietest thing remembered. After a mute in noise it changes nothing. */
static void confirm_floor(sa_vad *vad) {
    if (vad->heard > 0.0f && vad->floor_db < vad->block_minimum) vad->block_minimum = vad->floor_db;
}

/* The first window that is not empty. */
static void begin(sa_vad *vad, float level) {
    vad->smooth_db = level;
    if (vad->empty < GAP_WINDOWS) return;
    vad->floor_db = level < SILENT_START_FLOOR_DB ? level : SILENT_START_FLOOR_DB;
    vad->block_minimum = vad->floor_db;
    vad->heard = FLOOR_WINDOWS;
}

static int decide(sa_vad *vad, float level) {
    if (level < EMPTY_DB) {
        if (vad->empty < GAP_WINDOWS && ++vad->empty == GAP_WINDOWS) confirm_floor(vad);
        vad->smooth_db = vad->floor_db;
        vad->speaking = 0;
        vad->partial = 1;
        return 0;
    }
    if (vad->heard == 0.0f) begin(vad, level);
    vad->empty = 0;
    float before = vad->smooth_db;
    if (vad->partial && level < before) level = before; /* no dip of the noise */
    vad->partial = 0;
    vad->smooth_db += SMOOTHING * (level - vad->smooth_db);
    if (vad->heard < WARM_UP_WINDOWS) vad->block_minimum = SA_HIGHEST_DB;

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

sa_vad *sa_vad_new(uint32_t sample_rate, float threshold_db) {
    if (sample_rate < SA_MIN_RATE || sample_rate > SA_MAX_RATE) return NULL;
    if (!(threshold_db >= 3.0f && threshold_db <= 40.0f)) return NULL;
    size_t size = sizeof(sa_vad) + (sample_rate + 50) / 100 * sizeof(float);
    /* aligned_alloc wants a multiple of the alignment. */
    sa_vad *vad = aligned_alloc(SA_LEVEL_ALIGNMENT, (size + SA_LEVEL_ALIGNMENT - 1) / SA_LEVEL_ALIGNMENT * SA_LEVEL_ALIGNMENT);
    if (vad == NULL) return NULL;
    sa_level_init(&vad->level, sample_rate);
    vad->threshold_db = threshold_db;
    vad->exit_db = threshold_db - (threshold_db < 2.0f * HYSTERESIS_DB ? 0.5f * threshold_db : HYSTERESIS_DB);
    sa_vad_reset(vad);
    return vad;
}

uint32_t sa_vad_window(const sa_vad *vad) { return vad == NULL ? 0 : vad->level.window; }

uint32_t sa_vad_max_output(const sa_vad *vad, uint32_t length) {
    return vad == NULL ? 0 : (uint32_t)(((uint64_t)vad->filled + length) / vad->level.window);
}

int32_t sa_vad_process(sa_vad *vad, const float *samples, uint32_t offset, uint32_t length, uint8_t *speech,
                       float *level_db) {
    if (vad == NULL || samples == NULL || speech == NULL || length > INT32_MAX) return -1;
    uint32_t windows = sa_vad_max_output(vad, length);
    const float *in = samples + offset;
    for (uint32_t i = 0; i < windows; i++) {
        const float *whole = in;
        uint32_t missing = vad->level.window - vad->filled;
        if (vad->filled > 0) {
            memcpy(vad->pending + vad->filled, in, missing * sizeof(float));
            whole = vad->pending;
        }
        in += missing;
        length -= missing;
        vad->filled = 0;
        float level = sa_level_of(&vad->level, whole);
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
    vad->smooth_db = SA_LOWEST_DB;
    vad->floor_db = SA_LOWEST_DB;
    vad->block_minimum = SA_HIGHEST_DB;
    for (uint32_t i = 0; i < BLOCKS; i++) vad->minima[i] = SA_HIGHEST_DB;
    vad->speaking = 0;
    vad->partial = 0;
}

void sa_vad_free(sa_vad *vad) { free(vad); }
