/* Images: a restored chain goes on with the same bits, and a damaged image is refused or does no harm. */
#include "../streamer_audio.h"

#include "input.h"

#define MOST_CHANNELS 3u
#define MOST_BYTES 20000u
#define ROOM 64u

static uint32_t format, channels, in_rate, out_rate, detects;

static uint32_t take_rate(fuzz_input *input) {
    static const uint32_t RATES[] = {4000, 8000, 16000, 44100, 48000, 384000};
    return take(input, 0, 3) > 0 ? RATES[take(input, 0, 5)] : take(input, SA_MIN_RATE, SA_MAX_RATE);
}

typedef struct {
    sa_chain *chain;
    sa_vad *vads[MOST_CHANNELS];
} stream;

static stream open_stream(void) {
    stream opened = {sa_chain_new(format, channels, in_rate, out_rate), {NULL}};
    REQUIRE(opened.chain != NULL);
    for (uint32_t channel = 0; channel < channels && detects; channel++) {
        opened.vads[channel] = sa_vad_new(out_rate, 10, -70);
        REQUIRE(sa_chain_detect(opened.chain, channel, opened.vads[channel]) == 0);
    }
    return opened;
}

static void close_stream(stream *opened) {
    sa_chain_free(opened->chain);
    for (uint32_t channel = 0; channel < channels; channel++) sa_vad_free(opened->vads[channel]);
}

/* A checksum of everything that a call returns. */
static uint64_t checksum(uint64_t sum, const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) sum = (sum ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
    return sum;
}

/* Feeds bytes, with runs of exactly ROOM samples. Returns the bytes read: all, or those up to `most` calls. */
static uint32_t feed(stream *opened, const uint8_t *bytes, uint32_t length, uint32_t most, uint64_t *sum) {
    float *out = block((size_t)ROOM * channels * sizeof(float));
    uint32_t offsets[MOST_CHANNELS];
    uint8_t *speech = block(channels * SA_CHAIN_WINDOWS);
    float *level_db = block(channels * SA_CHAIN_WINDOWS * sizeof(float));
    uint32_t at = 0;
    for (uint32_t channel = 0; channel < channels; channel++) offsets[channel] = channel * ROOM;
    for (uint32_t calls = 0; calls < most && (at < length || sa_chain_spilled(opened->chain) > 0); calls++) {
        sa_chain_report report;
        int32_t read = sa_chain_process(opened->chain, bytes, at, length - at, out, offsets, ROOM, &report, speech, level_db);
        REQUIRE(read >= 0 && report.samples <= ROOM);
        at += (uint32_t)read;
        for (uint32_t channel = 0; channel < channels; channel++) {
            *sum = checksum(*sum, out + offsets[channel], report.samples * sizeof(float));
            if (detects) *sum = checksum(*sum, speech + channel * SA_CHAIN_WINDOWS, report.windows);
        }
        *sum = checksum(*sum, &report.observed, sizeof report.observed);
        *sum = checksum(*sum, &report.flags, sizeof report.flags);
    }
    free(out);
    free(speech);
    free(level_db);
    return at;
}

typedef uint32_t save_fn(const void *handle, uint8_t *image, uint32_t capacity);
typedef int32_t restore_fn(void *handle, const uint8_t *image, uint32_t length);

/* A handle takes its own image, none that is cut, and of any others only those with a state that it can have: it takes
 * what it then saves. */
static void single_handle(fuzz_input *input, void *handle, save_fn *save, restore_fn *restore) {
    uint32_t size = save(handle, NULL, 0);
    uint8_t *image = block(size), *again = block(size);
    REQUIRE(save(handle, image, size) == size && restore(handle, image, size) == 0);
    REQUIRE(restore(handle, image, take(input, 0, size - 1)) == -1);
    uint32_t damages = take(input, 1, 6);
    for (uint32_t i = 0; i < damages; i++) image[take(input, 0, size - 1)] = (uint8_t)take(input, 0, 255);
    if (restore(handle, image, size) == 0) {
        REQUIRE(save(handle, again, size) == size && restore(handle, again, size) == 0);
    }
    free(image);
    free(again);
}

static uint32_t save_resampler(const void *handle, uint8_t *image, uint32_t capacity) {
    return sa_resampler_save(handle, image, capacity);
}
static int32_t restore_resampler(void *handle, const uint8_t *image, uint32_t length) {
    return sa_resampler_restore(handle, image, length);
}
static uint32_t save_vad(const void *handle, uint8_t *image, uint32_t capacity) {
    return sa_vad_save(handle, image, capacity);
}
static int32_t restore_vad(void *handle, const uint8_t *image, uint32_t length) {
    return sa_vad_restore(handle, image, length);
}
static uint32_t save_inspector(const void *handle, uint8_t *image, uint32_t capacity) {
    return sa_inspector_save(handle, image, capacity);
}
static int32_t restore_inspector(void *handle, const uint8_t *image, uint32_t length) {
    return sa_inspector_restore(handle, image, length);
}

/* After a restored state of any numbers, the next call stays within its buffers. */
static void single_handles(fuzz_input *input) {
    float in[700], level_db[8];
    uint8_t speech[8];
    uint32_t offset = 0, noise = take(input, 0, UINT32_MAX);
    for (uint32_t i = 0; i < 700; i++) {
        noise = noise * 1664525u + 1013904223u;
        in[i] = (float)(int32_t)noise / (float)(1u << 31);
    }
    sa_resampler *resampler = sa_resampler_new(in_rate, out_rate);
    sa_vad *vad = sa_vad_new(8000, 10, -70);
    sa_inspector *inspector = sa_inspector_new(in_rate, 1);
    REQUIRE(resampler != NULL && vad != NULL && inspector != NULL);
    for (uint32_t round = 0; round < 2; round++) {
        uint32_t length = take(input, 0, 500), room = sa_resampler_max_output(resampler, length);
        float *out = block(room * sizeof(float));
        REQUIRE(sa_resampler_process(resampler, in, 0, length, out, 0) == (int32_t)room);
        REQUIRE(sa_vad_process(vad, in, 0, length, speech, level_db) <= 8);
        sa_inspector_process(inspector, in, &offset, length);
        free(out);
        single_handle(input, resampler, save_resampler, restore_resampler);
        single_handle(input, vad, save_vad, restore_vad);
        single_handle(input, inspector, save_inspector, restore_inspector);
    }
    float *rest = block(20000 * sizeof(float));
    while (sa_resampler_flush(resampler, rest, 0, 20000) == 20000) continue;
    free(rest);
    sa_resampler_free(resampler);
    sa_vad_free(vad);
    sa_inspector_free(inspector);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    format = take(&input, 0, SA_PCM_FORMATS - 1);
    channels = take(&input, 1, MOST_CHANNELS);
    in_rate = take_rate(&input);
    out_rate = take(&input, 0, 2) > 0 ? take_rate(&input) : in_rate;
    detects = take(&input, 0, 3) > 0;
    uint32_t length = take(&input, 0, MOST_BYTES), first = take(&input, 0, 400);
    uint8_t *bytes = block(length);
    uint32_t noise = take(&input, 0, UINT32_MAX);
    for (uint32_t i = 0; i < length; i++) {
        noise = noise * 1664525u + 1013904223u;
        bytes[i] = noise >> 12 & 0x300 ? (uint8_t)(noise >> 24) : 0xff;
    }
    stream one = open_stream(), two = open_stream();
    uint64_t before = 0, after_one = 0, after_two = 0;
    uint32_t at = feed(&one, bytes, length, first, &before);

    /* The image has exactly the announced size, and none is written where there is no room for it. */
    uint32_t bytes_needed = sa_chain_save(one.chain, NULL, 0);
    REQUIRE(bytes_needed > 0);
    uint8_t *image = block(bytes_needed), *small = block(bytes_needed - 1);
    REQUIRE(sa_chain_save(one.chain, image, bytes_needed) == bytes_needed);
    REQUIRE(sa_chain_save(one.chain, small, bytes_needed - 1) == bytes_needed);
    free(small);

    /* The bytes of an incomplete frame are not part of it. */
    sa_pcm *pcm = sa_pcm_new(format, channels);
    uint32_t remainder = at % sa_pcm_frame_bytes(pcm);
    sa_pcm_free(pcm);
    REQUIRE(sa_chain_restore(two.chain, image, bytes_needed) == 0);
    REQUIRE(sa_chain_spilled(two.chain) == sa_chain_spilled(one.chain));
    feed(&one, bytes + at, length - at, UINT32_MAX, &after_one);
    feed(&two, bytes + at - remainder, length - at + remainder, UINT32_MAX, &after_two);
    REQUIRE(remainder > 0 || after_one == after_two);

    /* Damage: any length, any byte. */
    REQUIRE(sa_chain_restore(two.chain, image, take(&input, 0, bytes_needed - 1)) == -1);
    uint32_t damages = take(&input, 1, 4);
    for (uint32_t i = 0; i < damages; i++) image[take(&input, 0, bytes_needed - 1)] = (uint8_t)take(&input, 0, 255);
    sa_chain_restore(two.chain, image, bytes_needed);
    feed(&two, bytes, length, UINT32_MAX, &after_two);
    free(image);
    single_handles(&input);
    close_stream(&one);
    close_stream(&two);
    free(bytes);
    return 0;
}
