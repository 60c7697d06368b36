/* Resamples one channel. See streamer_audio.h.
 *
 * Output k is at input position k * in / out, with the rates divided by their greatest common divisor: a whole
 * sample plus phase / out, in exact integers. Positions are relative to the samples read so far, so no number grows
 * with the stream. Each output is one sum over `taps` input samples that end `half` samples after the whole one,
 * always in the same order (sums.c, decimate.c), wherever the samples are: in the history, in the input or across
 * both. */
#include "streamer_audio.h"

#include "decimate.h"
#include "filter.h"
#include "image.h"
#include "state.h"

#include <stdlib.h>
#include <string.h>

struct sa_resampler {
    sa_filter *filter; /* shared; NULL when the rates are equal */
    uint32_t in;       /* input rate over the greatest common divisor */
    uint32_t out;      /* output rate over the greatest common divisor: number of phases */
    uint32_t phase;    /* of the next output, 0 .. out - 1 */
    int64_t lead;      /* whole position of the next output minus the samples read */
    uint64_t remaining; /* outputs still to be written, once `ended` */
    int ended;         /* flush has been called */
    float history[]; /* the last taps - 1 samples read, zeros before the first one */
};

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b) {
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Returns the samples of the history of a handle that has a filter. */
static size_t history_length(const sa_resampler *resampler) { return resampler->filter->taps - 1; }

sa_resampler *sa_resampler_new(uint32_t in_rate, uint32_t out_rate) {
    if (in_rate < SA_MIN_RATE || in_rate > SA_MAX_RATE || out_rate < SA_MIN_RATE || out_rate > SA_MAX_RATE) return NULL;
    uint32_t divisor = greatest_common_divisor(in_rate, out_rate);
    uint32_t in = in_rate / divisor, out = out_rate / divisor;
    sa_filter *filter = NULL;
    if (in != out) {
        filter = sa_filter_take(in, out);
        if (filter == NULL) return NULL;
    }
    size_t history = filter == NULL ? 0 : (filter->taps - 1) * sizeof(float);
    sa_resampler *resampler = malloc(sizeof *resampler + history);
    if (resampler == NULL) {
        sa_filter_release(filter);
        return NULL;
    }
    resampler->filter = filter;
    resampler->in = in;
    resampler->out = out;
    sa_resampler_reset(resampler);
    return resampler;
}

/* The next outputs j = 0, 1, ... are at lead + (phase + j * in) / out. Returns the number of those before `end`. */
static uint64_t outputs_before(const sa_resampler *resampler, int64_t end) {
    int64_t room = (end - resampler->lead) * (int64_t)resampler->out - (int64_t)resampler->phase;
    if (room <= 0) return 0;
    return ((uint64_t)room + resampler->in - 1) / resampler->in;
}

/* Returns the outputs that can be written after `length` more samples: those with `half` samples after their whole
 * one. */
static uint64_t outputs_ready(const sa_resampler *resampler, uint32_t length) {
    return outputs_before(resampler, (int64_t)length - (int64_t)resampler->filter->half);
}

uint32_t sa_resampler_max_output(const sa_resampler *resampler, uint32_t length) {
    if (resampler == NULL || resampler->ended) return 0;
    if (length > SA_MAX_LENGTH) return UINT32_MAX;
    if (resampler->filter == NULL) return length;
    uint64_t ready = outputs_ready(resampler, length);
    return ready > INT32_MAX ? UINT32_MAX : (uint32_t)ready;
}

uint32_t sa_resampler_max_input(const sa_resampler *resampler, uint32_t max_output) {
    if (resampler == NULL || resampler->ended) return 0;
    if (resampler->filter == NULL) return max_output < SA_MAX_LENGTH ? max_output : SA_MAX_LENGTH;
    uint64_t reach = ((uint64_t)max_output * resampler->in + resampler->phase) / resampler->out;
    int64_t length = (int64_t)reach + resampler->lead + (int64_t)resampler->filter->half;
    if (length < 0) return 0;
    return length > (int64_t)SA_MAX_LENGTH ? SA_MAX_LENGTH : (uint32_t)length;
}

/* Writes `count` outputs. Input sample i, relative to the samples read so far, is samples[i - start]. */
static void write_outputs(sa_resampler *resampler, const float *samples, int64_t start, uint64_t count, float *out) {
    const sa_filter *filter = resampler->filter;
    int64_t first = resampler->lead + (int64_t)filter->half + 1 - (int64_t)filter->taps - start;
    uint64_t travelled = sa_filter_run(filter, resampler->phase, samples + first, count, out);
    resampler->lead += (int64_t)(travelled / resampler->out);
    resampler->phase = (uint32_t)(travelled % resampler->out);
}

/* Writes `count` outputs whose samples are in the history and the input. */
static void decimate(sa_resampler *resampler, const float *input, uint64_t count, float *out) {
    const sa_filter *filter = resampler->filter;
    size_t history = history_length(resampler);
    int64_t first = resampler->lead + (int64_t)filter->half + 1 - (int64_t)filter->taps;
    size_t before = first < 0 ? (size_t)-first : 0;
    sa_decimate(filter, resampler->history + history - before, before, input + (first > 0 ? first : 0), count, out);
    resampler->lead += (int64_t)(count * resampler->in);
}

/* Counts the input as read, and keeps its end. */
static void keep_history(sa_resampler *resampler, const float *input, uint32_t length) {
    size_t history = history_length(resampler);
    if (length >= history) {
        memcpy(resampler->history, input + length - history, history * sizeof(float));
    } else {
        memmove(resampler->history, resampler->history + length, (history - length) * sizeof(float));
        memcpy(resampler->history + history - length, input, length * sizeof(float));
    }
    resampler->lead -= (int64_t)length;
}

int32_t sa_resampler_process(sa_resampler *resampler, const float *in, uint32_t in_offset, uint32_t length, float *out,
                             uint32_t out_offset) {
    if (resampler == NULL || in == NULL || out == NULL || length > SA_MAX_LENGTH || resampler->ended) return -1;
    const float *input = in + in_offset;
    float *output = out + out_offset;
    if (resampler->filter == NULL) {
        memcpy(output, input, length * sizeof(float));
        return (int32_t)length;
    }
    uint64_t ready = outputs_ready(resampler, length);
    if (ready > INT32_MAX) return -1;
    size_t history = history_length(resampler);

    if (sa_decimates(resampler->filter)) {
        decimate(resampler, input, ready, output);
        keep_history(resampler, input, length);
        return (int32_t)ready;
    }

    /* Outputs whose samples begin in the history are computed from a copy of the history followed by the input. */
    int64_t border = (int64_t)history - (int64_t)resampler->filter->half;
    uint64_t across = outputs_before(resampler, border);
    if (across > ready) across = ready;
    if (across > 0) {
        float joined[2 * SA_MAX_TAPS];
        size_t copied = length < history ? length : history;
        memcpy(joined, resampler->history, history * sizeof(float));
        memcpy(joined + history, input, copied * sizeof(float));
        write_outputs(resampler, joined, -(int64_t)history, across, output);
    }
    if (ready > across) write_outputs(resampler, input, 0, ready - across, output + across);

    keep_history(resampler, input, length);
    return (int32_t)ready;
}

/* After n samples, output k remains when k + 1 <= n * out / in + 1 / 2, which is 2 * k * in + in <= 2 * n * out. */
static uint64_t outputs_remaining(const sa_resampler *resampler) {
    int64_t in = resampler->in;
    int64_t room = -2 * resampler->lead * (int64_t)resampler->out - in - 2 * (int64_t)resampler->phase;
    return room < 0 ? 0 : (uint64_t)(room / (2 * in) + 1);
}

int32_t sa_resampler_flush(sa_resampler *resampler, float *out, uint32_t out_offset, uint32_t capacity) {
    if (resampler == NULL || out == NULL) return 0;
    if (!resampler->ended) {
        resampler->ended = 1;
        resampler->remaining = resampler->filter == NULL ? 0 : outputs_remaining(resampler);
    }
    uint64_t count = resampler->remaining < capacity ? resampler->remaining : capacity;
    if (count == 0) return 0;
    float joined[2 * SA_MAX_TAPS];
    size_t history = history_length(resampler);
    memcpy(joined, resampler->history, history * sizeof(float));
    memset(joined + history, 0, resampler->filter->half * sizeof(float));
    write_outputs(resampler, joined, -(int64_t)history, count, out + out_offset);
    resampler->remaining -= count;
    return (int32_t)count;
}

void sa_resampler_reset(sa_resampler *resampler) {
    if (resampler == NULL) return;
    resampler->phase = 0;
    resampler->lead = 0;
    resampler->remaining = 0;
    resampler->ended = 0;
    if (resampler->filter != NULL) memset(resampler->history, 0, history_length(resampler) * sizeof(float));
}

int sa_resampler_in_step(const sa_resampler *one, const sa_resampler *other) {
    return one->phase == other->phase && one->lead == other->lead;
}

uint32_t sa_resampler_save(const sa_resampler *resampler, uint8_t *image, uint32_t capacity) {
    if (resampler == NULL || resampler->ended) return 0;
    sa_image_writer writer = {image, capacity, 0};
    uint32_t history = resampler->filter == NULL ? 0 : (uint32_t)history_length(resampler);
    sa_write_u32(&writer, SA_IMAGE_RESAMPLER);
    sa_write_u32(&writer, resampler->in);
    sa_write_u32(&writer, resampler->out);
    sa_write_u32(&writer, resampler->phase);
    sa_write(&writer, &resampler->lead, sizeof resampler->lead);
    sa_write_u32(&writer, history);
    sa_write(&writer, resampler->history, history * sizeof(float));
    return writer.length;
}

/* Between two calls no output is ready, and the next one is at most one step behind the last one that was: other leads
 * would read samples outside the history, or never write again. */
static int lead_is_possible(const sa_resampler *resampler, uint32_t phase, int64_t lead) {
    if (resampler->filter == NULL) return phase == 0 && lead == 0;
    int64_t half = resampler->filter->half;
    return phase < resampler->out && lead >= -half && lead <= (int64_t)(resampler->in / resampler->out) + 1;
}

int32_t sa_resampler_restore(sa_resampler *resampler, const uint8_t *image, uint32_t length) {
    if (resampler == NULL || image == NULL) return -1;
    sa_image_reader reader = {image, length, 0};
    uint32_t expected = resampler->filter == NULL ? 0 : (uint32_t)history_length(resampler);
    if (sa_read_u32(&reader) != SA_IMAGE_RESAMPLER) return -1;
    if (sa_read_u32(&reader) != resampler->in || sa_read_u32(&reader) != resampler->out) return -1;
    uint32_t phase = sa_read_u32(&reader);
    int64_t lead;
    sa_read(&reader, &lead, sizeof lead);
    if (sa_read_u32(&reader) != expected || !lead_is_possible(resampler, phase, lead)) return -1;
    if (reader.failed || reader.left != expected * sizeof(float)) return -1;
    resampler->phase = phase;
    resampler->lead = lead;
    resampler->remaining = 0;
    resampler->ended = 0;
    sa_read(&reader, resampler->history, expected * sizeof(float));
    return 0;
}

uint32_t sa_resampler_bytes(const sa_resampler *resampler) {
    if (resampler == NULL) return 0;
    size_t history = resampler->filter == NULL ? 0 : history_length(resampler);
    return (uint32_t)(sizeof *resampler + history * sizeof(float));
}

uint32_t sa_resampler_filter_bytes(const sa_resampler *resampler) {
    return resampler == NULL || resampler->filter == NULL ? 0 : sa_filter_bytes(resampler->filter);
}

void sa_resampler_free(sa_resampler *resampler) {
    if (resampler == NULL) return;
    sa_filter_release(resampler->filter);
    free(resampler);
}
