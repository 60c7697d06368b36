/* State of a voice activity detector. Internal. */
#ifndef STREAMER_VAD_H
#define STREAMER_VAD_H

#include "streamer_audio.h"
#include "vad_level.h"

#define SA_VAD_FLOOR_WINDOWS 200.0f /* time constant of the floor */
#define SA_VAD_BLOCK_WINDOWS 50u    /* the bound is the minimum of blocks of 0.5 s */
#define SA_VAD_BLOCKS 5u            /* whole blocks remembered, besides the current one */
#define SA_VAD_GAP_WINDOWS 10u      /* empty windows in a row that are a gap between words */

struct sa_vad {
    const sa_level *level; /* shared */
    float threshold_db;    /* above the floor, where speech begins */
    float exit_db;         /* above the floor, where speech ends */
    float lowest_db;       /* lowest floor */

    /* The state of the stream, which `reset` clears. */
    uint32_t filled;              /* samples of `pending` */
    uint32_t empty;               /* empty windows in a row, up to SA_VAD_GAP_WINDOWS */
    float learned;                /* windows that the floor is the mean of, up to SA_VAD_FLOOR_WINDOWS */
    uint32_t block_windows;       /* windows of the current block */
    uint32_t next_block;          /* index of the oldest of `minima` */
    float smooth_db;              /* smoothed level, which decides */
    float floor_db;               /* noise floor */
    float block_minimum;          /* of the current block */
    float minima[SA_VAD_BLOCKS];  /* of whole blocks */
    int speaking;                 /* the last window was speech */
    int partial;                  /* the last window was empty: the next one may be so in part */
    float pending[];              /* samples of the incomplete window */
};

#endif
