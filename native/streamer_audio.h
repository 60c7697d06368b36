/*
 * streamer_audio: the audio functions of Streamer in C. Bytes in, resampled samples and speech decisions out. At the end:
 * what the processes of one server share.
 *
 * Call sequence for one channel of 16-bit audio at 48 kHz and a model at 16 kHz:
 *
 *     sa_pcm *pcm = sa_pcm_new(SA_PCM_S16, 1);
 *     sa_inspector *inspector = sa_inspector_new(48000, 1);
 *     sa_resampler *resampler = sa_resampler_new(48000, 16000);
 *     sa_vad *vad = sa_vad_new(16000, 10.0f, -70.0f);
 *
 *     for each message:
 *         frames = sa_pcm_process(pcm, bytes, 0, byte_length, samples, offsets);
 *         bits = sa_inspector_process(inspector, samples, offsets, frames);
 *         count = sa_resampler_process(resampler, samples, offsets[0], frames, out, 0);
 *         windows = sa_vad_process(vad, out, 0, count, speech, level_db);
 *
 *     at the end of the stream:
 *         trailing_bytes = sa_pcm_flush(pcm);
 *         while ((count = sa_resampler_flush(resampler, out, 0, capacity)) > 0)
 *             windows = sa_vad_process(vad, out, 0, count, speech, level_db);
 *
 *     sa_*_reset makes a handle like new, sa_*_free releases it. sa_chain_process does what is in the first loop for all
 *     channels of a stream, in one call.
 *
 * Vocabulary
 *   sample   one number of one channel; decoded ones are float32, full scale is -1 to 1
 *   frame    one sample of every channel
 *   window   the 10 ms that the voice activity detector decides about
 *   dBFS     10 log10 of the mean square of samples: 0 for a full-scale square wave, -3.01 for a full-scale sine
 *
 * Rules for all functions
 *   - Handles are opaque. The caller owns a handle from `new` to `free`. Only `new` allocates, and an arena as it is
 *     used. `free` accepts NULL.
 *   - The caller owns all buffers. No buffer is used after a call has returned. Input and output must not overlap.
 *   - A buffer is passed as a base address and an index, so that a caller with one large memory, such as an arena,
 *     passes that memory as it is. Indices and lengths count samples, those called "byte" count bytes.
 *   - `process` consumes all of its input. The handle keeps the rest of an incomplete frame, output sample or window,
 *     so results do not depend on how the input is cut: the same input gives the same bits.
 *   - `flush` ends the input: it writes what remains, or drops what cannot be completed and returns how much that was.
 *   - A NULL handle or buffer, or an argument out of range, is answered by NULL, 0 or -1, as stated for each function.
 *     Nothing is read or written then.
 *   - A handle belongs to one thread at a time. Different handles can be used on different threads at the same time.
 *   - The only global state is what handles share: the filters of resamplers, and constants of detectors. Nothing
 *     prints.
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

/* Version of this interface. The caller compares the library's with the one that it was written for. */
#define SA_ABI_VERSION 8u

/* Sample rates, Hz. */
#define SA_MIN_RATE 4000u
#define SA_MAX_RATE 384000u

#define SA_MAX_CHANNELS 256u

/* Most bytes or samples of one call: 2^30. */
#define SA_MAX_LENGTH (1u << 30)

/* Returns SA_ABI_VERSION as it was when the library was built. */
SA_API uint32_t sa_abi_version(void);

/* Images: `save` writes the state of a handle as bytes, and `restore` sets a handle of the same kind to it, so that it
 * goes on with the same bits. An image is read only by the version of the library, and by handles with the arguments,
 * that it was written with; every number in it is checked. Its bytes are otherwise nobody's business. For all kinds:
 *   save     returns the bytes of the image, which is written if it fits into `capacity`; image may be NULL, to learn
 *            the size; 0 for NULL and after `flush`
 *   restore  returns 0; -1 when the bytes are no image for this handle, which stays as it was (a chain is reset) */

/* ---- Arena: the memory of all buffered audio --------------------------------------------------------------------- */

/* Slabs of float32 samples, one after the other: sample i of slab s is base[s * SA_SLAB_SAMPLES + i]. The memory is a
 * memfd, mapped shared. Its address space is reserved at once; a page costs memory from the first access until it is
 * given back. Samples that were never written, or were given back, are 0. Who uses which slab is the caller's business.
 * Any thread may read and write the samples. A child process may inherit the file and map it. */
typedef struct sa_arena sa_arena;

#define SA_SLAB_SAMPLES 4096u /* 16 KiB */
#define SA_MAX_SLABS (1u << 20) /* 16 GiB: an index of a sample has 32 bits */

/* slabs: 1 to SA_MAX_SLABS.
 * Returns NULL when the argument is out of range, or there is no memory or address space. */
SA_API sa_arena *sa_arena_new(uint32_t slabs);

/* Returns the address of the first sample, the same until `free`; NULL for NULL. */
SA_API float *sa_arena_base(const sa_arena *arena);

/* Returns the file descriptor of the memory, which belongs to the arena and is closed on exec; -1 for NULL. */
SA_API int32_t sa_arena_fd(const sa_arena *arena);

/* Gives the memory of slabs first .. first + count - 1 back to the system, as far as they fill whole pages. Their
 * samples become 0.
 * Returns 0; -1 when slabs are out of range, the system refuses, and for NULL. */
SA_API int32_t sa_arena_give_back(sa_arena *arena, uint32_t first, uint32_t count);

/* Returns the memory that the arena occupies, in KiB; 0 for NULL. */
SA_API uint32_t sa_arena_resident(const sa_arena *arena);

/* Unmaps the memory. No thread may use it any more. */
SA_API void sa_arena_free(sa_arena *arena);

/* Maps the memory of an arena in a child process, which has inherited its file, for reading. It stays mapped.
 * Returns the address of the first sample; NULL when slabs is not 1 to SA_MAX_SLABS, the file is smaller, or it cannot be
 * mapped. */
SA_API const float *sa_arena_map(int32_t fd, uint32_t slabs);

/* Copies from[from_index .. from_index + length) to `to`, from to[to_index] on. Copies nothing when a buffer is NULL. */
SA_API void sa_copy(const float *from, uint32_t from_index, float *to, uint32_t to_index, uint32_t length);

/* ---- PCM: interleaved bytes to one run of float32 samples a channel ---------------------------------------------- */

/* Sample formats, all little-endian. Integers of n bits are divided by 2^(n-1), u8 after subtracting 128. mu-law and
 * A-law are expanded to 16 bits (ITU-T G.711) and divided by 32768. f64 is narrowed to f32. A float that is NaN or
 * infinite, before or after narrowing, becomes 0. A finite float, after narrowing, is limited to -8 to 8. */
#define SA_PCM_U8 0u
#define SA_PCM_S16 1u
#define SA_PCM_S24 2u
#define SA_PCM_S32 3u
#define SA_PCM_F32 4u
#define SA_PCM_F64 5u
#define SA_PCM_MULAW 6u
#define SA_PCM_ALAW 7u
#define SA_PCM_FORMATS 8u /* number of formats */

/* Flags: faults of the samples since `new` or `reset`. */
#define SA_PCM_NOT_A_NUMBER 1u /* a float was NaN or infinite and became 0 */
#define SA_PCM_OUT_OF_RANGE 2u /* a finite float was beyond -1 to 1 */

typedef struct sa_pcm sa_pcm;

/* format: one of SA_PCM_*, less than SA_PCM_FORMATS. channels: 1 to SA_MAX_CHANNELS.
 * Returns NULL when an argument is out of range or there is no memory. */
SA_API sa_pcm *sa_pcm_new(uint32_t format, uint32_t channels);

/* Converts bytes[byte_offset .. byte_offset + byte_length), after the bytes of an incomplete frame of the call
 * before. byte_length: 0 to SA_MAX_LENGTH. Sample i of channel c is written to out[out_offsets[c] + i];
 * `out_offsets` has an entry for each channel.
 * Returns the number of frames, (pending + byte_length) / bytes of a frame, rounded down; -1 when an argument is
 * NULL or out of range. */
SA_API int32_t sa_pcm_process(sa_pcm *pcm, const uint8_t *bytes, uint32_t byte_offset, uint32_t byte_length, float *out,
                              const uint32_t *out_offsets);

/* Returns the bytes of a frame; 0 for NULL. */
SA_API uint32_t sa_pcm_frame_bytes(const sa_pcm *pcm);

/* Returns the bytes of the incomplete frame: 0 to bytes of a frame - 1; 0 for NULL. */
SA_API uint32_t sa_pcm_pending(const sa_pcm *pcm);

/* Returns the bits SA_PCM_NOT_A_NUMBER and SA_PCM_OUT_OF_RANGE; 0 for NULL. */
SA_API uint32_t sa_pcm_flags(const sa_pcm *pcm);

/* Drops the incomplete frame. Returns the number of its bytes; 0 for NULL. */
SA_API uint32_t sa_pcm_flush(sa_pcm *pcm);

SA_API void sa_pcm_reset(sa_pcm *pcm);
SA_API void sa_pcm_free(sa_pcm *pcm);

/* ---- Inspector: observes suspicious audio before resampling ------------------------------------------------------ */

/* A channel clipped: it kept one value at or beyond 0.999 of full scale, of either sign, for 4 or more samples in a
 * row, at least 10 times within a second. The fourth sample of the tenth run comes less than sample_rate samples
 * after that of the first. */
#define SA_INSPECT_CLIPPING 1u

/* A channel was exactly 0 for 10 * sample_rate samples in a row. */
#define SA_INSPECT_SILENCE 2u

/* There are two or more channels, and all were equal to the first in 10 * sample_rate frames in a row. The first of
 * these frames is not silent: silence before it does not count, silence after it does. */
#define SA_INSPECT_IDENTICAL 4u

typedef struct sa_inspector sa_inspector;

/* sample_rate: SA_MIN_RATE to SA_MAX_RATE, Hz. channels: 1 to SA_MAX_CHANNELS.
 * Returns NULL when an argument is out of range or there is no memory. */
SA_API sa_inspector *sa_inspector_new(uint32_t sample_rate, uint32_t channels);

/* Reads `frames` samples of each channel: sample i of channel c is samples[offsets[c] + i]. `offsets` has an entry
 * for each channel.
 * Returns the bits SA_INSPECT_* observed since `new` or `reset`; 0 when an argument is NULL. */
SA_API uint32_t sa_inspector_process(sa_inspector *inspector, const float *samples, const uint32_t *offsets,
                                     uint32_t frames);

/* bit: one SA_INSPECT_*.
 * Returns the channel in which it was first observed, the lowest one when there are several in the same frame; -1
 * when the bit was not observed, belongs to no single channel (SA_INSPECT_IDENTICAL) or is out of range, and for
 * NULL. */
SA_API int32_t sa_inspector_channel(const sa_inspector *inspector, uint32_t bit);

/* See "Images". */
SA_API uint32_t sa_inspector_save(const sa_inspector *inspector, uint8_t *image, uint32_t capacity);
SA_API int32_t sa_inspector_restore(sa_inspector *inspector, const uint8_t *image, uint32_t length);

SA_API void sa_inspector_reset(sa_inspector *inspector);
SA_API void sa_inspector_free(sa_inspector *inspector);

/* ---- Resampler: one channel from one integer rate to another ----------------------------------------------------- */

/* A polyphase windowed sinc of linear phase, with its delay compensated: output sample k is at input position k *
 * in_rate / out_rate. With m = min(in_rate, out_rate) the response is flat within 0.1 dB up to 0.4375 m and at least
 * 100 dB down from 0.5 m on. An output sample is written once the input reaches 35 / m seconds beyond it (8.7 ms for
 * m = 4000). */
typedef struct sa_resampler sa_resampler;

/* Rates in Hz, SA_MIN_RATE to SA_MAX_RATE. Samples pass unchanged when the rates are equal.
 * Returns NULL when an argument is out of range or there is no memory. */
SA_API sa_resampler *sa_resampler_new(uint32_t in_rate, uint32_t out_rate);

/* Returns the most samples that the next `process` can read without writing more than max_output: 0 to SA_MAX_LENGTH; 0
 * after `flush` and for NULL. */
SA_API uint32_t sa_resampler_max_input(const sa_resampler *resampler, uint32_t max_output);

/* Returns the exact number of samples that the next `process` writes for `length` samples: 0 to INT32_MAX; 0 after
 * `flush` and for NULL; UINT32_MAX when `process` would refuse `length`, because it is above SA_MAX_LENGTH or yields
 * more than INT32_MAX samples. */
SA_API uint32_t sa_resampler_max_output(const sa_resampler *resampler, uint32_t length);

/* Reads in[in_offset .. in_offset + length) and writes from out[out_offset] on. length: 0 to SA_MAX_LENGTH.
 * Returns the number of samples written; -1 when an argument is NULL or out of range, and after `flush`. */
SA_API int32_t sa_resampler_process(sa_resampler *resampler, const float *in, uint32_t in_offset, uint32_t length,
                                    float *out, uint32_t out_offset);

/* Ends the input and writes up to `capacity` of the remaining samples from out[out_offset] on. Once all are written,
 * n samples read have become exactly round(n * out_rate / in_rate) samples, halves up. No `process` may follow
 * before `reset`.
 * Returns the number of samples written, 0 to capacity: call again until it is 0; 0 when an argument is NULL. */
SA_API int32_t sa_resampler_flush(sa_resampler *resampler, float *out, uint32_t out_offset, uint32_t capacity);

/* See "Images". At most 64 bytes more than sa_resampler_bytes. */
SA_API uint32_t sa_resampler_save(const sa_resampler *resampler, uint8_t *image, uint32_t capacity);
SA_API int32_t sa_resampler_restore(sa_resampler *resampler, const uint8_t *image, uint32_t length);

SA_API void sa_resampler_reset(sa_resampler *resampler);
SA_API void sa_resampler_free(sa_resampler *resampler);

/* Returns the bytes of this handle without the filter: at most 4 KiB for up to 48 kHz in, in proportion above; 0 for
 * NULL. */
SA_API uint32_t sa_resampler_bytes(const sa_resampler *resampler);

/* Returns the bytes of the filter, which all resamplers of the same two rates share: at most 1 MiB; 0 for equal
 * rates and for NULL. The filters of the 16 pairs used last stay in memory. */
SA_API uint32_t sa_resampler_filter_bytes(const sa_resampler *resampler);

/* ---- VAD: voice activity detection, window by window ------------------------------------------------------------- */

/* A window is speech when its level is well above a noise floor that follows the room; vad.c describes the method. */
typedef struct sa_vad sa_vad;

/* sample_rate: SA_MIN_RATE to SA_MAX_RATE, Hz. threshold_db: 3 to 40, how far the level of speech is above the noise
 * floor. floor_db: -100 to -20 dBFS, the lowest noise floor: no window below floor_db + threshold_db begins speech.
 * Returns NULL when an argument is out of range or there is no memory. */
SA_API sa_vad *sa_vad_new(uint32_t sample_rate, float threshold_db, float floor_db);

/* Returns the samples of a window, round(sample_rate / 100); 0 for NULL. Window i covers samples i * window to
 * (i + 1) * window, exclusive. */
SA_API uint32_t sa_vad_window(const sa_vad *vad);

/* Returns the number of windows that the next `process` completes with `length` samples; 0 for NULL. */
SA_API uint32_t sa_vad_max_output(const sa_vad *vad, uint32_t length);

/* Reads samples[offset .. offset + length). length: 0 to SA_MAX_LENGTH. Writes, for each window that is completed,
 * speech[i] (1 speech, 0 not) and level_db[i] (level without DC and hum, dBFS, -120 to 30). level_db: NULL when not
 * wanted.
 * Returns the number of windows; -1 when another argument is NULL or out of range. */
SA_API int32_t sa_vad_process(sa_vad *vad, const float *samples, uint32_t offset, uint32_t length, uint8_t *speech,
                              float *level_db);

/* Drops the samples of the incomplete window. Returns their number, 0 to window - 1; 0 for NULL. */
SA_API uint32_t sa_vad_flush(sa_vad *vad);

/* See "Images". The samples of the incomplete window are part of it. */
SA_API uint32_t sa_vad_save(const sa_vad *vad, uint8_t *image, uint32_t capacity);
SA_API int32_t sa_vad_restore(sa_vad *vad, const uint8_t *image, uint32_t length);

SA_API void sa_vad_reset(sa_vad *vad);
SA_API void sa_vad_free(sa_vad *vad);

/* ---- Chain: everything above for the messages of one stream, in one call a message -------------------------------- */

/* Bytes are converted, inspected and resampled, each channel into a run of its own, and detectors decide about the
 * windows that become complete: the same bits as those of the single functions. A foreign call costs as much as a
 * tenth of a second of audio, hence one for everything. */
typedef struct sa_chain sa_chain;

/* The results of a call. */
typedef struct {
    uint32_t samples;  /* written to each channel's run */
    uint32_t frames;   /* read, at the rate of the input */
    uint32_t windows;  /* decided in each channel that has a detector */
    uint32_t observed; /* bits SA_INSPECT_*, since `new` or `reset` */
    uint32_t flags;    /* bits SA_PCM_*, since `new` or `reset` */
} sa_chain_report;

/* Most windows that a call decides about in a channel. */
#define SA_CHAIN_WINDOWS 104u

/* Arguments as those of sa_pcm_new, sa_inspector_new and sa_resampler_new.
 * Returns NULL when one is out of range or there is no memory. */
SA_API sa_chain *sa_chain_new(uint32_t format, uint32_t channels, uint32_t in_rate, uint32_t out_rate);

/* Lets a detector for out_rate decide about a channel, from the first sample on; NULL: none does. The chain borrows it:
 * it is not freed, and nobody else calls it meanwhile. All channels get one, or none.
 * Returns 0; -1 when an argument is out of range. */
SA_API int32_t sa_chain_detect(sa_chain *chain, uint32_t channel, sa_vad *vad);

/* Reads from bytes[byte_offset .. byte_offset + byte_length) as much as has room, and writes the same number of samples
 * for each channel, from out[out_offsets[channel]] on. room: 0 to SA_SLAB_SAMPLES. Window i of a channel is decided in
 * speech[channel * SA_CHAIN_WINDOWS + i], its level is in level_db at the same index.
 * Returns the number of bytes read: all of them, unless the room is used up; -1 when an argument is NULL or out of range,
 * and after `flush`. */
SA_API int32_t sa_chain_process(sa_chain *chain, const uint8_t *bytes, uint32_t byte_offset, uint32_t byte_length,
                                float *out, const uint32_t *out_offsets, uint32_t room, sa_chain_report *report,
                                uint8_t *speech, float *level_db);

/* Returns the samples of each channel that were computed and found no room, which the next call writes first; 0 for
 * NULL. There are none unless out_rate is above in_rate. */
SA_API uint32_t sa_chain_spilled(const sa_chain *chain);

/* Ends the input. Writes what the resamplers still owe, as far as there is room. No `process` may follow before `reset`.
 * Returns the number of samples written: call again until it is 0; -1 when an argument is NULL or out of range. */
SA_API int32_t sa_chain_flush(sa_chain *chain, float *out, const uint32_t *out_offsets, uint32_t room,
                              sa_chain_report *report, uint8_t *speech, float *level_db);

/* As sa_inspector_channel. */
SA_API int32_t sa_chain_channel(const sa_chain *chain, uint32_t bit);

/* See "Images". Everything is part of it, detectors too, except for the bytes of an incomplete frame: a restored chain
 * begins with a whole frame. Detectors are given to the chain before it is restored. */
SA_API uint32_t sa_chain_save(const sa_chain *chain, uint8_t *image, uint32_t capacity);
SA_API int32_t sa_chain_restore(sa_chain *chain, const uint8_t *image, uint32_t length);

/* Resets the detectors, too. */
SA_API void sa_chain_reset(sa_chain *chain);
SA_API void sa_chain_free(sa_chain *chain);

/* ---- Session table: the open sessions of several processes, in shared memory -------------------------------------- */

/* Processes that share a table count their sessions together: at most a number in all, and at most a number with the
 * same key, such as a network address. Every function is atomic for all processes, and none waits for another process.
 * A process that is killed at any moment leaves at most the sessions that it owned; `reclaim` frees them. */
#define SA_MAX_SESSIONS 1000000u
#define SA_MAX_OWNER 32767u

/* Results of sa_session_table_claim below 0. */
#define SA_CLAIM_FULL -1      /* `limit` sessions are open */
#define SA_CLAIM_KEY_LIMIT -2 /* `key_limit` sessions with this key are open */
#define SA_CLAIM_INVALID -3   /* an argument is NULL or out of range */

typedef struct sa_session_table sa_session_table;

/* Creates an empty table in anonymous memory (memfd). capacity: 1 to SA_MAX_SESSIONS; 8 bytes each, touched when used.
 * Returns NULL when it is out of range or there is no memory. */
SA_API sa_session_table *sa_session_table_new(uint32_t capacity);

/* Opens the table whose memory `fd` refers to, in any process that inherited it. `fd` stays the caller's.
 * Returns NULL when it is no table. */
SA_API sa_session_table *sa_session_table_open(int32_t fd);

/* Returns the descriptor of the memory, which the table owns; -1 for NULL. */
SA_API int32_t sa_session_table_fd(const sa_session_table *table);

/* Opens a session. owner: 1 to SA_MAX_OWNER, unique among the living processes. The key has 48 bits, key_high the upper
 * 16. limit: 1 to capacity, most sessions. key_limit: most sessions with this key; 0: no limit.
 * Returns the place of the session, 0 to capacity - 1, or SA_CLAIM_*. */
SA_API int32_t sa_session_table_claim(sa_session_table *table, uint32_t owner, uint32_t key_high, uint32_t key_low,
                                      uint32_t limit, uint32_t key_limit);

/* Closes the session at a place. Returns 1; 0 when `owner` has no session there. */
SA_API int32_t sa_session_table_release(sa_session_table *table, uint32_t owner, int32_t place);

/* Returns 1 while fewer than `limit` sessions are open, else 0; 0 when an argument is NULL or out of range. */
SA_API int32_t sa_session_table_has_room(const sa_session_table *table, uint32_t limit);

/* Returns the open sessions of an owner; 0: of all. */
SA_API uint32_t sa_session_table_count(const sa_session_table *table, uint32_t owner);

/* Closes all sessions of an owner that has ended. Returns their number. */
SA_API uint32_t sa_session_table_reclaim(sa_session_table *table, uint32_t owner);

/* Closes the table in this process. */
SA_API void sa_session_table_free(sa_session_table *table);

/* ---- Port: shared by the processes of one server, and by nobody else --------------------------------------------- */

/* Reserves a TCP port, so that processes of this user can listen with SO_REUSEPORT as long as the descriptor is open.
 * Another reservation, a server without SO_REUSEPORT and one of another user fail. The reservation itself does not
 * listen, but for a moment before it is returned. address: numeric, IPv4 or IPv6, zero terminated. port: 0 to 65535; 0
 * selects a free one.
 * Returns a descriptor, which the caller closes; -EINVAL when an argument is NULL or out of range, -EADDRINUSE when the
 * port is in use, or another negative errno. */
SA_API int32_t sa_port_reserve(const char *address, uint32_t port);

/* Returns the port of a reservation, or -1. */
SA_API int32_t sa_port_number(int32_t fd);

/* Sets how many connections may wait at the sockets of this process that listen on a TCP port; beyond it the kernel
 * drops requests, and clients ask again after a second. port: 1 to 65535. backlog: 1 to 2^31 - 1; the kernel allows
 * net.core.somaxconn at most.
 * Returns what it allows; 0 when no socket listens there; -EINVAL when an argument is out of range, or another negative
 * errno when the sockets of the process cannot be listed. */
SA_API int32_t sa_port_set_backlog(uint32_t port, uint32_t backlog);

/* ---- Listener: a listening socket that moves from one server of a process to another ----------------------------- */

/* Returns the descriptor of the socket of this process that listens on a TCP port; -ENOENT without one, -EEXIST when
 * several do, -EINVAL when the port is not 1 to 65535, or another negative errno. */
SA_API int32_t sa_listener_find(uint32_t port);

/* Moves a listening socket. `from` and `to`: descriptors of two servers, each watched by an epoll of this process.
 * Afterwards `to` is the socket of `from`, with the connections in its queue, and what `to` was is closed; `from` is a
 * socket on which nothing ever happens. The socket is open all the time: no connection is refused.
 * Returns 0; -ENOENT when one of them is not watched, or by more than one epoll; or another negative errno. Nothing has
 * changed then, except that `to` may be lost. */
SA_API int32_t sa_listener_move(int32_t from, int32_t to);

/* Reads how the event loop of a server watches its listening socket. watch: SA_WATCH_WORDS words, for the next function.
 * Returns 0; -ENOENT when no epoll of this process watches the descriptor, or more than one; -EINVAL when `watch` is
 * NULL; or another negative errno. */
#define SA_WATCH_WORDS 3u
SA_API int32_t sa_listener_watch(int32_t fd, uint64_t *watch);

/* Sets how many connections the server of a listening socket accepts. watch: as it was read from that socket.
 *   SA_ACCEPT_NONE  those that come wait in the kernel
 *   SA_ACCEPT_ONCE  those that wait now, or the next ones if none does; then none
 *   SA_ACCEPT_ALL   all, as before
 * Needs no free descriptor. Returns 0, -EINVAL when an argument is out of range, or another negative errno. */
#define SA_ACCEPT_NONE 0u
#define SA_ACCEPT_ONCE 1u
#define SA_ACCEPT_ALL 2u
SA_API int32_t sa_listener_accept(int32_t fd, const uint64_t *watch, uint32_t mode);

/* ---- Connections: those of a server of this process ------------------------------------------------------------- */

#define SA_MAX_CONNECTIONS (1u << 22)
#define SA_CONNECTION_WORDS 8u

/* Returns the descriptors that this process has open; -1 where the kernel does not count them (before Linux 6.2). */
SA_API int32_t sa_descriptors_open(void);

/* Lists the connections that have come to a TCP port and are open on this side. Needs no free descriptor.
 * list: SA_CONNECTION_WORDS words for each: its descriptor; the milliseconds since a byte has gone in either direction,
 * 0 while some of the client's are not read; the client's port; 1 when the client has ended its side, 0 while it has not;
 * the 16 bytes of the client's address, IPv4 as ::ffff:a.b.c.d.
 * Returns the number of connections, of which the first `capacity` are in the list; -EINVAL when an argument is NULL or
 * out of range, or another negative errno. */
SA_API int32_t sa_connections_list(uint32_t port, uint32_t *list, uint32_t capacity);

/* Ends a connection that has come to a TCP port. Whoever has the descriptor sees the end of the connection, and closes
 * it; the client gets an end, then a reset, and what is on its way to it is lost.
 * Returns 0; -ENOTCONN when the descriptor is no open connection of that port, -EINVAL when the port is not 1 to 65535,
 * or another negative errno. */
SA_API int32_t sa_connection_close(int32_t fd, uint32_t port);

/* ---- Child: a process that runs a model --------------------------------------------------------------------------- */

/* Makes this process end with its parent, whatever it does then: also within native code, or in an endless loop. It
 * becomes the leader of a process group, which gets SIGKILL when the parent's thread that has started it ends
 * (PR_SET_PDEATHSIG with a real-time signal), or when the other end of the channel is closed, which a thread of its own
 * waits for. Processes that leave the group are not reached. channel: a connected socket, from which the thread reads
 * nothing, and which is closed on exec from now on. parent: process ID.
 * Returns 0; -EINVAL when an argument is out of range, -ESRCH when the parent has ended, or another negative errno. */
SA_API int32_t sa_child_guard(int32_t channel, int32_t parent);

#ifdef __cplusplus
}
#endif
#endif
