/* Converts PCM bytes to float32 samples, one run a channel. See streamer_audio.h. */
#include "streamer_audio.h"

#include "kernel.h"

#include <stdlib.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "samples are read as little-endian words"
#endif

/* Frames of a block. All channels of a block are converted before the next block, so its bytes stay in the cache. */
#define BLOCK_FRAMES 512u

/* Converts `frames` samples, `stride` samples apart, from `source` on. Returns the bits SA_PCM_NOT_A_NUMBER and
 * SA_PCM_OUT_OF_RANGE of these samples. */
typedef uint32_t convert_fn(const uint8_t *restrict source, size_t stride, size_t frames, float *restrict out);

struct sa_pcm {
    uint32_t format;
    uint32_t channels;
    uint32_t sample_bytes;
    uint32_t frame_bytes;
    uint32_t pending; /* bytes of the incomplete frame */
    uint32_t flags;
    uint8_t *partial; /* the incomplete frame; room for frame_bytes */
    float *expansion; /* G.711 only: the value of each of the 256 codes */
};

/* ---- One sample of each format ----------------------------------------------------------------------------------- */

static inline float u8_sample(const uint8_t *at) { return (float)((int32_t)at[0] - 128) * (1.0f / 128); }

static inline float s16_sample(const uint8_t *at) {
    int16_t value;
    memcpy(&value, at, sizeof value);
    return (float)value * (1.0f / 32768);
}

static inline float s24_sample(const uint8_t *at) {
    uint32_t bits = (uint32_t)at[0] << 8 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 24;
    return (float)(int32_t)bits * (1.0f / 2147483648.0f);
}

static inline float s32_sample(const uint8_t *at) {
    int32_t value;
    memcpy(&value, at, sizeof value);
    return (float)value * (1.0f / 2147483648.0f);
}

static inline float f32_sample(const uint8_t *at) {
    float value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline float f64_sample(const uint8_t *at) {
    double value;
    memcpy(&value, at, sizeof value);
    return (float)value;
}

/* ---- Kernels. The strides of mono and stereo are constants, which makes vector loops of them --------------------- */

#define INTEGER_LOOP(sample, bytes, stride)                                                                            \
    for (size_t i = 0; i < frames; i++) out[i] = sample(source + i * (stride) * (bytes))

#define INTEGER_KERNEL(name, sample, bytes)                                                                            \
    static SA_KERNEL uint32_t name(const uint8_t *restrict source, size_t stride, size_t frames,                       \
                                   float *restrict out) {                                                              \
        if (stride == 1)                                                                                               \
            INTEGER_LOOP(sample, bytes, 1);                                                                            \
        else if (stride == 2)                                                                                          \
            INTEGER_LOOP(sample, bytes, 2);                                                                            \
        else                                                                                                           \
            INTEGER_LOOP(sample, bytes, stride);                                                                       \
        return 0;                                                                                                      \
    }

/* Floats are compared and limited as integers, which have the same order, without a branch: a vector loop again. */
#define INFINITE 0x7f800000
#define ONE 0x3f800000
#define LIMIT 0x41000000 /* 8 */

#define FLOAT_LOOP(sample, bytes, stride)                                                                              \
    for (size_t i = 0; i < frames; i++) {                                                                              \
        float value = sample(source + i * (stride) * (bytes));                                                         \
        int32_t bits;                                                                                                  \
        memcpy(&bits, &value, sizeof bits);                                                                            \
        int32_t magnitude = bits & INT32_MAX;                                                                          \
        int32_t bad = magnitude >= INFINITE ? -1 : 0;                                                                  \
        not_a_number |= bad;                                                                                           \
        out_of_range |= (magnitude > ONE ? -1 : 0) & ~bad;                                                             \
        magnitude = magnitude > LIMIT ? LIMIT : magnitude;                                                             \
        bits = ((bits & INT32_MIN) | magnitude) & ~bad;                                                                \
        memcpy(&value, &bits, sizeof value);                                                                           \
        out[i] = value;                                                                                                \
    }

#define FLOAT_KERNEL(name, sample, bytes)                                                                              \
    static SA_KERNEL uint32_t name(const uint8_t *restrict source, size_t stride, size_t frames,                       \
                                   float *restrict out) {                                                              \
        int32_t not_a_number = 0, out_of_range = 0;                                                                    \
        if (stride == 1)                                                                                               \
            FLOAT_LOOP(sample, bytes, 1)                                                                               \
        else if (stride == 2)                                                                                          \
            FLOAT_LOOP(sample, bytes, 2)                                                                               \
        else                                                                                                           \
            FLOAT_LOOP(sample, bytes, stride)                                                                          \
        return ((uint32_t)not_a_number & SA_PCM_NOT_A_NUMBER) | ((uint32_t)out_of_range & SA_PCM_OUT_OF_RANGE);        \
    }

INTEGER_KERNEL(convert_u8, u8_sample, 1)
INTEGER_KERNEL(convert_s16, s16_sample, 2)
INTEGER_KERNEL(convert_s24, s24_sample, 3)
INTEGER_KERNEL(convert_s32, s32_sample, 4)
FLOAT_KERNEL(convert_f32, f32_sample, 4)
FLOAT_KERNEL(convert_f64, f64_sample, 8)

static void expand(const float *restrict expansion, const uint8_t *restrict source, size_t stride, size_t frames,
                   float *restrict out) {
    for (size_t i = 0; i < frames; i++) out[i] = expansion[source[i * stride]];
}

/* ---- ITU-T G.711: codes to 16-bit values ------------------------------------------------------------------------- */

/* mu-law: 14-bit values scaled by 4; all bits of a code are inverted on the wire. */
static int32_t mulaw_value(uint32_t code) {
    uint32_t bits = ~code & 0xff;
    int32_t magnitude = (int32_t)((((bits & 0x0f) << 3) + 132) << ((bits & 0x70) >> 4)) - 132;
    return bits & 0x80 ? -magnitude : magnitude;
}

/* A-law: 13-bit values scaled by 8; even bits of a code are inverted on the wire. */
static int32_t alaw_value(uint32_t code) {
    uint32_t bits = code ^ 0x55;
    uint32_t exponent = (bits & 0x70) >> 4;
    uint32_t magnitude = ((bits & 0x0f) << 4) + 8;
    if (exponent > 0) magnitude = (magnitude + 256) << (exponent - 1);
    return bits & 0x80 ? (int32_t)magnitude : -(int32_t)magnitude;
}

/* ---- Formats ----------------------------------------------------------------------------------------------------- */

/* A format has a converter, or a function for the 16-bit value of each code of one byte. */
static const struct {
    uint32_t sample_bytes;
    convert_fn *convert;
    int32_t (*code_value)(uint32_t code);
} FORMATS[] = {
    [SA_PCM_U8] = {1, convert_u8, NULL},       [SA_PCM_S16] = {2, convert_s16, NULL},
    [SA_PCM_S24] = {3, convert_s24, NULL},     [SA_PCM_S32] = {4, convert_s32, NULL},
    [SA_PCM_F32] = {4, convert_f32, NULL},     [SA_PCM_F64] = {8, convert_f64, NULL},
    [SA_PCM_MULAW] = {1, NULL, mulaw_value},   [SA_PCM_ALAW] = {1, NULL, alaw_value},
};
_Static_assert(sizeof FORMATS / sizeof FORMATS[0] == SA_PCM_FORMATS, "every SA_PCM_* format has a converter");

/* ---- Handle ------------------------------------------------------------------------------------------------------ */

sa_pcm *sa_pcm_new(uint32_t format, uint32_t channels) {
    if (format >= SA_PCM_FORMATS || channels == 0 || channels > SA_MAX_CHANNELS) return NULL;
    int coded = FORMATS[format].code_value != NULL;
    uint32_t sample_bytes = FORMATS[format].sample_bytes;
    uint32_t frame_bytes = sample_bytes * channels;
    size_t expansion_bytes = coded ? 256 * sizeof(float) : 0;
    sa_pcm *pcm = malloc(sizeof *pcm + expansion_bytes + frame_bytes);
    if (pcm == NULL) return NULL;
    *pcm = (sa_pcm){.format = format, .channels = channels, .sample_bytes = sample_bytes, .frame_bytes = frame_bytes};
    pcm->partial = (uint8_t *)(pcm + 1) + expansion_bytes;
    if (coded) {
        pcm->expansion = (float *)(pcm + 1);
        for (uint32_t code = 0; code < 256; code++)
            pcm->expansion[code] = (float)FORMATS[format].code_value(code) * (1.0f / 32768);
    }
    return pcm;
}

/* Converts `frames` whole frames of `source` and writes them from frame `first` of each channel's run on. */
static void convert_frames(sa_pcm *pcm, const uint8_t *source, size_t frames, float *out, const uint32_t *out_offsets,
                           size_t first) {
    size_t stride = pcm->channels;
    for (size_t done = 0; done < frames;) {
        size_t block = frames - done < BLOCK_FRAMES || stride == 1 ? frames - done : BLOCK_FRAMES;
        for (uint32_t channel = 0; channel < pcm->channels; channel++) {
            const uint8_t *from = source + done * pcm->frame_bytes + (size_t)channel * pcm->sample_bytes;
            float *to = out + (size_t)out_offsets[channel] + first + done;
            if (pcm->expansion != NULL)
                expand(pcm->expansion, from, stride, block, to);
            else
                pcm->flags |= FORMATS[pcm->format].convert(from, stride, block, to);
        }
        done += block;
    }
}

int32_t sa_pcm_process(sa_pcm *pcm, const uint8_t *bytes, uint32_t byte_offset, uint32_t byte_length, float *out,
                       const uint32_t *out_offsets) {
    if (pcm == NULL || bytes == NULL || out == NULL || out_offsets == NULL || byte_length > SA_MAX_LENGTH) return -1;
    const uint8_t *source = bytes + byte_offset;
    size_t left = byte_length;
    size_t written = 0;
    if (pcm->pending > 0) {
        size_t missing = pcm->frame_bytes - pcm->pending;
        size_t taken = left < missing ? left : missing;
        memcpy(pcm->partial + pcm->pending, source, taken);
        pcm->pending += (uint32_t)taken;
        source += taken;
        left -= taken;
        if (pcm->pending < pcm->frame_bytes) return 0;
        convert_frames(pcm, pcm->partial, 1, out, out_offsets, 0);
        pcm->pending = 0;
        written = 1;
    }
    size_t frames = left / pcm->frame_bytes;
    convert_frames(pcm, source, frames, out, out_offsets, written);
    size_t consumed = frames * pcm->frame_bytes;
    pcm->pending = (uint32_t)(left - consumed);
    memcpy(pcm->partial, source + consumed, pcm->pending);
    return (int32_t)(written + frames);
}

uint32_t sa_pcm_frame_bytes(const sa_pcm *pcm) { return pcm == NULL ? 0 : pcm->frame_bytes; }

uint32_t sa_pcm_pending(const sa_pcm *pcm) { return pcm == NULL ? 0 : pcm->pending; }

uint32_t sa_pcm_flags(const sa_pcm *pcm) { return pcm == NULL ? 0 : pcm->flags; }

uint32_t sa_pcm_flush(sa_pcm *pcm) {
    if (pcm == NULL) return 0;
    uint32_t dropped = pcm->pending;
    pcm->pending = 0;
    return dropped;
}

void sa_pcm_reset(sa_pcm *pcm) {
    if (pcm == NULL) return;
    pcm->pending = 0;
    pcm->flags = 0;
}

void sa_pcm_free(sa_pcm *pcm) { free(pcm); }
