/* PCM: any bytes give the same samples however they are cut, and nothing outside the buffers is accessed. */
#include "../streamer_audio.h"

#include "input.h"

/* Returns the bytes of one sample: as many as make the first frame of one channel. */
static uint32_t sample_bytes(uint32_t format) {
    const uint8_t byte = 0;
    const uint32_t offset = 0;
    float out;
    uint32_t bytes = 1;
    sa_pcm *pcm = sa_pcm_new(format, 1);
    while (sa_pcm_process(pcm, &byte, 0, 1, &out, &offset) == 0) bytes++;
    sa_pcm_free(pcm);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    uint32_t format = take(&input, 0, SA_PCM_FORMATS - 1);
    uint32_t channels = take(&input, 0, 3) < 3 ? take(&input, 1, 4) : take(&input, 1, SA_MAX_CHANNELS);
    uint32_t cut_seed = take(&input, 1, 255);
    uint32_t frame_bytes = sample_bytes(format) * channels;
    uint32_t length = (uint32_t)input.size;
    uint32_t frames = length / frame_bytes;
    sa_pcm *whole = sa_pcm_new(format, channels), *cut = sa_pcm_new(format, channels);
    REQUIRE(whole != NULL && cut != NULL);

    uint32_t *offsets = block(channels * sizeof *offsets);
    for (uint32_t channel = 0; channel < channels; channel++) offsets[channel] = channel * frames;
    float *expected = block((size_t)frames * channels * sizeof(float));
    uint8_t *bytes = block_copy(input.data, length);
    REQUIRE(sa_pcm_process(whole, bytes, 0, length, expected, offsets) == (int32_t)frames);
    for (size_t i = 0; i < (size_t)frames * channels; i++) REQUIRE(expected[i] >= -8 && expected[i] <= 8);

    float *out = block((size_t)frames * channels * sizeof(float));
    uint32_t written = 0;
    for (uint32_t at = 0; at < length;) {
        cut_seed = cut_seed * 1664525u + 1013904223u;
        uint32_t piece = (cut_seed >> 8) % (cut_seed & 0x80 ? 5 : 2 * frame_bytes + 2);
        if (piece > length - at) piece = length - at;
        uint8_t *message = block_copy(bytes + at, piece);
        for (uint32_t channel = 0; channel < channels; channel++) offsets[channel] = channel * frames + written;
        int32_t count = sa_pcm_process(cut, message, 0, piece, out, offsets);
        REQUIRE(count >= 0);
        written += (uint32_t)count;
        at += piece;
        free(message);
    }
    REQUIRE(written == frames);
    REQUIRE(memcmp(out, expected, (size_t)frames * channels * sizeof(float)) == 0);
    REQUIRE(sa_pcm_flags(cut) == sa_pcm_flags(whole));
    REQUIRE(sa_pcm_pending(cut) == length % frame_bytes);
    REQUIRE(sa_pcm_flush(cut) == length % frame_bytes && sa_pcm_pending(cut) == 0);
    sa_pcm_reset(cut);
    REQUIRE(sa_pcm_frame_bytes(cut) == frame_bytes && sa_pcm_pending(cut) == 0 && sa_pcm_flags(cut) == 0);
    for (uint32_t channel = 0; channel < channels; channel++) offsets[channel] = channel * frames;
    REQUIRE(sa_pcm_process(cut, bytes, 0, length, out, offsets) == (int32_t)frames);
    REQUIRE(memcmp(out, expected, (size_t)frames * channels * sizeof(float)) == 0);
    sa_pcm_free(whole);
    sa_pcm_free(cut);
    free(offsets);
    free(expected);
    free(bytes);
    free(out);
    return 0;
}
