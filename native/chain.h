/* State of a chain. Internal. */
#ifndef STREAMER_CHAIN_H
#define STREAMER_CHAIN_H

#include "streamer_audio.h"

struct sa_chain {
    sa_pcm *pcm;
    sa_inspector *inspector;
    uint32_t format;
    uint32_t channels;
    uint32_t frame_bytes;
    uint32_t resamples;  /* the rates differ */
    uint32_t ended;      /* flush has been called */
    uint32_t observed;   /* bits SA_INSPECT_* */
    uint32_t flags;      /* bits SA_PCM_* of the stream before it was restored */
    uint32_t block;      /* frames converted at a time before they are resampled */
    uint32_t spill_room; /* most samples of one frame; 0 when that is one */
    uint32_t spilled;    /* samples of each channel's spill that have not been written to its run */
    uint32_t spill_from; /* index of the first of these */
    float *spill;        /* samples of the last frame that found no room; spill_room for each channel */
    uint32_t *scratch_offsets;
    struct {
        sa_resampler *resampler;
        sa_vad *vad; /* borrowed; NULL: none */
    } channel[];
};

#endif
