/* Byte images of handles: what `save` writes and `restore` reads. Internal. */
#ifndef STREAMER_IMAGE_H
#define STREAMER_IMAGE_H

#include <stdint.h>
#include <string.h>

/* Version of all images. It changes with the meaning of any field, so that no handle is restored from another one. */
#define SA_IMAGE_VERSION 1u

/* Begins an image: its kind and version. */
#define SA_IMAGE_RESAMPLER (0x52530000u | SA_IMAGE_VERSION)
#define SA_IMAGE_VAD (0x56410000u | SA_IMAGE_VERSION)
#define SA_IMAGE_INSPECTOR (0x494e0000u | SA_IMAGE_VERSION)
#define SA_IMAGE_CHAIN (0x43480000u | SA_IMAGE_VERSION)

/* A writer counts what does not fit, so that a caller learns the size. */
typedef struct {
    uint8_t *bytes;
    uint32_t capacity;
    uint32_t length; /* of the image, also of what did not fit */
} sa_image_writer;

static inline void sa_write(sa_image_writer *image, const void *from, size_t size) {
    if (size > 0 && image->bytes != NULL && image->length <= image->capacity && size <= image->capacity - image->length)
        memcpy(image->bytes + image->length, from, size);
    image->length += (uint32_t)size;
}

static inline void sa_write_u32(sa_image_writer *image, uint32_t value) { sa_write(image, &value, sizeof value); }

/* A reader yields zeros once the image is used up, and remembers that. */
typedef struct {
    const uint8_t *bytes;
    uint32_t left;
    int failed;
} sa_image_reader;

static inline void sa_read(sa_image_reader *image, void *to, size_t size) {
    if (size == 0) return;
    if (image->failed || size > image->left) {
        image->failed = 1;
        memset(to, 0, size);
        return;
    }
    memcpy(to, image->bytes, size);
    image->bytes += size;
    image->left -= (uint32_t)size;
}

static inline uint32_t sa_read_u32(sa_image_reader *image) {
    uint32_t value;
    sa_read(image, &value, sizeof value);
    return value;
}

static inline float sa_read_f32(sa_image_reader *image) {
    float value;
    sa_read(image, &value, sizeof value);
    return value;
}

/* Takes a part of `length` bytes, which is an image of its own. */
static inline sa_image_reader sa_read_part(sa_image_reader *image, uint32_t length) {
    sa_image_reader part = {image->bytes, length, image->failed};
    if (image->failed || length > image->left) {
        image->failed = 1;
        return (sa_image_reader){NULL, 0, 1};
    }
    image->bytes += length;
    image->left -= length;
    return part;
}

/* Returns 1 when everything was there and nothing is left. */
static inline int sa_read_all(const sa_image_reader *image) { return !image->failed && image->left == 0; }

#endif
