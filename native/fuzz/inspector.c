/* Inspector: observations do not depend on how the audio is cut. */
#include "../streamer_audio.h"

#include "input.h"

#define FRAMES 50000u

/* Fills with silence, constant levels and clipped runs, so that all three kinds of observation occur. */
static void fill(fuzz_input *input, float *samples) {
    static const float VALUES[] = {0, 0.25f, -0.5f, 1, -1, 0.9995f};
    uint32_t at = 0;
    while (at < FRAMES) {
        uint32_t kind = take(input, 0, 7);
        uint32_t length = input->size == 0 ? FRAMES : take(input, 0, 1) ? take(input, 1, 40) : take(input, 1, 60000);
        for (uint32_t i = 0; i < length && at < FRAMES; i++, at++) {
            if (kind < 6)
                samples[at] = VALUES[kind];
            else
                samples[at] = i % 64 < kind ? 1.0f : (float)(i % 13) / 20;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    uint32_t channels = take(&input, 1, 3);
    int alike = take(&input, 0, 3) == 0;
    sa_inspector *whole = sa_inspector_new(SA_MIN_RATE, channels), *cut = sa_inspector_new(SA_MIN_RATE, channels);
    REQUIRE(whole != NULL && cut != NULL);
    float *samples = block((size_t)channels * FRAMES * sizeof(float));
    uint32_t *offsets = block(channels * sizeof *offsets);
    for (uint32_t channel = 0; channel < channels; channel++) {
        offsets[channel] = channel * FRAMES;
        if (channel > 0 && alike)
            memcpy(samples + offsets[channel], samples, FRAMES * sizeof(float));
        else
            fill(&input, samples + offsets[channel]);
    }
    uint32_t expected = sa_inspector_process(whole, samples, offsets, FRAMES), observed = 0;
    uint32_t step = take(&input, 0, 1) ? take(&input, 1, 700) : take(&input, 1, 50000);
    for (uint32_t at = 0; at < FRAMES; at += step) {
        uint32_t length = FRAMES - at < step ? FRAMES - at : step;
        float *piece = block((size_t)channels * length * sizeof(float));
        for (uint32_t channel = 0; channel < channels; channel++) {
            memcpy(piece + (size_t)channel * length, samples + (size_t)channel * FRAMES + at, length * sizeof(float));
            offsets[channel] = channel * length;
        }
        observed = sa_inspector_process(cut, piece, offsets, length);
        free(piece);
    }
    REQUIRE(observed == expected);
    for (uint32_t bit = 1; bit <= SA_INSPECT_IDENTICAL; bit *= 2)
        REQUIRE(sa_inspector_channel(cut, bit) == sa_inspector_channel(whole, bit));
    sa_inspector_reset(cut);
    REQUIRE(sa_inspector_channel(cut, SA_INSPECT_CLIPPING) == -1 && sa_inspector_channel(cut, SA_INSPECT_SILENCE) == -1);
    for (uint32_t channel = 0; channel < channels; channel++) offsets[channel] = channel * FRAMES;
    REQUIRE(sa_inspector_process(cut, samples, offsets, FRAMES) == expected);
    sa_inspector_free(whole);
    sa_inspector_free(cut);
    free(samples);
    free(offsets);
    return 0;
}
