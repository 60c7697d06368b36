/* State of an inspector. Internal. */
#ifndef STREAMER_INSPECTOR_H
#define STREAMER_INSPECTOR_H

#include "streamer_audio.h"

#define SA_CLIPPED_RUN 4u   /* equal samples */
#define SA_CLIPPED_RUNS 10u /* within one second */
#define SA_INSPECT_KINDS 3u

typedef struct {
    uint64_t silent;                /* zeros in a row up to the position */
    uint64_t runs[SA_CLIPPED_RUNS]; /* positions at which the last runs reached SA_CLIPPED_RUN, a ring */
    uint64_t run_count;
    float run_value;
    uint32_t run_length; /* samples in a row equal to run_value, counted up to SA_CLIPPED_RUN */
} sa_inspected_channel;

struct sa_inspector {
    uint32_t sample_rate;
    uint32_t channels;
    uint32_t observed;
    int32_t first_channel[SA_INSPECT_KINDS]; /* by bit number */
    uint64_t position;                       /* frames read */
    uint64_t identical; /* equal frames in a row up to the position, from the first one that is not silent */
    sa_inspected_channel channel[];
};

#endif
