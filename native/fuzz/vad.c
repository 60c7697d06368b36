/* VAD: windows do not depend on how the samples are cut, a reset handle is like new, levels stay in their range. */
#include "../streamer_audio.h"

#include "input.h"

#define MOST_WINDOWS 400u

static uint32_t detect(fuzz_input *input, sa_vad *vad, const float *samples, uint32_t length, int cut, uint8_t *speech,
                       float *level_db) {
    uint32_t done = 0;
    for (uint32_t at = 0; at < length;) {
        uint32_t most = length - at;
        uint32_t step = cut && input->size > 0 ? take(input, 0, most < 2000 ? most : 2000) : most;
        uint32_t windows = sa_vad_max_output(vad, step);
        float *piece = block_copy(samples + at, step * sizeof(float));
        uint8_t *decisions = block(windows);
        float *levels = block(windows * sizeof(float));
        int with_levels = !cut || level_db != NULL;
        REQUIRE(sa_vad_process(vad, piece, 0, step, decisions, with_levels ? levels : NULL) == (int32_t)windows);
        memcpy(speech + done, decisions, windows);
        if (level_db != NULL) memcpy(level_db + done, levels, windows * sizeof(float));
        free(piece);
        free(decisions);
        free(levels);
        done += windows;
        at += step;
    }
    return done;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint32_t RATES[] = {4000, 5999, 8000, 11025, 16000, 44100, 48000, 384000};
    fuzz_input input = {data, size};
    uint32_t rate = take(&input, 0, 1) ? RATES[take(&input, 0, 7)] : take(&input, SA_MIN_RATE, SA_MAX_RATE);
    float floor_db = rate % 2 == 0 ? -70.0f : -100.0f + (float)(rate % 81);
    sa_vad *whole = sa_vad_new(rate, 3.0f, floor_db), *cut = sa_vad_new(rate, 3.0f, floor_db);
    REQUIRE(whole != NULL && cut != NULL);
    uint32_t window = sa_vad_window(whole);
    REQUIRE(window == (rate + 50) / 100);
    uint32_t room = MOST_WINDOWS * 160u;
    uint32_t length = take(&input, 0, room);
    float *samples = block(length * sizeof(float));
    uint32_t noise = take(&input, 0, UINT32_MAX);
    for (uint32_t at = 0; at < length;) {
        /* A stretch of one value, with any bits, or of noise of some level. */
        uint32_t bits = take(&input, 0, UINT32_MAX), run = take(&input, 1, 3000), kind = take(&input, 0, 3);
        for (uint32_t i = 0; i < run && at < length; i++, at++) {
            noise = noise * 1664525u + 1013904223u;
            if (kind == 0) memcpy(samples + at, &bits, sizeof bits);
            else samples[at] = (float)(int32_t)noise / (float)(1u << (bits % 32));
        }
    }
    uint32_t most = length / window;
    uint8_t *expected = block(most), *found = block(most);
    float *expected_db = block(most * sizeof(float)), *found_db = block(most * sizeof(float));
    REQUIRE(detect(&input, whole, samples, length, 0, expected, expected_db) == most);
    REQUIRE(detect(&input, cut, samples, length, 1, found, found_db) == most);
    REQUIRE(memcmp(expected, found, most) == 0);
    REQUIRE(memcmp(expected_db, found_db, most * sizeof(float)) == 0);
    for (uint32_t i = 0; i < most; i++) {
        REQUIRE(expected[i] <= 1);
        REQUIRE(expected_db[i] >= -120.0f && expected_db[i] <= 30.0f);
    }
    REQUIRE(sa_vad_flush(cut) == length % window);
    REQUIRE(sa_vad_flush(cut) == 0);
    sa_vad_reset(whole);
    REQUIRE(detect(&input, whole, samples, length, 1, found, NULL) == most);
    REQUIRE(memcmp(expected, found, most) == 0);
    sa_vad_free(whole);
    sa_vad_free(cut);
    free(samples);
    free(expected);
    free(found);
    free(expected_db);
    free(found_db);
    return 0;
}
