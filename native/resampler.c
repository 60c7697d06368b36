/* One channel from one integer rate to another. See streamer_audio.h.
 *
 * Output k lies at input position k * in / out. The rates are divided by their greatest common divisor, so that the position is
 * whole + phase / phases with integers, for ever exact. All positions are kept relative to the samples read so far:
 * nothing grows with the length of a stream. Each output is one sum over `taps` input samples that end `half` samples after
 * `whole`, always in the same order (sums.c), whether the samples lie in the history, in the input or across both. */
#include "streamer_audio.h"

#include "filter.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LENGTH (1u << 30)

struct sa_resampler {
    sa_filter *filter; /* shared; NULL when the rates are equal */
    uint32_t in;       /* input rate over the greatest common divisor */
    uint32_t out;      /* output rate over the greatest common divisor: the number of phases */
    uint32_t phase;    /* of the next output, 0 .. out - 1 */
    int64_t lead;      /* whole position of the next output, less the samples read */
    uint64_t owed;     /* outputs still to be written, known once `ended` */
    int ended;
    float history[]; /* the last taps - 1 samples read, zeros before the first */
};

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b) {
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Samples of the history. Only with a filter. */
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

/* Outputs j = 0, 1, ... lie at lead + (phase + j * in) / out. How many of them lie before `end`. */
static uint64_t outputs_before(const sa_resampler *resampler, int64_t end) {
    int64_t room = (end - resampler->lead) * (int64_t)resampler->out - (int64_t)resampler->phase;
    if (room <= 0) return 0;
    return ((uint64_t)room + resampler->in - 1) / resampler->in;
}

/* An output can be written once `half` samples after its whole position have been read. */
static uint64_t outputs_ready(const sa_resampler *resampler, uint32_t length) {
    return outputs_before(resampler, (int64_t)length - (int64_t)resampler->filter->half);
}

uint32_t sa_resampler_max_output(const sa_resampler *resampler, uint32_t length) {
    if (resampler == NULL || resampler->ended) return 0;
    if (length > MAX_LENGTH) return UINT32_MAX;
    if (resampler->filter == NULL) return length;
    uint64_t ready = outputs_ready(resampler, length);
    return ready > INT32_MAX ? UINT32_MAX : (uint32_t)ready;
}

uint32_t sa_resampler_max_input(const sa_resampler *resampler, uint32_t max_output) {
    if (resampler == NULL || resampler->ended) return 0;
    if (resampler->filter == NULL) return max_output < MAX_LENGTH ? max_output : MAX_LENGTH;
    uint64_t reach = ((uint64_t)max_output * resampler->in + resampler->phase) / resampler->out;
    int64_t length = (int64_t)reach + resampler->lead + (int64_t)resampler->filter->half;
    if (length < 0) return 0;
    return length > (int64_t)MAX_LENGTH ? MAX_LENGTH : (uint32_t)length;
}

/* Writes `count` outputs; input sample i, counted from the samples read so far, is samples[i - start]. */
static void write_outputs(sa_resampler *resampler, const float *samples, int64_t start, uint64_t count, float *out) {
    const sa_filter *filter = resampler->filter;
    int64_t first = resampler->lead + (int64_t)filter->half + 1 - (int64_t)filter->taps - start;
    uint64_t travelled = sa_filter_run(filter, resampler->phase, samples + first, count, out);
    resampler->lead += (int64_t)(travelled / resampler->out);
    resampler->phase = (uint32_t)(travelled % resampler->out);
}

int32_t sa_resampler_process(sa_resampler *resampler, const float *in, uint32_t in_offset, uint32_t length, float *out,
                             uint32_t out_offset) {
    if (resampler == NULL || in == NULL || out == NULL || length > MAX_LENGTH || resampler->ended) return -1;
    const float *input = in + in_offset;
    float *output = out + out_offset;
    if (resampler->filter == NULL) {
        memcpy(output, input, length * sizeof(float));
        return (int32_t)length;
    }
    uint64_t ready = outputs_ready(resampler, length);
    if (ready > INT32_MAX) return -1;
    size_t history = history_length(resampler);

    /* Outputs whose samples begin in the history are computed from a copy of it with the input behind. */
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

    if (length >= history) {
        memcpy(resampler->history, input + length - history, history * sizeof(float));
    } else {
        memmove(resampler->history, resampler->history + length, (history - length) * sizeof(float));
        memcpy(resampler->history + history - length, input, length * sizeof(float));
    }
    resampler->lead -= (int64_t)length;
    return (int32_t)ready;
}

/* Output k is owed when k + 1 <= n * out / in + 1 / 2, which is 2 * k * in + in <= 2 * n * out. */
static uint64_t outputs_owed(const sa_resampler *resampler) {
    int64_t room = -2 * resampler->lead * (int64_t)resampler->out - (int64_t)resampler->in - 2 * (int64_t)resampler->phase;
    return room < 0 ? 0 : (uint64_t)room / (2 * (uint64_t)resampler->in) + 1;
}

int32_t sa_resampler_flush(sa_resampler *resampler, float *out, uint32_t out_offset, uint32_t capacity) {
    if (resampler == NULL || out == NULL) return 0;
    if (!resampler->ended) {
        resampler->ended = 1;
        resampler->owed = resampler->filter == NULL ? 0 : outputs_owed(resampler);
    }
    uint64_t count = resampler->owed < capacity ? resampler->owed : capacity;
    if (count == 0) return 0;
    float joined[2 * SA_MAX_TAPS];
    size_t history = history_length(resampler);
    memcpy(joined, resampler->history, history * sizeof(float));
    memset(joined + history, 0, resampler->filter->half * sizeof(float));
    write_outputs(resampler, joined, -(int64_t)history, count, out + out_offset);
    resampler->owed -= count;
    return (int32_t)count;
}

void sa_resampler_reset(sa_resampler *resampler) {
    if (resampler == NULL) return;
    resampler->phase = 0;
    resampler->lead = 0;
    resampler->owed = 0;
    resampler->ended = 0;
    if (resampler->filter != NULL) memset(resampler->history, 0, history_length(resampler) * sizeof(float));
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
