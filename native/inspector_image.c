/* The image of an inspector. See streamer_audio.h. */
#include "image.h"
#include "inspector.h"

#include <string.h>

/* Of the ring of runs only the entries in use are written: most channels never clip. */
static uint32_t runs_in_use(const sa_inspected_channel *state) {
    return state->run_count < SA_CLIPPED_RUNS ? (uint32_t)state->run_count : SA_CLIPPED_RUNS;
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
        const sa_inspected_channel *state = &inspector->channel[channel];
        sa_write(&writer, &state->silent, sizeof state->silent);
        sa_write(&writer, &state->run_count, sizeof state->run_count);
        sa_write(&writer, state->runs, runs_in_use(state) * sizeof state->runs[0]);
        sa_write(&writer, &state->run_value, sizeof state->run_value);
        sa_write_u32(&writer, state->run_length);
    }
    return writer.length;
}

/* Reads one channel. Returns 0 when its state is not possible after `position` frames. */
static int read_channel(sa_image_reader *reader, uint64_t position, sa_inspected_channel *state) {
    memset(state, 0, sizeof *state);
    sa_read(reader, &state->silent, sizeof state->silent);
    sa_read(reader, &state->run_count, sizeof state->run_count);
    sa_read(reader, state->runs, runs_in_use(state) * sizeof state->runs[0]);
    sa_read(reader, &state->run_value, sizeof state->run_value);
    state->run_length = sa_read_u32(reader);
    if (reader->failed || state->silent > position || state->run_count > position) return 0;
    for (uint32_t i = 0; i < runs_in_use(state); i++)
        if (state->runs[i] >= position) return 0;
    return state->run_length <= SA_CLIPPED_RUN;
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
    if (state.observed >= 1u << SA_INSPECT_KINDS) return -1;
    if (state.position > INT64_MAX || state.identical > state.position) return -1;
    for (uint32_t kind = 0; kind < SA_INSPECT_KINDS; kind++)
        if (state.first_channel[kind] < -1 || state.first_channel[kind] >= (int32_t)inspector->channels) return -1;
    /* Every channel is checked before the first one is changed. */
    sa_image_reader checked = reader;
    sa_inspected_channel channel;
    for (uint32_t i = 0; i < inspector->channels; i++)
        if (!read_channel(&checked, state.position, &channel)) return -1;
    if (!sa_read_all(&checked)) return -1;
    *inspector = state;
    for (uint32_t i = 0; i < inspector->channels; i++) read_channel(&reader, state.position, &inspector->channel[i]);
    return 0;
}
