/* Parts of the state of handles that the chain reads. Internal. */
#ifndef STREAMER_STATE_H
#define STREAMER_STATE_H

#include "streamer_audio.h"

/* Returns 1 when both handles, of the same rates, have read and written as much as each other. */
int sa_resampler_in_step(const sa_resampler *one, const sa_resampler *other);

#endif
