/* The image of a voice activity detector. See streamer_audio.h. */
#include "image.h"
#include "vad.h"

/* A new field of the state must be in the image, too. */
_Static_assert(sizeof(sa_vad) == sizeof(void *) + (3 + 8 + SA_VAD_BLOCKS + 2) * 4, "every field is saved");

/* The settings come first: a state belongs to a detector with the same ones. */
uint32_t sa_vad_save(const sa_vad *vad, uint8_t *image, uint32_t capacity) {
    if (vad == NULL) return 0;
    sa_image_writer writer = {image, capacity, 0};
    sa_write_u32(&writer, SA_IMAGE_VAD);
    sa_write_u32(&writer, vad->level->sample_rate);
    sa_write(&writer, &vad->threshold_db, sizeof vad->threshold_db);
    sa_write(&writer, &vad->lowest_db, sizeof vad->lowest_db);
    sa_write_u32(&writer, vad->empty);
    sa_write(&writer, &vad->learned, sizeof vad->learned);
    sa_write_u32(&writer, vad->block_windows);
    sa_write_u32(&writer, vad->next_block);
    sa_write(&writer, &vad->smooth_db, sizeof vad->smooth_db);
    sa_write(&writer, &vad->floor_db, sizeof vad->floor_db);
    sa_write(&writer, &vad->block_minimum, sizeof vad->block_minimum);
    sa_write(&writer, vad->minima, sizeof vad->minima);
    sa_write_u32(&writer, (uint32_t)(vad->speaking ? 1 : 0) | (uint32_t)(vad->partial ? 2 : 0));
    sa_write_u32(&writer, vad->filled);
    sa_write(&writer, vad->pending, vad->filled * sizeof(float));
    return writer.length;
}

/* Averages of levels may leave the range of levels by their rounding. */
static int is_level(float db) { return db >= SA_LOWEST_DB - 1 && db <= SA_HIGHEST_DB + 1; }

static int state_is_possible(const sa_vad *state, const sa_vad *vad) {
    if (state->empty > SA_VAD_GAP_WINDOWS) return 0;
    if (!(state->learned >= 0.0f && state->learned <= SA_VAD_FLOOR_WINDOWS)) return 0;
    if (state->block_windows >= SA_VAD_BLOCK_WINDOWS || state->next_block >= SA_VAD_BLOCKS) return 0;
    if (!is_level(state->smooth_db) || !is_level(state->floor_db) || !is_level(state->block_minimum)) return 0;
    for (uint32_t i = 0; i < SA_VAD_BLOCKS; i++)
        if (!is_level(state->minima[i])) return 0;
    return state->filled < vad->level->window;
}

int32_t sa_vad_restore(sa_vad *vad, const uint8_t *image, uint32_t length) {
    if (vad == NULL || image == NULL) return -1;
    sa_image_reader reader = {image, length, 0};
    if (sa_read_u32(&reader) != SA_IMAGE_VAD || sa_read_u32(&reader) != vad->level->sample_rate) return -1;
    if (sa_read_f32(&reader) != vad->threshold_db || sa_read_f32(&reader) != vad->lowest_db) return -1;
    sa_vad state = *vad;
    state.empty = sa_read_u32(&reader);
    state.learned = sa_read_f32(&reader);
    state.block_windows = sa_read_u32(&reader);
    state.next_block = sa_read_u32(&reader);
    state.smooth_db = sa_read_f32(&reader);
    state.floor_db = sa_read_f32(&reader);
    state.block_minimum = sa_read_f32(&reader);
    sa_read(&reader, state.minima, sizeof state.minima);
    uint32_t bits = sa_read_u32(&reader);
    state.speaking = (int)(bits & 1);
    state.partial = (int)(bits >> 1);
    state.filled = sa_read_u32(&reader);
    if (bits > 3 || !state_is_possible(&state, vad)) return -1;
    if (reader.failed || reader.left != state.filled * sizeof(float)) return -1;
    *vad = state;
    sa_read(&reader, vad->pending, state.filled * sizeof(float));
    return 0;
}
