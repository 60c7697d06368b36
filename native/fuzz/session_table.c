/* Session table: any history of claims and releases of several owners counts as a plain list does, and memory that is no
 * table, or whose content is arbitrary, is refused or used within its bounds. */
#define _GNU_SOURCE
#include "../streamer_audio.h"

#include "input.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define OWNERS 3u
#define MOST 40u

typedef struct {
    uint32_t owner; /* 0: free */
    uint64_t key;
} session;

static uint32_t count_of(const session *open, uint32_t owner, uint64_t key, int by_key) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < MOST; i++)
        count += open[i].owner != 0 && (owner == 0 || open[i].owner == owner) && (!by_key || open[i].key == key);
    return count;
}

static void run_history(fuzz_input *input) {
    uint32_t capacity = take(input, 1, MOST);
    sa_session_table *tables[OWNERS];
    session open[MOST] = {{0, 0}};
    tables[0] = sa_session_table_new(capacity);
    REQUIRE(tables[0] != NULL);
    for (uint32_t i = 1; i < OWNERS; i++) {
        tables[i] = sa_session_table_open(sa_session_table_fd(tables[0]));
        REQUIRE(tables[i] != NULL);
    }
    while (input->size > 0) {
        uint32_t index = take(input, 0, OWNERS - 1), owner = index == 2 ? SA_MAX_OWNER : index + 1;
        sa_session_table *table = tables[index];
        switch (take(input, 0, 3)) {
        case 0: { /* claim */
            uint32_t high = take(input, 0, 1) ? UINT16_MAX : 0, low = take(input, 0, 3) * 0x55555555u;
            uint32_t limit = take(input, 0, capacity + 1), key_limit = take(input, 0, 4);
            uint64_t key = (uint64_t)high << 32 | low;
            int32_t place = sa_session_table_claim(table, owner, high, low, limit, key_limit);
            if (limit < 1 || limit > capacity) {
                REQUIRE(place == SA_CLAIM_INVALID);
            } else if (key_limit > 0 && count_of(open, 0, key, 1) >= key_limit) {
                REQUIRE(place == SA_CLAIM_KEY_LIMIT);
            } else if (count_of(open, 0, 0, 0) >= limit) {
                REQUIRE(place == SA_CLAIM_FULL);
            } else if (place != SA_CLAIM_FULL) { /* free places may all be beyond the limit */
                REQUIRE(place >= 0 && (uint32_t)place < limit && open[place].owner == 0);
                open[place] = (session){owner, key};
            } else {
                for (uint32_t i = 0; i < limit; i++) REQUIRE(open[i].owner != 0);
            }
            break;
        }
        case 1: { /* release */
            int32_t place = (int32_t)take(input, 0, MOST + 2) - 1;
            int own = place >= 0 && (uint32_t)place < capacity && open[place].owner == owner;
            REQUIRE(sa_session_table_release(table, owner, place) == own);
            if (own) open[place].owner = 0;
            break;
        }
        case 2: { /* counts */
            uint32_t limit = take(input, 0, capacity + 1), all = count_of(open, 0, 0, 0), lower = 0;
            for (uint32_t i = 0; i < limit && i < MOST; i++) lower += open[i].owner != 0;
            int room = limit >= 1 && limit <= capacity && lower < limit && all < limit;
            REQUIRE(sa_session_table_has_room(table, limit) == room);
            REQUIRE(sa_session_table_count(table, 0) == all);
            REQUIRE(sa_session_table_count(table, owner) == count_of(open, owner, 0, 0));
            break;
        }
        default: /* the owner ends */
            if (take(input, 0, 7) > 0) break;
            REQUIRE(sa_session_table_reclaim(table, owner) == count_of(open, owner, 0, 0));
            for (uint32_t i = 0; i < MOST; i++)
                if (open[i].owner == owner) open[i].owner = 0;
        }
    }
    for (uint32_t i = 0; i < OWNERS; i++) sa_session_table_free(tables[i]);
}

/* Opens a file with the bytes of the input, perhaps behind the head of a table. */
static void open_memory(fuzz_input *input) {
    int sealed = take(input, 0, 1) == 1, headed = take(input, 0, 3) > 0;
    uint32_t size = take(input, 0, 700);
    uint8_t *bytes = block(size);
    for (uint32_t i = 0; i < size; i++) bytes[i] = (uint8_t)take(input, 0, 255);
    if (headed && size >= 72) {
        sa_session_table *genuine = sa_session_table_new((size - 64) / 8);
        REQUIRE(genuine != NULL && pread(sa_session_table_fd(genuine), bytes, 16, 0) == 16);
        sa_session_table_free(genuine);
    }
    int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    REQUIRE(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    if (sealed) REQUIRE(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    sa_session_table *table = sa_session_table_open(fd);
    /* Whoever has the descriptor of a file that is not sealed could make it shorter, which ends all by SIGBUS. */
    REQUIRE(table == NULL || sealed);
    if (table != NULL) {
        uint32_t capacity = (size - 64) / 8;
        sa_session_table_count(table, 0);
        sa_session_table_has_room(table, capacity);
        REQUIRE(sa_session_table_claim(table, 1, 0, 1, capacity, 3) < (int32_t)capacity);
        sa_session_table_reclaim(table, 1);
        REQUIRE(sa_session_table_count(table, 1) == 0);
        sa_session_table_free(table);
    }
    REQUIRE(sa_session_table_open(-1) == NULL);
    close(fd);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    if (take(&input, 0, 3) > 0) run_history(&input);
    else open_memory(&input);
    return 0;
}
