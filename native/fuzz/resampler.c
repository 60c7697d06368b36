/* Resampler: the length is exact, the bits do not depend on the cut, and every announced length is kept. */
#include "../streamer_audio.h"

#include "input.h"

#define MOST_OUTPUT 20000u

/* Returns a common rate, or any. */
static uint32_t take_rate(fuzz_input *input) {
    static const uint32_t COMMON[] = {4000, 8000, 11025, 12345, 16000, 44100, 47999, 48000, 96000, 383987, 384000};
    uint32_t kind = take(input, 0, 31);
    return kind < sizeof COMMON / sizeof COMMON[0] ? COMMON[kind] : take(input, SA_MIN_RATE, SA_MAX_RATE);
}

static int32_t process(sa_resampler *resampler, const float *samples, uint32_t length, float *out, uint32_t room) {
    uint32_t announced = sa_resampler_max_output(resampler, length);
    REQUIRE(announced <= room);
    float *piece = block_copy(samples, length * sizeof(float));
    float *result = block(announced * sizeof(float));
    int32_t written = sa_resampler_process(resampler, piece, 0, length, result, 0);
    REQUIRE(written == (int32_t)announced);
    memcpy(out, result, announced * sizeof(float));
    free(piece);
    free(result);
    return written;
}

static int32_t flush(sa_resampler *resampler, float *out, uint32_t room, uint32_t piece) {
    uint32_t total = 0;
    for (;;) {
        float *result = block(piece * sizeof(float));
        int32_t written = sa_resampler_flush(resampler, result, 0, piece);
        REQUIRE(written >= 0 && (uint32_t)written <= piece && total + (uint32_t)written <= room);
        memcpy(out + total, result, (size_t)written * sizeof(float));
        free(result);
        if (written == 0) return (int32_t)total;
        total += (uint32_t)written;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    uint32_t in_rate = take_rate(&input), out_rate = take_rate(&input);
    uint32_t most = (uint32_t)((uint64_t)MOST_OUTPUT * in_rate / out_rate);
    uint32_t length = take(&input, 0, most < 65000 ? most : 65000);
    uint32_t expected = (uint32_t)((2 * (uint64_t)length * out_rate + in_rate) / (2 * (uint64_t)in_rate));
    sa_resampler *whole = sa_resampler_new(in_rate, out_rate), *cut = sa_resampler_new(in_rate, out_rate);
    REQUIRE(whole != NULL && cut != NULL);
    REQUIRE(sa_resampler_filter_bytes(whole) <= 1u << 20);

    float *samples = block(length * sizeof(float));
    uint32_t noise = size > 0 ? data[size - 1] : 0;
    for (uint32_t i = 0; i < length; i++) {
        noise = noise * 1664525u + 1013904223u;
        samples[i] = (float)(int32_t)noise / 2147483648.0f;
    }
    float *one = block(expected * sizeof(float)), *two = block(expected * sizeof(float));
    uint32_t written = (uint32_t)process(whole, samples, length, one, expected);
    written += (uint32_t)flush(whole, one + written, expected - written, 1000);
    REQUIRE(written == expected);
    REQUIRE(sa_resampler_process(whole, samples, 0, 0, one, 0) == -1);

    written = 0;
    for (uint32_t at = 0; at < length;) {
        uint32_t piece = take(&input, 0, 1) ? take(&input, 1, 9) : take(&input, 1, 4000);
        if (input.size == 0) piece = length - at;
        if (piece > length - at) piece = length - at;
        uint32_t room = take(&input, 0, 300), fitting = sa_resampler_max_input(cut, room);
        REQUIRE(sa_resampler_max_output(cut, fitting) <= room && sa_resampler_max_output(cut, fitting + 1) > room);
        written += (uint32_t)process(cut, samples + at, piece, two + written, expected - written);
        at += piece;
    }
    written += (uint32_t)flush(cut, two + written, expected - written, 1 + (noise >> 8) % 300);
    REQUIRE(written == expected);
    REQUIRE(memcmp(one, two, expected * sizeof(float)) == 0);
    sa_resampler_reset(cut);
    REQUIRE(in_rate > 48000 || sa_resampler_bytes(cut) <= 4096);
    written = (uint32_t)process(cut, samples, length, two, expected);
    written += (uint32_t)flush(cut, two + written, expected - written, 1000);
    REQUIRE(written == expected && memcmp(one, two, expected * sizeof(float)) == 0);
    sa_resampler_free(whole);
    sa_resampler_free(cut);
    free(samples);
    free(one);
    free(two);
    return 0;
}
