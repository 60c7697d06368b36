/* Connections: listed, ended and accepted in any order, with any arguments. Only descriptors that the input has opened
 * are named. */
#define _GNU_SOURCE
#include "../streamer_audio.h"

#include "input.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 6

struct world {
    int loop, listener, port;
    int clients[MOST], served[MOST], open[MOST];
    int count;
};

static void connect_one(struct world *world) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)world->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), at = world->count++;
    REQUIRE(client >= 0 && connect(client, (struct sockaddr *)&address, sizeof address) == 0);
    world->clients[at] = client;
    REQUIRE((world->served[at] = accept4(world->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
    world->open[at] = 1;
}

static int open_count(const struct world *world) {
    int count = 0;
    for (int i = 0; i < world->count; i++) count += world->open[i];
    return count;
}

/* Lists with any capacity, and checks every entry. */
static void list(struct world *world, uint32_t capacity) {
    uint32_t *words = block((size_t)capacity * SA_CONNECTION_WORDS * 4);
    int32_t count = sa_connections_list((uint32_t)world->port, words, capacity);
    REQUIRE(count == open_count(world));
    for (uint32_t i = 0; i < capacity && i < (uint32_t)count; i++) {
        const uint32_t *entry = words + (size_t)i * SA_CONNECTION_WORDS;
        const uint8_t *bytes = (const uint8_t *)(entry + 4);
        REQUIRE(entry[2] > 0 && entry[2] <= UINT16_MAX && entry[3] <= 1 && bytes[10] == 0xff && bytes[12] == 127);
        int known = 0;
        for (int each = 0; each < world->count; each++) known += world->open[each] && world->served[each] == (int)entry[0];
        REQUIRE(known == 1);
    }
    free(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    struct world world = {.loop = epoll_create1(EPOLL_CLOEXEC), .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    REQUIRE(world.loop >= 0 && bind(world.listener, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(listen(world.listener, MOST) == 0 && (world.port = sa_port_number(world.listener)) > 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788};
    REQUIRE(epoll_ctl(world.loop, EPOLL_CTL_ADD, world.listener, &event) == 0);
    uint64_t *watch = block(SA_WATCH_WORDS * sizeof(uint64_t));
    REQUIRE(sa_listener_watch(world.listener, watch) == 0 && watch[0] == (uint64_t)world.loop);
    while (input.size > 0) {
        uint32_t what = take(&input, 0, 7);
        if (what == 0 && world.count < MOST) connect_one(&world);
        else if (what == 1) list(&world, take(&input, 0, MOST + 1));
        else if (what == 2 && world.count > 0) {
            int at = (int)take(&input, 0, (uint32_t)world.count - 1);
            int32_t closed = sa_connection_close(world.served[at], (uint32_t)world.port);
            REQUIRE(closed == (world.open[at] ? 0 : -ENOTCONN));
            world.open[at] = 0;
        } else if (what == 3) {
            uint32_t port = take(&input, 0, UINT32_MAX);
            if ((int)port == world.port) continue;
            REQUIRE(sa_connection_close(world.listener, port) < 0 && sa_connection_close(-1, port) < 0);
            uint32_t word[SA_CONNECTION_WORDS];
            int32_t none = sa_connections_list(port, word, 1);
            REQUIRE(port == 0 || port > UINT16_MAX ? none == -EINVAL : none >= 0);
            REQUIRE(sa_connections_list(port, NULL, 0) == -EINVAL);
        } else if (what == 4) {
            uint32_t mode = take(&input, 0, 4);
            int32_t set = sa_listener_accept(world.listener, watch, mode);
            REQUIRE(set == (mode <= SA_ACCEPT_ALL ? 0 : -EINVAL));
        } else if (what == 5) {
            uint64_t *foreign = block(SA_WATCH_WORDS * sizeof(uint64_t));
            for (uint32_t i = 0; i < SA_WATCH_WORDS; i++) foreign[i] = take(&input, 0, UINT32_MAX);
            if (foreign[0] > 2) foreign[0] = UINT32_MAX;
            REQUIRE(sa_listener_accept(world.listener, foreign, SA_ACCEPT_ALL) < 0);
            REQUIRE(sa_listener_accept(-1, watch, SA_ACCEPT_NONE) < 0 && sa_listener_accept(0, NULL, 0) == -EINVAL);
            free(foreign);
        } else if (what == 6) {
            REQUIRE(sa_listener_watch(world.listener, NULL) == -EINVAL && sa_listener_watch(-1, watch) == -ENOENT);
        } else REQUIRE(sa_descriptors_open() == -1 || sa_descriptors_open() >= 2 + 2 * world.count);
    }
    for (int i = 0; i < world.count; i++) REQUIRE(close(world.clients[i]) == 0 && close(world.served[i]) == 0);
    REQUIRE(close(world.listener) == 0 && close(world.loop) == 0);
    free(watch);
    return 0;
}
