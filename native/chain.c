/* Decodes messages of one stream: the other functions of the library in one call. See streamer_audio.h. */
#include "chain.h"

#include <stdlib.h>
#include <string.h>

/* Samples converted at a time before they are resampled, all channels together: few enough for the stack, and for the
 * second-level cache. A mono stream's stay in the first-level cache. */
#define SCRATCH 32768u
#define MOST_BLOCK 4096u

sa_chain *sa_chain_new(uint32_t format, uint32_t channels, uint32_t in_rate, uint32_t out_rate) {
    if (channels == 0 || channels > SA_MAX_CHANNELS || out_rate < SA_MIN_RATE || out_rate > SA_MAX_RATE) return NULL;
    sa_chain *chain = calloc(1, sizeof *chain + channels * sizeof chain->channel[0]);
    if (chain == NULL) return NULL;
    chain->format = format;
    chain->channels = channels;
    chain->resamples = in_rate != out_rate;
    chain->pcm = sa_pcm_new(format, channels);
    chain->inspector = sa_inspector_new(in_rate, channels);
    if (chain->pcm == NULL || chain->inspector == NULL) goto failed;
    chain->frame_bytes = sa_pcm_frame_bytes(chain->pcm);
    if (!chain->resamples) return chain;

    for (uint32_t channel = 0; channel < channels; channel++) {
        chain->channel[channel].resampler = sa_resampler_new(in_rate, out_rate);
        if (chain->channel[channel].resampler == NULL) goto failed;
    }
    chain->block = SCRATCH / channels < MOST_BLOCK ? SCRATCH / channels : MOST_BLOCK;
    chain->scratch_offsets = malloc(channels * sizeof(uint32_t));
    if (chain->scratch_offsets == NULL) goto failed;
    for (uint32_t channel = 0; channel < channels; channel++) chain->scratch_offsets[channel] = channel * chain->block;
    if (out_rate > in_rate) {
        chain->spill_room = out_rate / in_rate + 1;
        chain->spill = malloc((size_t)channels * chain->spill_room * sizeof(float));
        if (chain->spill == NULL) goto failed;
    }
    return chain;

failed:
    sa_chain_free(chain);
    return NULL;
}

int32_t sa_chain_detect(sa_chain *chain, uint32_t channel, sa_vad *vad) {
    if (chain == NULL || channel >= chain->channels) return -1;
    chain->channel[channel].vad = vad;
    return 0;
}

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* One call's input and output. */
typedef struct {
    const uint8_t *bytes;
    uint32_t left; /* bytes not read */
    float *out;
    const uint32_t *offsets;
    uint32_t room; /* samples that still fit into each run */
    sa_chain_report report;
} job;

/* Writes what the last frame has left. */
static void write_spill(sa_chain *chain, job *job) {
    uint32_t count = smaller(chain->spilled, job->room);
    if (count == 0) return;
    for (uint32_t channel = 0; channel < chain->channels; channel++)
        memcpy(job->out + job->offsets[channel] + job->report.samples,
               chain->spill + (size_t)channel * chain->spill_room + chain->spill_from, count * sizeof(float));
    chain->spilled -= count;
    chain->spill_from += count;
    job->room -= count;
    job->report.samples += count;
}

/* Converts and inspects up to `frames` frames. Returns how many they are. */
static uint32_t convert(sa_chain *chain, job *job, uint32_t frames, float *out, const uint32_t *offsets) {
    uint64_t wanted = (uint64_t)frames * chain->frame_bytes - sa_pcm_pending(chain->pcm);
    uint32_t length = wanted < job->left ? (uint32_t)wanted : job->left;
    uint32_t found = (uint32_t)sa_pcm_process(chain->pcm, job->bytes, 0, length, out, offsets);
    if (found > 0) chain->observed = sa_inspector_process(chain->inspector, out, offsets, found);
    job->report.frames += found;
    job->bytes += length;
    job->left -= length;
    return found;
}

/* Converts and resamples one block, or one frame that yields more than there is room for. */
static void resample(sa_chain *chain, job *job) {
    float scratch[SCRATCH];
    uint32_t fitting = sa_resampler_max_input(chain->channel[0].resampler, job->room);
    uint32_t frames = convert(chain, job, fitting == 0 ? 1 : smaller(fitting, chain->block), scratch,
                              chain->scratch_offsets);
    if (frames == 0) return;
    uint32_t count = 0;
    for (uint32_t channel = 0; channel < chain->channels; channel++) {
        float *out = fitting == 0 ? chain->spill + (size_t)channel * chain->spill_room
                                  : job->out + job->offsets[channel] + job->report.samples;
        count = (uint32_t)sa_resampler_process(chain->channel[channel].resampler, scratch,
                                               chain->scratch_offsets[channel], frames, out, 0);
    }
    if (fitting == 0) {
        chain->spilled = count;
        chain->spill_from = 0;
        write_spill(chain, job);
        return;
    }
    job->room -= count;
    job->report.samples += count;
}

/* Runs the detectors on what has been written, and completes the report. */
static void finish(sa_chain *chain, job *job, uint8_t *speech, float *level_db) {
    for (uint32_t channel = 0; channel < chain->channels; channel++) {
        sa_vad *vad = chain->channel[channel].vad;
        if (vad == NULL) continue;
        size_t first = (size_t)channel * SA_CHAIN_WINDOWS;
        job->report.windows = (uint32_t)sa_vad_process(vad, job->out, job->offsets[channel], job->report.samples,
                                                       speech + first, level_db + first);
    }
    job->report.observed = chain->observed;
    job->report.flags = chain->flags | sa_pcm_flags(chain->pcm);
}

int32_t sa_chain_process(sa_chain *chain, const uint8_t *bytes, uint32_t byte_offset, uint32_t byte_length, float *out,
                         const uint32_t *out_offsets, uint32_t room, sa_chain_report *report, uint8_t *speech,
                         float *level_db) {
    if (chain == NULL || bytes == NULL || out == NULL || out_offsets == NULL || report == NULL || speech == NULL ||
        level_db == NULL || byte_length > SA_MAX_LENGTH || room > SA_SLAB_SAMPLES || chain->ended)
        return -1;
    job job = {.bytes = bytes + byte_offset, .left = byte_length, .out = out, .offsets = out_offsets, .room = room};
    if (!chain->resamples) {
        if (room > 0) job.report.samples = convert(chain, &job, room, out, out_offsets);
    } else {
        write_spill(chain, &job);
        while (job.left > 0 && job.room > 0) resample(chain, &job);
    }
    finish(chain, &job, speech, level_db);
    *report = job.report;
    return (int32_t)(byte_length - job.left);
}

int32_t sa_chain_flush(sa_chain *chain, float *out, const uint32_t *out_offsets, uint32_t room,
                       sa_chain_report *report, uint8_t *speech, float *level_db) {
    if (chain == NULL || out == NULL || out_offsets == NULL || report == NULL || speech == NULL || level_db == NULL ||
        room > SA_SLAB_SAMPLES)
        return -1;
    job job = {.out = out, .offsets = out_offsets, .room = room};
    chain->ended = 1;
    write_spill(chain, &job);
    uint32_t count = 0;
    for (uint32_t channel = 0; channel < chain->channels && chain->resamples && job.room > 0; channel++)
        count = (uint32_t)sa_resampler_flush(chain->channel[channel].resampler, out,
                                             out_offsets[channel] + job.report.samples, job.room);
    job.report.samples += count;
    finish(chain, &job, speech, level_db);
    *report = job.report;
    return (int32_t)job.report.samples;
}

uint32_t sa_chain_spilled(const sa_chain *chain) { return chain == NULL ? 0 : chain->spilled; }

int32_t sa_chain_channel(const sa_chain *chain, uint32_t bit) {
    return chain == NULL ? -1 : sa_inspector_channel(chain->inspector, bit);
}

void sa_chain_reset(sa_chain *chain) {
    if (chain == NULL) return;
    chain->ended = 0;
    chain->observed = 0;
    chain->flags = 0;
    chain->spilled = 0;
    sa_pcm_reset(chain->pcm);
    sa_inspector_reset(chain->inspector);
    for (uint32_t channel = 0; channel < chain->channels; channel++) {
        sa_resampler_reset(chain->channel[channel].resampler);
        sa_vad_reset(chain->channel[channel].vad);
    }
}

void sa_chain_free(sa_chain *chain) {
    if (chain == NULL) return;
    sa_pcm_free(chain->pcm);
    sa_inspector_free(chain->inspector);
    for (uint32_t channel = 0; channel < chain->channels; channel++)
        sa_resampler_free(chain->channel[channel].resampler);
    free(chain->scratch_offsets);
    free(chain->spill);
    free(chain);
}
