/* Owners open and close sessions at the same time: limits are exact at every moment, and what a killed owner leaves is
 * found by its number. */
#define _GNU_SOURCE
#include "../streamer_audio.h"

#include "../fuzz/input.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define OWNERS 4u
#define LIMIT 20u
#define KEY_LIMIT 3u
#define KEYS 5u
#define ROUNDS 4000u

static int table_fd;
/* Sessions that owners know to be open, counted after each claim and before each release. */
static _Atomic uint32_t open_sessions, open_by_key[KEYS];

static void *owner_thread(void *number) {
    uint32_t owner = (uint32_t)(uintptr_t)number;
    sa_session_table *table = sa_session_table_open(table_fd);
    REQUIRE(table != NULL);
    int32_t places[LIMIT];
    uint32_t keys[LIMIT], held = 0, random = owner;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        random = random * 1664525u + 1013904223u;
        uint32_t key = (random >> 16) % KEYS;
        int32_t place = held < LIMIT ? sa_session_table_claim(table, owner, 7, key, LIMIT, KEY_LIMIT) : SA_CLAIM_FULL;
        REQUIRE(place != SA_CLAIM_INVALID && place < (int32_t)LIMIT);
        if (place >= 0) {
            REQUIRE(atomic_fetch_add(&open_sessions, 1) < LIMIT);
            REQUIRE(atomic_fetch_add(&open_by_key[key], 1) < KEY_LIMIT);
            places[held] = place;
            keys[held++] = key;
        }
        if (held > 0 && (place < 0 || random >> 31)) {
            held--;
            atomic_fetch_sub(&open_by_key[keys[held]], 1);
            atomic_fetch_sub(&open_sessions, 1);
            REQUIRE(sa_session_table_release(table, owner, places[held]) == 1);
        }
    }
    for (uint32_t i = 0; i < held; i++) {
        atomic_fetch_sub(&open_by_key[keys[i]], 1);
        atomic_fetch_sub(&open_sessions, 1);
    }
    REQUIRE(sa_session_table_count(table, owner) == held);
    REQUIRE(sa_session_table_reclaim(table, owner) == held);
    sa_session_table_free(table);
    return NULL;
}

/* Claims until it is refused. */
static void *filling_thread(void *number) {
    sa_session_table *table = sa_session_table_open(table_fd);
    uint32_t owner = (uint32_t)(uintptr_t)number, mine = 0;
    while (sa_session_table_claim(table, owner, 0, 1, LIMIT, LIMIT - 1) >= 0) mine++;
    sa_session_table_free(table);
    return (void *)(uintptr_t)mine;
}

static uint32_t run_all(void *(*body)(void *)) {
    pthread_t threads[OWNERS];
    uint32_t sum = 0;
    for (uint32_t i = 0; i < OWNERS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, body, (void *)(uintptr_t)(i + 1)) == 0);
    for (uint32_t i = 0; i < OWNERS; i++) {
        void *result = NULL;
        REQUIRE(pthread_join(threads[i], &result) == 0);
        sum += (uint32_t)(uintptr_t)result;
    }
    return sum;
}

/* A process that opens and closes sessions is killed at any moment. */
static void killed_owner(sa_session_table *table, useconds_t after) {
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        sa_session_table *own = sa_session_table_open(table_fd);
        for (uint32_t i = 0;; i++) {
            int32_t place = sa_session_table_claim(own, 9, 0, i % KEYS, LIMIT, KEY_LIMIT);
            if (place >= 0 && i % 3 != 0) sa_session_table_release(own, 9, place);
            if (place < 0) sa_session_table_release(own, 9, (int32_t)(i % LIMIT));
        }
    }
    usleep(after);
    REQUIRE(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    sa_session_table_reclaim(table, 9);
    REQUIRE(sa_session_table_count(table, 0) == 1 && sa_session_table_count(table, 9) == 0);
    for (uint32_t i = 1; i < LIMIT; i++) REQUIRE(sa_session_table_claim(table, 2, 0, 99, LIMIT, 0) >= 0);
    REQUIRE(sa_session_table_claim(table, 2, 0, 99, LIMIT, 0) == SA_CLAIM_FULL);
    REQUIRE(sa_session_table_reclaim(table, 2) == LIMIT - 1);
}

static void arguments(sa_session_table *table) {
    REQUIRE(sa_session_table_new(0) == NULL && sa_session_table_new(SA_MAX_SESSIONS + 1) == NULL);
    REQUIRE(sa_session_table_open(-1) == NULL && sa_session_table_open(0) == NULL);
    REQUIRE(sa_session_table_claim(NULL, 1, 0, 0, 1, 0) == SA_CLAIM_INVALID);
    REQUIRE(sa_session_table_claim(table, 0, 0, 0, 1, 0) == SA_CLAIM_INVALID);
    REQUIRE(sa_session_table_claim(table, SA_MAX_OWNER + 1, 0, 0, 1, 0) == SA_CLAIM_INVALID);
    REQUIRE(sa_session_table_claim(table, 1, UINT16_MAX + 1u, 0, 1, 0) == SA_CLAIM_INVALID);
    REQUIRE(sa_session_table_claim(table, 1, 0, 0, 0, 0) == SA_CLAIM_INVALID);
    REQUIRE(sa_session_table_claim(table, 1, 0, 0, 2 * LIMIT + 1, 0) == SA_CLAIM_INVALID);
    REQUIRE(sa_session_table_release(NULL, 1, 0) == 0 && sa_session_table_release(table, 1, -1) == 0);
    REQUIRE(sa_session_table_release(table, 1, 2 * LIMIT) == 0 && sa_session_table_release(table, 1, 0) == 0);
    REQUIRE(sa_session_table_has_room(NULL, 1) == 0 && sa_session_table_has_room(table, 0) == 0);
    REQUIRE(sa_session_table_has_room(table, 2 * LIMIT + 1) == 0 && sa_session_table_has_room(table, 1) == 1);
    REQUIRE(sa_session_table_count(NULL, 0) == 0 && sa_session_table_count(table, SA_MAX_OWNER + 1) == 0);
    REQUIRE(sa_session_table_reclaim(NULL, 1) == 0 && sa_session_table_reclaim(table, 0) == 0);
    REQUIRE(sa_session_table_fd(NULL) == -1);
    sa_session_table_free(NULL);
}

/* Sessions beyond a limit that was lowered count for it. */
static void lowered_limit(sa_session_table *table) {
    int32_t places[4];
    for (int i = 0; i < 4; i++) REQUIRE((places[i] = sa_session_table_claim(table, 1, 0, 5, 4, 0)) == i);
    REQUIRE(sa_session_table_release(table, 2, places[0]) == 0);
    REQUIRE(sa_session_table_release(table, 1, places[0]) == 1 && sa_session_table_release(table, 1, places[0]) == 0);
    REQUIRE(sa_session_table_has_room(table, 3) == 0 && sa_session_table_claim(table, 1, 0, 5, 3, 0) == SA_CLAIM_FULL);
    REQUIRE(sa_session_table_release(table, 1, places[3]) == 1 && sa_session_table_has_room(table, 3) == 1);
    REQUIRE(sa_session_table_claim(table, 1, 0, 5, 3, 2) == SA_CLAIM_KEY_LIMIT);
    REQUIRE(sa_session_table_claim(table, 1, 0, 5, 3, 3) == 0);
    REQUIRE(sa_session_table_reclaim(table, 1) == 3);
}

int main(void) {
    sa_session_table *table = sa_session_table_new(2 * LIMIT);
    REQUIRE(table != NULL);
    table_fd = sa_session_table_fd(table);
    arguments(table);
    lowered_limit(table);
    REQUIRE(sa_session_table_claim(table, 1, 0, 77, LIMIT, 0) >= 0);
    for (uint32_t i = 0; i < 20; i++) killed_owner(table, 1000 + 137 * i);
    REQUIRE(sa_session_table_reclaim(table, 1) == 1);
    run_all(owner_thread);
    REQUIRE(sa_session_table_count(table, 0) == 0);
    REQUIRE(run_all(filling_thread) == LIMIT - 1);
    sa_session_table_free(table);
    return 0;
}
