/*
 * Energy voice activity detector: a window is speech when it is louder than the noise floor.
 *
 * Level: that of vad_level.c, without DC, hum and most of the treble.
 *
 * Noise floor: its lower bound is the lowest smoothed level that two windows in a row kept to (one may be half empty,
 * when a device is muted) in the last 2.5 to 3 s. The floor is the mean, over about 2 s, of the levels that are not
 * speech and at most NOISE_SPREAD_DB above that bound. Speech falls to the noise between syllables, so it does not lift
 * the bound. Noise that becomes louder does, and the floor follows within 3 s. Any sound that holds its level for 3 s
 * is noise by this definition: a held tone, hum, an engine, music without pauses.
 *
 * Start of a stream: the first windows start the floor, so steady noise that is there from the start is never speech.
 * In a stream that begins in the middle of a word, speech is detected from the first dip of the level on. After 100 ms
 * of zeros or more, speech is detected at once; noise above the threshold + 10 dB + the lowest floor is then taken for
 * speech until the floor has followed.
 *
 * The lowest floor moves all other levels with it: quieter audio with a lower floor gives the same decisions.
 */
#include "vad.h"

#include <stdlib.h>
#include <string.h>

/* A window this far below the lowest floor is empty: zeros, or the dither of 16 bits (-98 dBFS) with the usual floor of
 * -70 dBFS. Empty windows do not lower the floor, so noise that returns after a mute is not taken for speech. */
#define EMPTY_BELOW_DB 15.0f
#define HYSTERESIS_DB 5.0f     /* speech lasts until this far below the threshold; half of a threshold under 10 dB */

/* The best values of those tried with scripts/bench/vad.ts. More smoothing or a wider spread loses utterances in
 * noise, less takes babble for speech. */
#define SMOOTHING 0.5f         /* weight of the new window in the smoothed level */
#define NOISE_SPREAD_DB 12.0f  /* levels up to this far above the bound may be noise */
#define WARM_UP_WINDOWS 5.0f   /* a device may fade in: the first windows do not count for the bound */

#define SILENT_START_DB 10.0f  /* highest first floor after a gap at the start, above the lowest floor */

/* Adds a level. Returns the lowest one of the last SA_VAD_BLOCKS whole blocks and the current one. */
static float track_minimum(sa_vad *vad, float level) {
    if (level < vad->block_minimum) vad->block_minimum = level;
    float minimum = vad->block_minimum;
    for (uint32_t i = 0; i < SA_VAD_BLOCKS; i++) minimum = vad->minima[i] < minimum ? vad->minima[i] : minimum;
    if (++vad->block_windows == SA_VAD_BLOCK_WINDOWS) {
        vad->minima[vad->next_block] = vad->block_minimum;
        vad->next_block = (vad->next_block + 1) % SA_VAD_BLOCKS;
        vad->block_windows = 0;
        vad->block_minimum = SA_HIGHEST_DB;
    }
    return minimum;
}

/* After a gap of zeros, such as a gate or a synthesiser leaves between words, the floor still holds. Without this
 * the words themselves would become the lowest level remembered. A mute in noise is not affected. */
static void confirm_floor(sa_vad *vad) {
    if (vad->learned > 0.0f && vad->floor_db < vad->block_minimum) vad->block_minimum = vad->floor_db;
}

/* Starts the floor at the first window that is not empty. */
static void begin_floor(sa_vad *vad, float level) {
    vad->smooth_db = level;
    if (vad->empty < SA_VAD_GAP_WINDOWS) return;
    float highest = vad->lowest_db + SILENT_START_DB;
    vad->floor_db = level < highest ? level : highest;
    vad->block_minimum = vad->floor_db;
    vad->learned = SA_VAD_FLOOR_WINDOWS;
}

/* Returns 1 when a window of this level is speech, else 0. */
static int decide(sa_vad *vad, float level) {
    if (level < vad->lowest_db - EMPTY_BELOW_DB) {
        if (vad->empty < SA_VAD_GAP_WINDOWS && ++vad->empty == SA_VAD_GAP_WINDOWS) confirm_floor(vad);
        vad->smooth_db = vad->floor_db;
        vad->speaking = 0;
        vad->partial = 1;
        return 0;
    }
    if (vad->learned == 0.0f) begin_floor(vad, level);
    vad->empty = 0;
    float before = vad->smooth_db;
    if (vad->partial && level < before) level = before; /* not a dip of the noise */
    vad->partial = 0;
    vad->smooth_db += SMOOTHING * (level - vad->smooth_db);
    if (vad->learned < WARM_UP_WINDOWS) vad->block_minimum = SA_HIGHEST_DB;

    float minimum = track_minimum(vad, vad->smooth_db > before ? vad->smooth_db : before);
    int quiet = !vad->speaking || vad->smooth_db < vad->floor_db;
    if (quiet && level <= minimum + NOISE_SPREAD_DB) {
        if (vad->learned < SA_VAD_FLOOR_WINDOWS) vad->learned += 1.0f;
        vad->floor_db += (level - vad->floor_db) / vad->learned;
    }
    if (vad->floor_db < minimum) vad->floor_db = minimum;
    if (vad->floor_db > minimum + NOISE_SPREAD_DB) vad->floor_db = minimum + NOISE_SPREAD_DB;

    float floor = vad->floor_db > vad->lowest_db ? vad->floor_db : vad->lowest_db;
    vad->speaking = vad->smooth_db >= floor + (vad->speaking ? vad->exit_db : vad->threshold_db);
    return vad->speaking;
}

sa_vad *sa_vad_new(uint32_t sample_rate, float threshold_db, float floor_db) {
    if (sample_rate < SA_MIN_RATE || sample_rate > SA_MAX_RATE) return NULL;
    if (!(threshold_db >= 3.0f && threshold_db <= 40.0f)) return NULL;
    if (!(floor_db >= -100.0f && floor_db <= -20.0f)) return NULL;
    const sa_level *level = sa_level_take(sample_rate);
    sa_vad *vad = level == NULL ? NULL : malloc(sizeof *vad + level->window * sizeof(float));
    if (vad == NULL) {
        sa_level_release(level);
        return NULL;
    }
    vad->level = level;
    vad->threshold_db = threshold_db;
    vad->exit_db = threshold_db - (threshold_db < 2.0f * HYSTERESIS_DB ? 0.5f * threshold_db : HYSTERESIS_DB);
    vad->lowest_db = floor_db;
    sa_vad_reset(vad);
    return vad;
}

uint32_t sa_vad_window(const sa_vad *vad) { return vad == NULL ? 0 : vad->level->window; }

uint32_t sa_vad_max_output(const sa_vad *vad, uint32_t length) {
    return vad == NULL ? 0 : (uint32_t)(((uint64_t)vad->filled + length) / vad->level->window);
}

int32_t sa_vad_process(sa_vad *vad, const float *samples, uint32_t offset, uint32_t length, uint8_t *speech,
                       float *level_db) {
    if (vad == NULL || samples == NULL || speech == NULL || length > SA_MAX_LENGTH) return -1;
    uint32_t windows = sa_vad_max_output(vad, length);
    const float *in = samples + offset;
    for (uint32_t i = 0; i < windows; i++) {
        const float *whole = in;
        uint32_t missing = vad->level->window - vad->filled;
        if (vad->filled > 0) {
            memcpy(vad->pending + vad->filled, in, missing * sizeof(float));
            whole = vad->pending;
        }
        in += missing;
        length -= missing;
        vad->filled = 0;
        float level = sa_level_of(vad->level, whole);
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
    vad->learned = 0.0f;
    vad->block_windows = 0;
    vad->next_block = 0;
    vad->smooth_db = SA_LOWEST_DB;
    vad->floor_db = SA_LOWEST_DB;
    vad->block_minimum = SA_HIGHEST_DB;
    for (uint32_t i = 0; i < SA_VAD_BLOCKS; i++) vad->minima[i] = SA_HIGHEST_DB;
    vad->speaking = 0;
    vad->partial = 0;
}

void sa_vad_free(sa_vad *vad) {
    if (vad == NULL) return;
    sa_level_release(vad->level);
    free(vad);
}
