/* Observes suspicious audio. See streamer_audio.h.
 *
 * Two cheap reductions inspect a block of samples: the largest magnitude, and whether it equals the first channel.
 * Only the few blocks that are loud, or where a stretch begins or ends, are read sample by sample. Positions count
 * from the first sample, so nothing depends on where a block or a call begins. */
#include "inspector.h"
#include "kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 256u
#define LOUD 0.999f
#define STRETCH_SECONDS 10u

#define NEVER UINT64_MAX

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
static uint64_t find_silence(sa_inspected_channel *state, uint64_t stretch, const float *samples, uint32_t length,
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

/* Returns the index within the block at which the last of SA_CLIPPED_RUNS runs within a second reaches SA_CLIPPED_RUN,
 * or NEVER. */
static uint64_t find_clipping(sa_inspected_channel *state, uint64_t position, uint64_t second, const float *samples,
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
        if (state->run_length >= SA_CLIPPED_RUN) continue;
        if (++state->run_length < SA_CLIPPED_RUN) continue;
        uint64_t reached_at = position + i;
        state->runs[state->run_count % SA_CLIPPED_RUNS] = reached_at;
        state->run_count++;
        if (state->run_count < SA_CLIPPED_RUNS) continue;
        uint64_t oldest = state->runs[state->run_count % SA_CLIPPED_RUNS];
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
            sa_inspected_channel *state = &inspector->channel[channel];
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
    for (uint32_t kind = 0; kind < SA_INSPECT_KINDS; kind++) inspector->first_channel[kind] = -1;
    memset(inspector->channel, 0, inspector->channels * sizeof inspector->channel[0]);
}

void sa_inspector_free(sa_inspector *inspector) { free(inspector); }
