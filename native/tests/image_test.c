/* Images of handles: what is restored equals what was saved, and nothing else is accepted. */
#include "../streamer_audio.h"

#include "../fuzz/input.h"

static void null_arguments(void) {
    uint8_t *image = block(16);
    memset(image, 0, 16);
    REQUIRE(sa_resampler_save(NULL, image, 16) == 0 && sa_resampler_restore(NULL, image, 16) == -1);
    REQUIRE(sa_vad_save(NULL, image, 16) == 0 && sa_vad_restore(NULL, image, 16) == -1);
    REQUIRE(sa_inspector_save(NULL, image, 16) == 0 && sa_inspector_restore(NULL, image, 16) == -1);
    REQUIRE(sa_chain_save(NULL, image, 16) == 0 && sa_chain_restore(NULL, image, 16) == -1);
    free(image);
}

/* A resampler takes the image of the same rates only, and goes on with the same bits. */
static void resampler_images(void) {
    float in[1000], one_out[1000], two_out[1000];
    for (int i = 0; i < 1000; i++) in[i] = (float)(i % 37) / 37;
    sa_resampler *one = sa_resampler_new(44100, 16000), *two = sa_resampler_new(44100, 16000);
    sa_resampler *other = sa_resampler_new(48000, 16000);
    sa_resampler_process(one, in, 0, 777, one_out, 0);
    uint32_t size = sa_resampler_save(one, NULL, 0);
    REQUIRE(size > 0 && size <= sa_resampler_bytes(one) + 64);
    uint8_t *image = block(size);
    REQUIRE(sa_resampler_save(one, image, size) == size);
    REQUIRE(sa_resampler_restore(other, image, size) == -1);
    REQUIRE(sa_resampler_restore(two, image, size - 1) == -1);
    for (uint32_t at = 0; at < 28; at++) {
        /* The fields before the samples: another value is out of range, or a state that is possible. */
        image[at] ^= 0x80;
        sa_resampler_restore(two, image, size);
        image[at] ^= 0x80;
    }
    REQUIRE(sa_resampler_restore(two, NULL, size) == -1);
    REQUIRE(sa_resampler_restore(two, image, size) == 0);
    int32_t count = sa_resampler_process(one, in, 777, 223, one_out, 0);
    REQUIRE(count > 0 && sa_resampler_process(two, in, 777, 223, two_out, 0) == count);
    REQUIRE(memcmp(one_out, two_out, (size_t)count * sizeof(float)) == 0);
    sa_resampler_flush(one, one_out, 0, 1000);
    REQUIRE(sa_resampler_save(one, image, size) == 0);
    sa_resampler_free(one);
    sa_resampler_free(two);
    sa_resampler_free(other);
    free(image);
}

/* A detector takes the image of the same settings only, in the middle of a window, too. */
static void vad_images(void) {
    float samples[4000];
    uint8_t one_speech[100], two_speech[100];
    float one_db[100], two_db[100];
    for (int i = 0; i < 4000; i++) samples[i] = (i / 1000 % 2 ? 0.3f : 0.001f) * (float)(i % 7 - 3);
    sa_vad *one = sa_vad_new(8000, 10, -70), *two = sa_vad_new(8000, 10, -70), *other = sa_vad_new(8000, 11, -70);
    sa_vad_process(one, samples, 0, 1234, one_speech, one_db);
    uint32_t size = sa_vad_save(one, NULL, 0);
    uint8_t *image = block(size);
    REQUIRE(sa_vad_save(one, image, size) == size);
    REQUIRE(sa_vad_restore(other, image, size) == -1 && sa_vad_restore(two, image, size - 1) == -1);
    REQUIRE(sa_vad_restore(two, image, size) == 0);
    int32_t windows = sa_vad_process(one, samples, 1234, 2766, one_speech, one_db);
    REQUIRE(windows > 0 && sa_vad_process(two, samples, 1234, 2766, two_speech, two_db) == windows);
    REQUIRE(memcmp(one_speech, two_speech, (size_t)windows) == 0);
    REQUIRE(memcmp(one_db, two_db, (size_t)windows * sizeof(float)) == 0);
    sa_vad_free(one);
    sa_vad_free(two);
    sa_vad_free(other);
    free(image);
}

/* A chain that refuses an image is like new. */
static void chain_images(void) {
    uint8_t bytes[800] = {0}, speech[SA_CHAIN_WINDOWS];
    float out[400], level_db[SA_CHAIN_WINDOWS];
    uint32_t offset = 0;
    sa_chain_report report;
    sa_chain *one = sa_chain_new(SA_PCM_S16, 1, 8000, 8000), *two = sa_chain_new(SA_PCM_U8, 1, 8000, 8000);
    REQUIRE(sa_chain_process(one, bytes, 0, 800, out, &offset, 400, &report, speech, level_db) == 800);
    uint32_t size = sa_chain_save(one, NULL, 0);
    uint8_t *image = block(size);
    REQUIRE(sa_chain_save(one, image, size) == size);
    REQUIRE(sa_chain_restore(two, image, size) == -1 && sa_chain_restore(two, NULL, size) == -1);
    REQUIRE(sa_chain_restore(one, image, size - 1) == -1);
    REQUIRE(sa_chain_restore(one, image, size) == 0);
    REQUIRE(sa_chain_flush(one, out, &offset, 400, &report, speech, level_db) == 0);
    REQUIRE(sa_chain_save(one, image, size) == 0);
    sa_chain_free(one);
    sa_chain_free(two);
    free(image);
}

int main(void) {
    null_arguments();
    resampler_images();
    vad_images();
    chain_images();
    return 0;
}
