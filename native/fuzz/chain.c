/* Chain: the same bits as those of the single functions, whatever the cut and the room, and nothing outside the runs. */
#include "../streamer_audio.h"

#include "input.h"

#define MOST_CHANNELS 3u
#define MOST_SAMPLES 20000u

static uint32_t take_rate(fuzz_input *input) {
    static const uint32_t RATES[] = {4000, 8000, 16000, 44100, 48000, 384000};
    return take(input, 0, 3) > 0 ? RATES[take(input, 0, 5)] : take(input, SA_MIN_RATE, SA_MAX_RATE);
}

/* The samples and decisions of every channel. */
typedef struct {
    float samples[MOST_CHANNELS][MOST_SAMPLES];
    uint32_t length;
    uint8_t speech[MOST_CHANNELS][MOST_SAMPLES];
    float level_db[MOST_CHANNELS][MOST_SAMPLES];
    uint32_t windows;
    uint32_t observed, flags;
    int32_t clipped;
} result;

static uint32_t format, channels, in_rate, out_rate;

static void single_functions(const uint8_t *bytes, uint32_t length, result *found) {
    sa_pcm *pcm = sa_pcm_new(format, channels);
    sa_inspector *inspector = sa_inspector_new(in_rate, channels);
    uint32_t frames = length / sa_pcm_frame_bytes(pcm);
    float *converted = block((size_t)frames * channels * sizeof(float));
    uint32_t offsets[MOST_CHANNELS];
    for (uint32_t channel = 0; channel < channels; channel++) offsets[channel] = channel * frames;
    REQUIRE(sa_pcm_process(pcm, bytes, 0, length, converted, offsets) == (int32_t)frames);
    found->observed = sa_inspector_process(inspector, converted, offsets, frames);
    found->clipped = sa_inspector_channel(inspector, SA_INSPECT_CLIPPING);
    found->flags = sa_pcm_flags(pcm);
    for (uint32_t channel = 0; channel < channels; channel++) {
        sa_resampler *resampler = sa_resampler_new(in_rate, out_rate);
        sa_vad *vad = sa_vad_new(out_rate, 10, -70);
        float *out = found->samples[channel];
        int32_t count = sa_resampler_process(resampler, converted, offsets[channel], frames, out, 0);
        REQUIRE(count >= 0);
        count += sa_resampler_flush(resampler, out, (uint32_t)count, MOST_SAMPLES - (uint32_t)count);
        found->length = (uint32_t)count;
        found->windows =
            (uint32_t)sa_vad_process(vad, out, 0, found->length, found->speech[channel], found->level_db[channel]);
        sa_resampler_free(resampler);
        sa_vad_free(vad);
    }
    sa_pcm_free(pcm);
    sa_inspector_free(inspector);
    free(converted);
}

/* Calls `process`, or `flush` when `bytes` is NULL, with runs of exactly `room` samples. Returns what it returns. */
static int32_t call(sa_chain *chain, const uint8_t *bytes, uint32_t length, uint32_t room, int detects, result *found) {
    float *out = block((size_t)room * channels * sizeof(float));
    uint32_t *offsets = block(channels * sizeof(uint32_t));
    uint8_t *speech = block(channels * SA_CHAIN_WINDOWS);
    float *level_db = block(channels * SA_CHAIN_WINDOWS * sizeof(float));
    sa_chain_report *report = block(sizeof *report);
    for (uint32_t channel = 0; channel < channels; channel++) offsets[channel] = channel * room;
    int32_t answer = bytes == NULL ? sa_chain_flush(chain, out, offsets, room, report, speech, level_db)
                                   : sa_chain_process(chain, bytes, 0, length, out, offsets, room, report, speech, level_db);
    REQUIRE(answer >= 0 && report->samples <= room && report->windows <= SA_CHAIN_WINDOWS);
    REQUIRE(found->length + report->samples <= MOST_SAMPLES);
    for (uint32_t channel = 0; channel < channels; channel++) {
        memcpy(found->samples[channel] + found->length, out + offsets[channel], report->samples * sizeof(float));
        if (!detects) continue;
        memcpy(found->speech[channel] + found->windows, speech + channel * SA_CHAIN_WINDOWS, report->windows);
        memcpy(found->level_db[channel] + found->windows, level_db + channel * SA_CHAIN_WINDOWS,
               report->windows * sizeof(float));
    }
    found->length += report->samples;
    found->windows += report->windows;
    found->observed = report->observed;
    found->flags = report->flags;
    free(out);
    free(offsets);
    free(speech);
    free(level_db);
    free(report);
    return answer;
}

static void in_pieces(fuzz_input *input, sa_chain *chain, const uint8_t *bytes, uint32_t length, int detects,
                      result *found) {
    memset(found, 0, sizeof *found);
    for (uint32_t at = 0; at < length || sa_chain_spilled(chain) > 0;) {
        uint32_t piece = input->size == 0 ? length - at : take(input, 0, 5000);
        if (piece > length - at) piece = length - at;
        uint32_t room = input->size == 0 ? SA_SLAB_SAMPLES : take(input, 0, 1) ? take(input, 1, 9) : take(input, 1, 4096);
        uint8_t *message = block_copy(bytes + at, piece);
        uint32_t before = found->length;
        uint32_t read = (uint32_t)call(chain, message, piece, room, detects, found);
        REQUIRE(read == piece || found->length == before + room);
        at += read;
        free(message);
    }
    while (call(chain, NULL, 0, 1 + found->length % 300, detects, found) > 0) continue;
    found->clipped = sa_chain_channel(chain, SA_INSPECT_CLIPPING);
}

static void require_equal(const result *one, const result *two, int detects) {
    REQUIRE(one->length == two->length && one->observed == two->observed && one->flags == two->flags);
    REQUIRE(one->clipped == two->clipped && (!detects || one->windows == two->windows));
    for (uint32_t channel = 0; channel < channels; channel++) {
        REQUIRE(memcmp(one->samples[channel], two->samples[channel], one->length * sizeof(float)) == 0);
        if (!detects) continue;
        REQUIRE(memcmp(one->speech[channel], two->speech[channel], one->windows) == 0);
        REQUIRE(memcmp(one->level_db[channel], two->level_db[channel], one->windows * sizeof(float)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    format = take(&input, 0, SA_PCM_FORMATS - 1);
    channels = take(&input, 1, MOST_CHANNELS);
    in_rate = take_rate(&input);
    out_rate = take(&input, 0, 2) > 0 ? take_rate(&input) : in_rate;
    int detects = take(&input, 0, 3) > 0;
    sa_chain *chain = sa_chain_new(format, channels, in_rate, out_rate);
    sa_vad *vads[MOST_CHANNELS] = {NULL};
    REQUIRE(chain != NULL);
    for (uint32_t channel = 0; channel < channels && detects; channel++) {
        vads[channel] = sa_vad_new(out_rate, 10, -70);
        REQUIRE(sa_chain_detect(chain, channel, vads[channel]) == 0);
    }
    sa_pcm *pcm = sa_pcm_new(format, channels);
    uint32_t most = (uint32_t)((uint64_t)(MOST_SAMPLES - 1000) * in_rate / out_rate);
    uint32_t frames = take(&input, 0, most < 9000 ? most : 9000);
    uint32_t length = frames * sa_pcm_frame_bytes(pcm) + take(&input, 0, sa_pcm_frame_bytes(pcm) - 1);
    sa_pcm_free(pcm);
    uint8_t *bytes = block(length);
    uint32_t noise = take(&input, 0, UINT32_MAX);
    for (uint32_t i = 0; i < length; i++) {
        noise = noise * 1664525u + 1013904223u;
        bytes[i] = noise >> 12 & 0x300 ? (uint8_t)(noise >> 24) : 0xff;
    }
    result *expected = calloc(1, sizeof *expected), *found = block(sizeof *found);
    REQUIRE(expected != NULL);
    single_functions(bytes, length, expected);
    in_pieces(&input, chain, bytes, length, detects, found);
    require_equal(expected, found, detects);
    sa_chain_reset(chain);
    in_pieces(&input, chain, bytes, length, detects, found);
    require_equal(expected, found, detects);
    sa_chain_free(chain);
    for (uint32_t channel = 0; channel < channels; channel++) sa_vad_free(vads[channel]);
    free(bytes);
    free(expected);
    free(found);
    return 0;
}
