/* Arguments that are NULL or out of range are answered as the header states, and nothing is read or written. */
#include "../streamer_audio.h"

#include "../fuzz/input.h"

#include <math.h>

static void arena_arguments(void) {
    REQUIRE(sa_arena_new(0) == NULL && sa_arena_new(SA_MAX_SLABS + 1) == NULL);
    REQUIRE(sa_arena_base(NULL) == NULL && sa_arena_fd(NULL) == -1 && sa_arena_resident(NULL) == 0);
    REQUIRE(sa_arena_give_back(NULL, 0, 1) == -1);
    sa_arena *arena = sa_arena_new(4);
    REQUIRE(arena != NULL && sa_arena_base(arena) != NULL && sa_arena_fd(arena) >= 0);
    REQUIRE(sa_arena_give_back(arena, 5, 0) == -1 && sa_arena_give_back(arena, 4, 1) == -1);
    REQUIRE(sa_arena_give_back(arena, 1, UINT32_MAX) == -1);
    REQUIRE(sa_arena_give_back(arena, 4, 0) == 0 && sa_arena_give_back(arena, 0, 4) == 0);
    float *sample = block(sizeof(float));
    *sample = 1;
    sa_copy(NULL, 0, sample, 0, 1);
    sa_copy(sample, 0, NULL, 0, 1);
    sa_copy(sample, 0, sa_arena_base(arena), 4 * SA_SLAB_SAMPLES - 1, 1);
    REQUIRE(*sample == 1 && sa_arena_base(arena)[4 * SA_SLAB_SAMPLES - 1] == 1);
    sa_arena_free(NULL);
    sa_arena_free(arena);
    free(sample);
}

static void pcm_arguments(void) {
    REQUIRE(sa_pcm_new(SA_PCM_FORMATS, 1) == NULL);
    REQUIRE(sa_pcm_new(SA_PCM_S16, 0) == NULL);
    REQUIRE(sa_pcm_new(SA_PCM_S16, SA_MAX_CHANNELS + 1) == NULL);
    uint8_t *bytes = block(2);
    float *out = block(sizeof(float));
    uint32_t *offsets = block(sizeof(uint32_t));
    *offsets = 0;
    memset(bytes, 0, 2);
    sa_pcm *pcm = sa_pcm_new(SA_PCM_S16, 1);
    REQUIRE(sa_pcm_process(NULL, bytes, 0, 2, out, offsets) == -1);
    REQUIRE(sa_pcm_process(pcm, NULL, 0, 2, out, offsets) == -1);
    REQUIRE(sa_pcm_process(pcm, bytes, 0, 2, NULL, offsets) == -1);
    REQUIRE(sa_pcm_process(pcm, bytes, 0, 2, out, NULL) == -1);
    REQUIRE(sa_pcm_process(pcm, bytes, 0, SA_MAX_LENGTH + 1, out, offsets) == -1);
    REQUIRE(sa_pcm_process(pcm, bytes, 0, 0, out, offsets) == 0);
    REQUIRE(sa_pcm_process(pcm, bytes, 1, 1, out, offsets) == 0 && sa_pcm_pending(pcm) == 1);
    REQUIRE(sa_pcm_frame_bytes(NULL) == 0 && sa_pcm_pending(NULL) == 0 && sa_pcm_flags(NULL) == 0 && sa_pcm_flush(NULL) == 0);
    sa_pcm_reset(NULL);
    sa_pcm_free(NULL);
    sa_pcm_free(pcm);
    free(bytes);
    free(out);
    free(offsets);
}

static void inspector_arguments(void) {
    REQUIRE(sa_inspector_new(SA_MIN_RATE - 1, 1) == NULL);
    REQUIRE(sa_inspector_new(SA_MAX_RATE + 1, 1) == NULL);
    REQUIRE(sa_inspector_new(16000, 0) == NULL);
    REQUIRE(sa_inspector_new(16000, SA_MAX_CHANNELS + 1) == NULL);
    float *samples = block(sizeof(float));
    uint32_t *offsets = block(sizeof(uint32_t));
    sa_inspector *inspector = sa_inspector_new(16000, 1);
    REQUIRE(sa_inspector_process(NULL, samples, offsets, 1) == 0);
    REQUIRE(sa_inspector_process(inspector, NULL, offsets, 1) == 0);
    REQUIRE(sa_inspector_process(inspector, samples, NULL, 1) == 0);
    REQUIRE(sa_inspector_channel(NULL, SA_INSPECT_SILENCE) == -1);
    REQUIRE(sa_inspector_channel(inspector, 3) == -1);
    sa_inspector_reset(NULL);
    sa_inspector_free(NULL);
    sa_inspector_free(inspector);
    free(samples);
    free(offsets);
}

static void resampler_arguments(void) {
    REQUIRE(sa_resampler_new(SA_MIN_RATE - 1, 16000) == NULL);
    REQUIRE(sa_resampler_new(16000, SA_MAX_RATE + 1) == NULL);
    float *samples = block(sizeof(float)), *out = block(sizeof(float));
    *samples = 1;
    sa_resampler *resampler = sa_resampler_new(8000, 384000);
    REQUIRE(sa_resampler_process(NULL, samples, 0, 1, out, 0) == -1);
    REQUIRE(sa_resampler_process(resampler, NULL, 0, 1, out, 0) == -1);
    REQUIRE(sa_resampler_process(resampler, samples, 0, 1, NULL, 0) == -1);
    REQUIRE(sa_resampler_process(resampler, samples, 0, SA_MAX_LENGTH + 1, out, 0) == -1);
    REQUIRE(sa_resampler_max_output(resampler, SA_MAX_LENGTH + 1) == UINT32_MAX);
    /* 2^30 samples would become 48 times as many, more than INT32_MAX. */
    REQUIRE(sa_resampler_max_output(resampler, SA_MAX_LENGTH) == UINT32_MAX);
    REQUIRE(sa_resampler_process(resampler, samples, 0, SA_MAX_LENGTH, out, 0) == -1);
    REQUIRE(sa_resampler_max_input(resampler, UINT32_MAX) <= SA_MAX_LENGTH);
    REQUIRE(sa_resampler_max_output(NULL, 1) == 0 && sa_resampler_max_input(NULL, 1) == 0);
    REQUIRE(sa_resampler_flush(NULL, out, 0, 1) == 0 && sa_resampler_flush(resampler, NULL, 0, 1) == 0);
    REQUIRE(sa_resampler_process(resampler, samples, 0, 1, out, 0) == 0);
    REQUIRE(sa_resampler_bytes(NULL) == 0 && sa_resampler_filter_bytes(NULL) == 0);
    sa_resampler_reset(NULL);
    sa_resampler_free(NULL);
    sa_resampler_free(resampler);
    free(samples);
    free(out);
}

static void vad_arguments(void) {
    REQUIRE(sa_vad_new(SA_MIN_RATE - 1, 10, -70) == NULL && sa_vad_new(SA_MAX_RATE + 1, 10, -70) == NULL);
    REQUIRE(sa_vad_new(16000, 2.9f, -70) == NULL && sa_vad_new(16000, 40.1f, -70) == NULL);
    REQUIRE(sa_vad_new(16000, 10, -100.1f) == NULL && sa_vad_new(16000, 10, -19.9f) == NULL);
    REQUIRE(sa_vad_new(16000, NAN, -70) == NULL && sa_vad_new(16000, 10, NAN) == NULL);
    float *samples = block(160 * sizeof(float)), *level_db = block(sizeof(float));
    uint8_t *speech = block(1);
    memset(samples, 0, 160 * sizeof(float));
    sa_vad *vad = sa_vad_new(16000, 10, -70);
    REQUIRE(sa_vad_process(NULL, samples, 0, 160, speech, level_db) == -1);
    REQUIRE(sa_vad_process(vad, NULL, 0, 160, speech, level_db) == -1);
    REQUIRE(sa_vad_process(vad, samples, 0, 160, NULL, level_db) == -1);
    REQUIRE(sa_vad_process(vad, samples, 0, SA_MAX_LENGTH + 1, speech, level_db) == -1);
    REQUIRE(sa_vad_process(vad, samples, 0, 160, speech, NULL) == 1 && *speech == 0);
    REQUIRE(sa_vad_process(vad, samples, 1, 159, speech, level_db) == 0);
    REQUIRE(sa_vad_window(NULL) == 0 && sa_vad_max_output(NULL, 160) == 0 && sa_vad_flush(NULL) == 0);
    sa_vad_reset(NULL);
    sa_vad_free(NULL);
    sa_vad_free(vad);
    free(samples);
    free(level_db);
    free(speech);
}

static void chain_arguments(void) {
    REQUIRE(sa_chain_new(SA_PCM_FORMATS, 1, 16000, 16000) == NULL);
    REQUIRE(sa_chain_new(SA_PCM_S16, 0, 16000, 16000) == NULL);
    REQUIRE(sa_chain_new(SA_PCM_S16, SA_MAX_CHANNELS + 1, 16000, 16000) == NULL);
    REQUIRE(sa_chain_new(SA_PCM_S16, 1, SA_MIN_RATE - 1, 16000) == NULL);
    REQUIRE(sa_chain_new(SA_PCM_S16, 1, 16000, SA_MAX_RATE + 1) == NULL);
    uint8_t *bytes = block(2), *speech = block(SA_CHAIN_WINDOWS);
    float *out = block(sizeof(float)), *level_db = block(SA_CHAIN_WINDOWS * sizeof(float));
    uint32_t *offsets = block(sizeof(uint32_t));
    sa_chain_report *report = block(sizeof *report);
    *offsets = 0;
    memset(bytes, 0, 2);
    sa_chain *chain = sa_chain_new(SA_PCM_S16, 1, 16000, 16000);
    REQUIRE(sa_chain_detect(NULL, 0, NULL) == -1 && sa_chain_detect(chain, 1, NULL) == -1);
    REQUIRE(sa_chain_process(NULL, bytes, 0, 2, out, offsets, 1, report, speech, level_db) == -1);
    REQUIRE(sa_chain_process(chain, NULL, 0, 2, out, offsets, 1, report, speech, level_db) == -1);
    REQUIRE(sa_chain_process(chain, bytes, 0, 2, NULL, offsets, 1, report, speech, level_db) == -1);
    REQUIRE(sa_chain_process(chain, bytes, 0, 2, out, NULL, 1, report, speech, level_db) == -1);
    REQUIRE(sa_chain_process(chain, bytes, 0, 2, out, offsets, 1, NULL, speech, level_db) == -1);
    REQUIRE(sa_chain_process(chain, bytes, 0, 2, out, offsets, 1, report, NULL, level_db) == -1);
    REQUIRE(sa_chain_process(chain, bytes, 0, 2, out, offsets, 1, report, speech, NULL) == -1);
    REQUIRE(sa_chain_process(chain, bytes, 0, SA_MAX_LENGTH + 1, out, offsets, 1, report, speech, level_db) == -1);
    REQUIRE(sa_chain_process(chain, bytes, 0, 2, out, offsets, SA_SLAB_SAMPLES + 1, report, speech, level_db) == -1);
    REQUIRE(sa_chain_process(chain, bytes, 0, 2, out, offsets, 0, report, speech, level_db) == 0);
    REQUIRE(sa_chain_process(chain, bytes, 0, 2, out, offsets, 1, report, speech, level_db) == 2 && report->samples == 1);
    REQUIRE(sa_chain_flush(NULL, out, offsets, 1, report, speech, level_db) == -1);
    REQUIRE(sa_chain_flush(chain, NULL, offsets, 1, report, speech, level_db) == -1);
    REQUIRE(sa_chain_flush(chain, out, offsets, SA_SLAB_SAMPLES + 1, report, speech, level_db) == -1);
    REQUIRE(sa_chain_flush(chain, out, offsets, 1, report, speech, level_db) == 0);
    REQUIRE(sa_chain_process(chain, bytes, 0, 2, out, offsets, 1, report, speech, level_db) == -1);
    REQUIRE(sa_chain_spilled(NULL) == 0 && sa_chain_channel(NULL, SA_INSPECT_SILENCE) == -1);
    sa_chain_reset(NULL);
    sa_chain_free(NULL);
    sa_chain_free(chain);
    free(bytes);
    free(speech);
    free(out);
    free(level_db);
    free(offsets);
    free(report);
}

int main(void) {
    arena_arguments();
    pcm_arguments();
    inspector_arguments();
    resampler_arguments();
    vad_arguments();
    chain_arguments();
    return 0;
}
