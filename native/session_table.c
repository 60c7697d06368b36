/*
 * A table in shared memory with a word for each session of several processes.
 *
 * A word is 0 (free) or names the owner, a key and whether the claim is pending:
 *
 *     bit 63      pending
 *     bits 48-62  owner, 1 to SA_MAX_OWNER
 *     bits 0-47   key
 *
 * One compare-and-swap opens a session and one store closes it, so nothing is half done when a process is killed at any
 * instruction: what it owned is found by its number. No process ever waits for another.
 */
#define _GNU_SOURCE
#include "streamer_audio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Marks the memory of a table, version included. */
#define MAGIC UINT64_C(0x7361735f74626c31)
#define PENDING (UINT64_C(1) << 63)
#define KEY_MASK ((UINT64_C(1) << 48) - 1)
/* Two claims of one key that see each other give up, and try again after pauses of different lengths. */
#define ATTEMPTS 32u

typedef _Atomic uint64_t word;

/* The shared memory. */
typedef struct {
    word magic;
    word capacity;
    /* All words from here on are free. It only grows. */
    word used_end;
    uint64_t unused[5];
    word words[];
} shared;

struct sa_session_table {
    shared *memory;
    size_t bytes;
    int fd;
    uint32_t capacity;
    /* Where the search for a free word begins; no promise. */
    uint32_t hint;
};

static sa_session_table *map_table(int fd, uint32_t capacity) {
    size_t bytes = sizeof(shared) + (size_t)capacity * sizeof(word);
    sa_session_table *table = calloc(1, sizeof *table);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (table == NULL || memory == MAP_FAILED) {
        if (memory != MAP_FAILED) munmap(memory, bytes);
        free(table);
        close(fd);
        return NULL;
    }
    *table = (sa_session_table){.memory = memory, .bytes = bytes, .fd = fd, .capacity = capacity, .hint = 0};
    return table;
}

sa_session_table *sa_session_table_new(uint32_t capacity) {
    if (capacity < 1 || capacity > SA_MAX_SESSIONS) return NULL;
    int fd = memfd_create("streamer-sessions", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return NULL;
    /* Nobody who has the descriptor can make the memory shorter, which would end all processes by SIGBUS. */
    if (ftruncate(fd, (off_t)(sizeof(shared) + (size_t)capacity * sizeof(word))) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        close(fd);
        return NULL;
    }
    sa_session_table *table = map_table(fd, capacity);
    if (table == NULL) return NULL;
    atomic_store(&table->memory->capacity, capacity);
    atomic_store(&table->memory->magic, MAGIC);
    return table;
}

sa_session_table *sa_session_table_open(int32_t fd) {
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size < (off_t)(sizeof(shared) + sizeof(word))) return NULL;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) return NULL;
    uint64_t capacity = ((uint64_t)status.st_size - sizeof(shared)) / sizeof(word);
    if (capacity > SA_MAX_SESSIONS) return NULL;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) return NULL;
    sa_session_table *table = map_table(own, (uint32_t)capacity);
    if (table == NULL) return NULL;
    if (atomic_load(&table->memory->magic) == MAGIC && atomic_load(&table->memory->capacity) == capacity) return table;
    sa_session_table_free(table);
    return NULL;
}

int32_t sa_session_table_fd(const sa_session_table *table) { return table == NULL ? -1 : table->fd; }

static uint32_t owner_of(uint64_t value) { return (uint32_t)(value >> 48) & SA_MAX_OWNER; }

/* At most the capacity, whatever another process has written. */
static uint32_t used_end(const sa_session_table *table) {
    uint64_t end = atomic_load(&table->memory->used_end);
    return end < table->capacity ? (uint32_t)end : table->capacity;
}

/* Returns a free word in from .. to - 1; `to` when there is none. */
static uint32_t find_free(const sa_session_table *table, uint32_t from, uint32_t to) {
    word *words = table->memory->words;
    while (from < to && atomic_load_explicit(&words[from], memory_order_relaxed) != 0) from++;
    return from;
}

/* Puts `value` in a free word below `limit`. Returns its number, or -1 when there is none. */
static int32_t take(sa_session_table *table, uint64_t value, uint32_t limit) {
    uint32_t hint = table->hint < limit ? table->hint : 0;
    for (int part = 0; part < 2; part++) {
        uint32_t end = part == 0 ? limit : hint;
        for (uint32_t i = part == 0 ? hint : 0; (i = find_free(table, i, end)) < end; i++) {
            uint64_t last = atomic_load(&table->memory->used_end);
            /* First the end, then the word: whoever counts sees it. */
            while (last <= i && !atomic_compare_exchange_weak(&table->memory->used_end, &last, (uint64_t)i + 1)) {}
            uint64_t expected = 0;
            if (!atomic_compare_exchange_strong(&table->memory->words[i], &expected, value)) continue;
            table->hint = i + 1;
            return (int32_t)i;
        }
    }
    return -1;
}

/* Words in use, all or those of a key. */
typedef struct {
    uint32_t confirmed, pending;
} tally;

static tally count(const sa_session_table *table, uint64_t mask, uint64_t wanted) {
    tally found = {0, 0};
    uint32_t end = used_end(table);
    for (uint32_t i = 0; i < end; i++) {
        uint64_t value = atomic_load(&table->memory->words[i]);
        if (value == 0 || (value & mask) != wanted) continue;
        if (value & PENDING) found.pending++;
        else found.confirmed++;
    }
    return found;
}

/* Keeps the processor busy for a time that differs between owners and attempts. */
static void pause_for(uint32_t owner, uint32_t attempt) {
    volatile uint32_t spins = ((owner * 7919u + attempt * 104729u) % 64u + 1u) << (attempt < 8 ? attempt : 8);
    while (spins > 0) spins--;
}

int32_t sa_session_table_claim(sa_session_table *table, uint32_t owner, uint32_t key_high, uint32_t key_low,
                               uint32_t limit, uint32_t key_limit) {
    if (table == NULL || owner < 1 || owner > SA_MAX_OWNER || key_high > UINT16_MAX) return SA_CLAIM_INVALID;
    if (limit < 1 || limit > table->capacity) return SA_CLAIM_INVALID;
    uint64_t key = (uint64_t)key_high << 32 | key_low;
    uint64_t value = (uint64_t)owner << 48 | key;
    for (uint32_t attempt = 0; attempt < ATTEMPTS; attempt++) {
        /* Does not take a place, not for a moment, from others for a key that has none left. */
        if (key_limit > 0 && count(table, KEY_MASK, key).confirmed >= key_limit) return SA_CLAIM_KEY_LIMIT;
        int32_t place = take(table, value | PENDING, limit);
        if (place < 0) return SA_CLAIM_FULL;
        /* The counts include this claim. Of two claims at the same time at least one sees the other. */
        tally own = key_limit > 0 ? count(table, KEY_MASK, key) : (tally){0, 1};
        tally all = used_end(table) > limit ? count(table, 0, 0) : (tally){0, 1};
        bool fits = (key_limit == 0 || own.confirmed + own.pending <= key_limit) && all.confirmed + all.pending <= limit;
        atomic_store(&table->memory->words[place], fits ? value : 0);
        if (fits) return place;
        if ((uint32_t)place < table->hint) table->hint = (uint32_t)place;
        if (key_limit > 0 && own.confirmed >= key_limit) return SA_CLAIM_KEY_LIMIT;
        if (all.confirmed >= limit) return SA_CLAIM_FULL;
        pause_for(owner, attempt);
    }
    return SA_CLAIM_FULL;
}

int32_t sa_session_table_release(sa_session_table *table, uint32_t owner, int32_t place) {
    if (table == NULL || place < 0 || (uint32_t)place >= table->capacity) return 0;
    word *target = &table->memory->words[place];
    uint64_t value = atomic_load(target);
    if (value == 0 || owner_of(value) != owner) return 0;
    if (!atomic_compare_exchange_strong(target, &value, 0)) return 0;
    if ((uint32_t)place < table->hint) table->hint = (uint32_t)place;
    return 1;
}

int32_t sa_session_table_has_room(const sa_session_table *table, uint32_t limit) {
    if (table == NULL || limit < 1 || limit > table->capacity) return 0;
    uint32_t hint = table->hint < limit ? table->hint : 0;
    bool found = find_free(table, hint, limit) < limit || find_free(table, 0, hint) < hint;
    if (!found || used_end(table) <= limit) return found;
    return count(table, 0, 0).confirmed < limit;
}

uint32_t sa_session_table_count(const sa_session_table *table, uint32_t owner) {
    if (table == NULL || owner > SA_MAX_OWNER) return 0;
    if (owner == 0) return count(table, 0, 0).confirmed;
    return count(table, (uint64_t)SA_MAX_OWNER << 48, (uint64_t)owner << 48).confirmed;
}

uint32_t sa_session_table_reclaim(sa_session_table *table, uint32_t owner) {
    if (table == NULL || owner < 1 || owner > SA_MAX_OWNER) return 0;
    uint32_t freed = 0;
    uint32_t end = used_end(table);
    for (uint32_t i = 0; i < end; i++) {
        uint64_t value = atomic_load(&table->memory->words[i]);
        if (value == 0 || owner_of(value) != owner) continue;
        atomic_store(&table->memory->words[i], 0);
        if (!(value & PENDING)) freed++;
    }
    table->hint = 0;
    return freed;
}

void sa_session_table_free(sa_session_table *table) {
    if (table == NULL) return;
    munmap(table->memory, table->bytes);
    close(table->fd);
    free(table);
}
