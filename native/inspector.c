/* Observes suspicious audio. See streamer_audio.h.
 *
 * Two cheap reductions inspect a block of samples: the largest magnitude, and whether it equals the first channel.
 * Only the few blocks that are loud, or where a stretch begins or ends, are read sample by sample. Positions count
 * from the first sample, so nothing depends on where a block or a call begins. */
#include "streamer_audio.h"

#include "image.h"
#include "kernel.h"
#include "state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 256u
#define LOUD 0.999f
#define CLIPPED_RUN 4u    /* equal samples */
#define CLIPPED_RUNS 10u  /* within one second */
#define STRETCH_SECONDS 10u
#define KINDS 3u

#define NEVER UINT64_MAX

typedef struct {
    uint64_t silent;              /* zeros in a row up to the position */
    uint64_t runs[CLIPPED_RUNS];  /* positions at which the last clipped runs reached CLIPPED_RUN, a ring */
    uint64_t run_count;
    float run_value;
    uint32_t run_length;          /* samples in a row equal to run_value, counted up to CLIPPED_RUN */
} channel_state;

struct sa_inspector {
    uint32_t sample_rate;
    uint32_t channels;
    uint32_t observed;
    int32_t first_channel[KINDS]; /* by bit number */
    uint64_t position;            /* frames read */
    uint64_t identical;           /* equal frames in a row up to the position, from the first one that is not silent */
    channel_state channel[];
};

static SA_KERNEL float largest_magnitude(const float *samples, size_t length) {
    /* Magnitudes of floats compare like their bits. A maximum of integers has no order to keep: a vector loop. */
    int32_t largest = 0;
    for (size_t i = 0; i < length; i++) {
        int32_t bits;
        memcpy(&bits, &samples[i], sizeof bits);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    float value;
    memcpy(&value, &largest, sizeof value);
    return value;
}

static SA_KERNEL int differs(const float *a, const float *b, size_t length) {
    int32_t different = 0;
    for (size_t i = 0; i < length; i++) different |= a[i] != b[i] ? -1 : 0;
    return different != 0;
}

/* Returns the index within the block at which the silence reaches `stretch`, or NEVER. */
static uint64_t find_silence(channel_state *state, uint64_t stretch, const float *samples, uint32_t length,
                             float largest) {
    uint32_t leading = length;
    if (largest != 0) {
        leading = 0;
        while (samples[leading] == 0) leading++;
    }
    uint64_t reached = NEVER;
    if (state->silent < stretch && state->silent + leading >= stretch) reached = stretch - state->silent - 1;
    if (leading == length) {
        state->silent += length;
    } else {
        uint32_t trailing = 0;
        while (samples[length - 1 - trailing] == 0) trailing++;
        state->silent = trailing;
    }
    return reached;
}

/* Returns the index within the block at which the last of CLIPPED_RUNS runs within a second reaches CLIPPED_RUN, or
 * NEVER. */
static uint64_t find_clipping(channel_state *state, uint64_t position, uint64_t second, const float *samples,
                              uint32_t length, float largest) {
    if (!(largest >= LOUD)) {
        state->run_length = 0;
        return NEVER;
    }
    uint64_t reached = NEVER;
    for (uint32_t i = 0; i < length; i++) {
        if (!(fabsf(samples[i]) >= LOUD)) {
            state->run_length = 0;
            continue;
        }
        if (state->run_length == 0 || samples[i] != state->run_value) {
            state->run_value = samples[i];
            state->run_length = 1;
            continue;
        }
        if (state->run_length >= CLIPPED_RUN) continue;
        if (++state->run_length < CLIPPED_RUN) continue;
        uint64_t reached_at = position + i;
        state->runs[state->run_count % CLIPPED_RUNS] = reached_at;
        state->run_count++;
        if (state->run_count < CLIPPED_RUNS) continue;
        uint64_t oldest = state->runs[state->run_count % CLIPPED_RUNS];
        if (reached == NEVER && reached_at - oldest < second) reached = i;
    }
    return reached;
}

static int frame_differs(const sa_inspector *inspector, const float *samples, const uint32_t *offsets, size_t at) {
    float first = samples[offsets[0] + at];
    for (uint32_t channel = 1; channel < inspector->channels; channel++)
        if (samples[offsets[channel] + at] != first) return 1;
    return 0;
}

/* Returns 1 when all channels were equal for `stretch` frames, counted from the first one that is not silent. */
static int find_identical(sa_inspector *inspector, uint64_t stretch, const float *samples, const uint32_t *offsets,
                           uint32_t at, uint32_t length) {
    const float *first = samples + (size_t)offsets[0] + at;
    int different = 0;
    for (uint32_t channel = 1; channel < inspector->channels && !different; channel++)
        different = differs(first, samples + (size_t)offsets[channel] + at, length);
    uint32_t begin = 0; /* of the equal frames at the end of the block */
    if (different) {
        uint32_t leading = 0;
        while (!frame_differs(inspector, samples, offsets, (size_t)at + leading)) leading++;
        if (inspector->identical > 0 && inspector->identical + leading >= stretch) return 1;
        inspector->identical = 0;
        begin = length;
        while (!frame_differs(inspector, samples, offsets, (size_t)at + begin - 1)) begin--;
    }
    while (inspector->identical == 0 && begin < length && first[begin] == 0) begin++;
    inspector->identical += length - begin;
    return inspector->identical >= stretch;
}

/* The earliest observation, with the lowest channel at that position. */
typedef struct {
    uint64_t position;
    int32_t channel;
} observation;

static void observe(observation *earliest, uint64_t position, uint32_t channel) {
    if (position >= earliest->position) return;
    earliest->position = position;
    earliest->channel = (int32_t)channel;
}

sa_inspector *sa_inspector_new(uint32_t sample_rate, uint32_t channels) {
    if (sample_rate < SA_MIN_RATE || sample_rate > SA_MAX_RATE) return NULL;
    if (channels == 0 || channels > SA_MAX_CHANNELS) return NULL;
    sa_inspector *inspector = malloc(sizeof *inspector + channels * sizeof inspector->channel[0]);
    if (inspector == NULL) return NULL;
    inspector->sample_rate = sample_rate;
    inspector->channels = channels;
    sa_inspector_reset(inspector);
    return inspector;
}

uint32_t sa_inspector_process(sa_inspector *inspector, const float *samples, const uint32_t *offsets, uint32_t frames) {
    if (inspector == NULL || samples == NULL || offsets == NULL) return 0;
    uint64_t second = inspector->sample_rate;
    uint64_t stretch = second * STRETCH_SECONDS;
    uint32_t wanted = ~inspector->observed;
    observation clipping = {NEVER, -1}, silence = {NEVER, -1};
    for (uint32_t at = 0; at < frames; at += BLOCK) {
        uint32_t length = frames - at < BLOCK ? frames - at : BLOCK;
        uint64_t position = inspector->position + at;
        for (uint32_t channel = 0; channel < inspector->channels && wanted & (SA_INSPECT_CLIPPING | SA_INSPECT_SILENCE);
             channel++) {
            channel_state *state = &inspector->channel[channel];
            const float *from = samples + (size_t)offsets[channel] + at;
            float largest = largest_magnitude(from, length);
            uint64_t found = find_silence(state, stretch, from, length, largest);
            if (found != NEVER) observe(&silence, position + found, channel);
            found = find_clipping(state, position, second, from, length, largest);
            if (found != NEVER) observe(&clipping, position + found, channel);
        }
        if (inspector->channels > 1 && wanted & SA_INSPECT_IDENTICAL &&
            find_identical(inspector, stretch, samples, offsets, at, length)) {
            inspector->observed |= SA_INSPECT_IDENTICAL;
            wanted &= ~SA_INSPECT_IDENTICAL;
        }
    }
    inspector->position += frames;
    if (wanted & SA_INSPECT_CLIPPING && clipping.position != NEVER) {
        inspector->observed |= SA_INSPECT_CLIPPING;
        inspector->first_channel[0] = clipping.channel;
    }
    if (wanted & SA_INSPECT_SILENCE && silence.position != NEVER) {
        inspector->observed |= SA_INSPECT_SILENCE;
        inspector->first_channel[1] = silence.channel;
    }
    return inspector->observed;
}

int32_t sa_inspector_channel(const sa_inspector *inspector, uint32_t bit) {
    if (inspector == NULL) return -1;
    if (bit == SA_INSPECT_CLIPPING) return inspector->first_channel[0];
    if (bit == SA_INSPECT_SILENCE) return inspector->first_channel[1];
    return -1;
}

void sa_inspector_reset(sa_inspector *inspector) {
    if (inspector == NULL) return;
    inspector->observed = 0;
    inspector->position = 0;
    inspector->identical = 0;
    for (uint32_t kind = 0; kind < KINDS; kind++) inspector->first_channel[kind] = -1;
    memset(inspector->channel, 0, inspector->channels * sizeof inspector->channel[0]);
}

uint32_t sa_inspector_observed(const sa_inspector *inspector) { return inspector->observed; }

/* Of the ring of runs only the entries in use are written: most channels never clip. */
static uint32_t runs_in_use(const channel_state *state) {
    return state->run_count < CLIPPED_RUNS ? (uint32_t)state->run_count : CLIPPED_RUNS;
}

uint32_t sa_inspector_save(const sa_inspector *inspector, uint8_t *image, uint32_t capacity) {
    if (inspector == NULL) return 0;
    sa_image_writer writer = {image, capacity, 0};
    sa_write_u32(&writer, SA_IMAGE_INSPECTOR);
    sa_write_u32(&writer, inspector->sample_rate);
    sa_write_u32(&writer, inspector->channels);
    sa_write_u32(&writer, inspector->observed);
    sa_write(&writer, inspector->first_channel, sizeof inspector->first_channel);
    sa_write(&writer, &inspector->position, sizeof inspector->position);
    sa_write(&writer, &inspector->identical, sizeof inspector->identical);
    for (uint32_t channel = 0; channel < inspector->channels; channel++) {
        const channel_state *state = &inspector->channel[channel];
        sa_write(&writer, &state->silent, sizeof state->silent);
        sa_write(&writer, &state->run_count, sizeof state->run_count);
        sa_write(&writer, state->runs, runs_in_use(state) * sizeof state->runs[0]);
        sa_write(&writer, &state->run_value, sizeof state->run_value);
        sa_write_u32(&writer, state->run_length);
    }
    return writer.length;
}

/* Reads one channel. Returns 0 when its state is not possible after `position` frames. */
static int read_channel(sa_image_reader *reader, uint64_t position, channel_state *state) {
    memset(state, 0, sizeof *state);
    sa_read(reader, &state->silent, sizeof state->silent);
    sa_read(reader, &state->run_count, sizeof state->run_count);
    sa_read(reader, state->runs, runs_in_use(state) * sizeof state->runs[0]);
    sa_read(reader, &state->run_value, sizeof state->run_value);
    state->run_length = sa_read_u32(reader);
    if (reader->failed || state->silent > position || state->run_count > position) return 0;
    for (uint32_t i = 0; i < runs_in_use(state); i++)
        if (state->runs[i] >= position) return 0;
    return state->run_length <= CLIPPED_RUN;
}

int32_t sa_inspector_restore(sa_inspector *inspector, const uint8_t *image, uint32_t length) {
    if (inspector == NULL || image == NULL) return -1;
    sa_image_reader reader = {image, length, 0};
    if (sa_read_u32(&reader) != SA_IMAGE_INSPECTOR) return -1;
    if (sa_read_u32(&reader) != inspector->sample_rate || sa_read_u32(&reader) != inspector->channels) return -1;
    sa_inspector state = *inspector;
    state.observed = sa_read_u32(&reader);
    sa_read(&reader, state.first_channel, sizeof state.first_channel);
    sa_read(&reader, &state.position, sizeof state.position);
    sa_read(&reader, &state.identical, sizeof state.identical);
    if (state.observed >= 1u << KINDS || state.position > INT64_MAX || state.identical > state.position) return -1;
    for (uint32_t kind = 0; kind < KINDS; kind++)
        if (state.first_channel[kind] < -1 || state.first_channel[kind] >= (int32_t)inspector->channels) return -1;
    /* Every channel is checked before the first one is changed. */
    sa_image_reader checked = reader;
    channel_state channel;
    for (uint32_t i = 0; i < inspector->channels; i++)
        if (!read_channel(&checked, state.position, &channel)) return -1;
    if (!sa_read_all(&checked)) return -1;
    *inspector = state;
    for (uint32_t i = 0; i < inspector->channels; i++) read_channel(&reader, state.position, &inspector->channel[i]);
    return 0;
}

void sa_inspector_free(sa_inspector *inspector) { free(inspector); }
