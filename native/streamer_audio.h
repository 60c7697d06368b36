/*
 * streamer_audio: the hot path of Streamer in C. PCM in, voice activity out.
 *
 * Vocabulary
 *   sample   one number of one channel, float32, full scale at -1 and 1
 *   frame    one sample of every channel
 *   window   the fixed stretch that the voice activity detector decides about (10 ms)
 *
 * Rules that every function keeps
 *   - A handle is opaque. Five verbs: new, process, flush, reset, free. Only `new` allocates; `free(NULL)` does nothing.
 *   - No buffer is kept after a call returns. No global state but the resampler's table of shared filters. Nothing prints.
 *   - `process` consumes all of its input. What does not make a whole frame, output sample or window yet stays in the
 *     handle, so that results do not depend on how the input was cut: the same input gives the same bits.
 *   - Audio buffers are passed as a base address and an index, so that a caller with one large shared memory
 *     passes it as it is. Indices and lengths are in samples, except where "bytes" is said.
 *   - Input and output must not overlap.
 *   - A handle belongs to one thread at a time; different handles may be used by different threads at once.
 *   - A NULL handle or buffer, or an argument out of range, is answered by NULL, 0 or -1 as each function says;
 *     nothing is read or written then.
 */
#ifndef STREAMER_AUDIO_H
#define STREAMER_AUDIO_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SA_API __attribute__((visibility("default")))
#else
#define SA_API
#endif

/* Version of this interface; the caller compares it with the one that it was written for. */
#define SA_ABI_VERSION 1u
SA_API uint32_t sa_abi_version(void);

/* ---- PCM: interleaved bytes to one run of float32 samples a channel ---------------------------------------------- */

/* Sample formats, all little-endian. Integers of n bits are divided by 2^(n-1) (u8 after subtracting 128); mu-law and
 * A-law are expanded by ITU-T G.711 to 16 bits and divided by 32768. f64 is narrowed to f32. A float that is not a number or
 * infinite, before or after narrowing, becomes 0; a finite one, narrowed, is limited to -8 .. 8. */
#define SA_PCM_U8 0u
#define SA_PCM_S16 1u
#define SA_PCM_S24 2u
#define SA_PCM_S32 3u
#define SA_PCM_F32 4u
#define SA_PCM_F64 5u
#define SA_PCM_MULAW 6u
#define SA_PCM_ALAW 7u
#define SA_PCM_FORMATS 8u /* how many there are */

#define SA_MAX_CHANNELS 256u

/* What has been met since `new` or `reset`, as bits. */
#define SA_PCM_NOT_A_NUMBER 1u /* a float was NaN or infinite and became 0 */
#define SA_PCM_OUT_OF_RANGE 2u /* a finite float was beyond -1 .. 1 */

typedef struct sa_pcm sa_pcm;

/* format: one of SA_PCM_*; channels: 1 .. SA_MAX_CHANNELS. NULL: an argument out of range, or no memory. */
SA_API sa_pcm *sa_pcm_new(uint32_t format, uint32_t channels);

/* Converts bytes[byte_offset .. byte_offset + byte_length), continuing a frame that an earlier call left incomplete.
 * Sample i of channel c is written to out[out_offsets[c] + i]. byte_length: at most 2^30.
 * Returns the number of frames written to every channel: (pending + byte_length) / bytes of a frame, rounded down;
 * -1: an argument out of range. */
SA_API int32_t sa_pcm_process(sa_pcm *pcm, const uint8_t *bytes, uint32_t byte_offset, uint32_t byte_length, float *out,
                              const uint32_t *out_offsets);

/* Bytes of an incomplete frame held: 0 .. bytes of a frame - 1. */
SA_API uint32_t sa_pcm_pending(const sa_pcm *pcm);

/* Bits SA_PCM_NOT_A_NUMBER | SA_PCM_OUT_OF_RANGE. */
SA_API uint32_t sa_pcm_flags(const sa_pcm *pcm);

/* Drops the incomplete frame; returns how many bytes it had. */
SA_API uint32_t sa_pcm_flush(sa_pcm *pcm);
SA_API void sa_pcm_reset(sa_pcm *pcm);
SA_API void sa_pcm_free(sa_pcm *pcm);

/* ---- Inspector: what is suspicious about audio, looked at before resampling -------------------------------------- */

#define SA_INSPECT_CLIPPING 1u  /* a channel stayed at the same value at or beyond 0.999 of full scale, either sign, for 4 or
                                   more consecutive samples, at least 10 times within one second: the fourth sample of
                                   the tenth such run comes less than sample_rate samples after that of the first */
#define SA_INSPECT_SILENCE 2u   /* a channel was exactly 0 for 10 * sample_rate samples without a break */
#define SA_INSPECT_IDENTICAL 4u /* two or more channels, all of them equal to the first in every one of 10 * sample_rate
                                   frames, of which the first was not silent (silence before does not count, silence in
                                   between does) */

typedef struct sa_inspector sa_inspector;

/* sample_rate: 4000 .. 384000 Hz; channels: 1 .. SA_MAX_CHANNELS. NULL: out of range, or no memory. */
SA_API sa_inspector *sa_inspector_new(uint32_t sample_rate, uint32_t channels);

/* Reads `frames` samples of each channel, sample i of channel c at samples[offsets[c] + i].
 * Returns the bits SA_INSPECT_* observed since `new` or `reset`. */
SA_API uint32_t sa_inspector_process(sa_inspector *inspector, const float *samples, const uint32_t *offsets, uint32_t frames);

/* bit: one SA_INSPECT_*. The channel in which it was first observed, the lowest if in several at the same frame; -1 if it
 * was not or is not of one channel. Neither bits nor channels depend on how the input was cut. */
SA_API int32_t sa_inspector_channel(const sa_inspector *inspector, uint32_t bit);
SA_API void sa_inspector_reset(sa_inspector *inspector);
SA_API void sa_inspector_free(sa_inspector *inspector);

/* ---- Resampler: one channel from one integer rate to another ----------------------------------------------------- */

/* Polyphase windowed sinc, linear phase, delay compensated: output sample k lies at input position k * in / out.
 * After `flush` exactly round(n * out_rate / in_rate) samples, halves up, have been written for n samples read.
 * With m = min(in_rate, out_rate): flat within 0.1 dB up to 0.4375 m, at least 100 dB down from 0.5 m. An output is written
 * as soon as the input reaches 35 / m seconds beyond it (8.7 ms for m = 4000). */
#define SA_MIN_RATE 4000u
#define SA_MAX_RATE 384000u

typedef struct sa_resampler sa_resampler;

/* Rates in Hz, SA_MIN_RATE .. SA_MAX_RATE, equal ones allowed (samples pass through unchanged).
 * NULL: out of range, or no memory. */
SA_API sa_resampler *sa_resampler_new(uint32_t in_rate, uint32_t out_rate);

/* The most samples that the next `process` may be given without writing more than max_output. At most 2^30. */
SA_API uint32_t sa_resampler_max_input(const sa_resampler *resampler, uint32_t max_output);

/* The number of samples that the next `process` will write for `length` samples: exact, 0 .. INT32_MAX. A length that would
 * give more, or of more than 2^30, is answered by UINT32_MAX, and by -1 from `process`. */
SA_API uint32_t sa_resampler_max_output(const sa_resampler *resampler, uint32_t length);

/* Reads in[in_offset .. in_offset + length), writes from out[out_offset]. Returns the number of samples written,
 * -1: an argument out of range. */
SA_API int32_t sa_resampler_process(sa_resampler *resampler, const float *in, uint32_t in_offset, uint32_t length, float *out,
                                    uint32_t out_offset);

/* Ends the input and writes up to `capacity` of the samples that are still owed. Returns how many; call again until 0.
 * After the first `flush`, `process` returns -1 until `reset`. */
SA_API int32_t sa_resampler_flush(sa_resampler *resampler, float *out, uint32_t out_offset, uint32_t capacity);
SA_API void sa_resampler_reset(sa_resampler *resampler);
SA_API void sa_resampler_free(sa_resampler *resampler);

/* Memory of this handle in bytes, without the filter that it shares with others of the same pair: at most 4 KiB up to
 * 48 kHz in, in proportion above. */
SA_API uint32_t sa_resampler_bytes(const sa_resampler *resampler);

/* Memory of the shared filter in bytes: at most 1 MiB; 0 for equal rates. The filters of the 16 latest pairs are kept. */
SA_API uint32_t sa_resampler_filter_bytes(const sa_resampler *resampler);

/* ---- VAD: speech or not, window by window ------------------------------------------------------------------------ */

typedef struct sa_vad sa_vad;

/* sample_rate: SA_MIN_RATE .. SA_MAX_RATE Hz; threshold_db: 3 .. 40, how far speech must stand above the tracked noise
 * floor. NULL: out of range, or no memory. */
SA_API sa_vad *sa_vad_new(uint32_t sample_rate, float threshold_db);

/* Samples of a window: round(sample_rate / 100). Window i covers samples [i * window, (i + 1) * window). */
SA_API uint32_t sa_vad_window(const sa_vad *vad);

/* The number of windows that the next `process` will complete when given `length` samples. */
SA_API uint32_t sa_vad_max_output(const sa_vad *vad, uint32_t length);

/* Reads samples[offset .. offset + length). For each window completed writes speech[i] (1 speech, 0 not) and level_db[i]
 * (energy of the window after removal of DC and hum, dBFS, -120 .. 30; NULL if not wanted).
 * Returns the number of windows completed, -1: an argument out of range. */
SA_API int32_t sa_vad_process(sa_vad *vad, const float *samples, uint32_t offset, uint32_t length, uint8_t *speech,
                              float *level_db);

/* Drops the samples of the incomplete window; returns how many they were: 0 .. window - 1. */
SA_API uint32_t sa_vad_flush(sa_vad *vad);
SA_API void sa_vad_reset(sa_vad *vad);
SA_API void sa_vad_free(sa_vad *vad);

#ifdef __cplusplus
}
#endif
#endif
