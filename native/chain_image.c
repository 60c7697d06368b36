/* The image of a chain: its own state, and the images of its parts behind their lengths. See streamer_audio.h. */
#include "chain.h"
#include "image.h"
#include "inspector.h"
#include "state.h"

/* Writes the image of a part of the chain behind its length. */
#define WRITE_PART(writer, save, handle)                                                                               \
    do {                                                                                                               \
        uint32_t size = save(handle, NULL, 0);                                                                         \
        sa_write_u32(writer, size);                                                                                    \
        int fits = (writer)->bytes != NULL && (writer)->length <= (writer)->capacity &&                                \
                   size <= (writer)->capacity - (writer)->length;                                                      \
        if (fits) save(handle, (writer)->bytes + (writer)->length, size);                                              \
        (writer)->length += size;                                                                                      \
    } while (0)

uint32_t sa_chain_save(const sa_chain *chain, uint8_t *image, uint32_t capacity) {
    if (chain == NULL || chain->ended) return 0;
    sa_image_writer writer = {image, capacity, 0};
    sa_write_u32(&writer, SA_IMAGE_CHAIN);
    sa_write_u32(&writer, chain->format);
    sa_write_u32(&writer, chain->channels);
    sa_write_u32(&writer, chain->flags | sa_pcm_flags(chain->pcm));
    WRITE_PART(&writer, sa_inspector_save, chain->inspector);
    sa_write_u32(&writer, chain->spilled);
    for (uint32_t channel = 0; channel < chain->channels; channel++) {
        sa_resampler *resampler = chain->channel[channel].resampler;
        sa_vad *vad = chain->channel[channel].vad;
        if (chain->spilled > 0)
            sa_write(&writer, chain->spill + (size_t)channel * chain->spill_room + chain->spill_from,
                     chain->spilled * sizeof(float));
        if (resampler != NULL) WRITE_PART(&writer, sa_resampler_save, resampler);
        sa_write_u32(&writer, vad != NULL);
        if (vad != NULL) WRITE_PART(&writer, sa_vad_save, vad);
    }
    return writer.length;
}

/* Restores one channel. Returns 0 when the image is not one of it. */
static int restore_channel(sa_chain *chain, uint32_t channel, uint32_t spilled, sa_image_reader *reader) {
    sa_resampler *resampler = chain->channel[channel].resampler;
    sa_vad *vad = chain->channel[channel].vad;
    if (spilled > 0) sa_read(reader, chain->spill + (size_t)channel * chain->spill_room, spilled * sizeof(float));
    if (resampler != NULL) {
        sa_image_reader part = sa_read_part(reader, sa_read_u32(reader));
        if (reader->failed || sa_resampler_restore(resampler, part.bytes, part.left) != 0) return 0;
    }
    if (sa_read_u32(reader) != (vad != NULL) || reader->failed) return 0;
    if (vad == NULL) return 1;
    sa_image_reader part = sa_read_part(reader, sa_read_u32(reader));
    return !reader->failed && sa_vad_restore(vad, part.bytes, part.left) == 0;
}

static int restore(sa_chain *chain, sa_image_reader *reader) {
    if (sa_read_u32(reader) != SA_IMAGE_CHAIN || sa_read_u32(reader) != chain->format) return 0;
    if (sa_read_u32(reader) != chain->channels) return 0;
    uint32_t flags = sa_read_u32(reader);
    if (flags > (SA_PCM_NOT_A_NUMBER | SA_PCM_OUT_OF_RANGE)) return 0;
    sa_image_reader part = sa_read_part(reader, sa_read_u32(reader));
    if (reader->failed || sa_inspector_restore(chain->inspector, part.bytes, part.left) != 0) return 0;
    uint32_t spilled = sa_read_u32(reader);
    if (spilled > chain->spill_room) return 0;
    for (uint32_t channel = 0; channel < chain->channels; channel++)
        if (!restore_channel(chain, channel, spilled, reader)) return 0;
    /* Every resampler is at the same place: the first one decides how much is converted for all of them. */
    for (uint32_t channel = 1; channel < chain->channels && chain->resamples; channel++)
        if (!sa_resampler_in_step(chain->channel[0].resampler, chain->channel[channel].resampler)) return 0;
    if (!sa_read_all(reader)) return 0;
    chain->flags = flags;
    chain->observed = chain->inspector->observed;
    chain->spilled = spilled;
    chain->spill_from = 0;
    return 1;
}

int32_t sa_chain_restore(sa_chain *chain, const uint8_t *image, uint32_t length) {
    if (chain == NULL || image == NULL) return -1;
    sa_chain_reset(chain);
    sa_image_reader reader = {image, length, 0};
    if (restore(chain, &reader)) return 0;
    sa_chain_reset(chain);
    return -1;
}
