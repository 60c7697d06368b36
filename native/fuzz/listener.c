/* Listener: sockets are found and moved in any order, watched by no, one or two event loops. Only descriptors that the
 * input has opened are named, since a moved one takes the place of another. */
#define _GNU_SOURCE
#include "../streamer_audio.h"

#include "input.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKETS 4
#define LOOPS 2

static int open_socket(int listening) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    if (listening) REQUIRE(listen(fd, 1) == 0);
    return fd;
}

/* Counts the event loops that watch a descriptor. */
static int watches(const int *loops, int fd) {
    int count = 0;
    for (int i = 0; i < LOOPS; i++) {
        struct epoll_event event = {.events = EPOLLIN};
        /* Watching it again fails if it is watched; otherwise that is undone. */
        if (epoll_ctl(loops[i], EPOLL_CTL_ADD, fd, &event) != 0) count++;
        else REQUIRE(epoll_ctl(loops[i], EPOLL_CTL_DEL, fd, NULL) == 0);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    int loops[LOOPS], sockets[SOCKETS];
    for (int i = 0; i < LOOPS; i++) REQUIRE((loops[i] = epoll_create1(EPOLL_CLOEXEC)) >= 0);
    for (int i = 0; i < SOCKETS; i++) {
        sockets[i] = open_socket((int)take(&input, 0, 1));
        uint32_t watched = take(&input, 0, 3);
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = watched};
        for (int loop = 0; loop < LOOPS; loop++)
            if (watched & 1u << loop) REQUIRE(epoll_ctl(loops[loop], EPOLL_CTL_ADD, sockets[i], &event) == 0);
    }
    while (input.size > 0) {
        uint32_t what = take(&input, 0, 7);
        if (what < 2) {
            int32_t port = sa_port_number(sockets[take(&input, 0, SOCKETS - 1)]);
            /* A descriptor that was moved away from has no port. */
            int32_t found = sa_listener_find(port < 0 ? 0 : (uint32_t)port);
            REQUIRE(port < 0 ? found == -EINVAL : found == -ENOENT || sa_port_number(found) == port);
        } else if (what == 2) {
            uint32_t port = take(&input, 0, UINT32_MAX);
            int32_t found = sa_listener_find(port);
            if (port == 0 || port > UINT16_MAX) REQUIRE(found == -EINVAL);
            else REQUIRE(found < 0 || sa_port_number(found) == (int32_t)port);
        } else if (what == 3) {
            REQUIRE(sa_listener_move(-1, sockets[0]) < 0 && sa_listener_move(sockets[0], -1) < 0);
        } else {
            int from = sockets[take(&input, 0, SOCKETS - 1)], to = sockets[take(&input, 0, SOCKETS - 1)];
            int32_t port = sa_port_number(from), before = sa_port_number(to);
            int both = watches(loops, from) == 1 && watches(loops, to) == 1;
            int32_t moved = sa_listener_move(from, to);
            if (from == to) REQUIRE(moved == -EINVAL);
            else REQUIRE(moved == (both ? 0 : -ENOENT));
            REQUIRE(sa_port_number(to) == (moved == 0 ? port : before));
            if (moved == 0) REQUIRE(sa_port_number(from) == -1);
        }
    }
    for (int i = 0; i < SOCKETS; i++) REQUIRE(close(sockets[i]) == 0);
    for (int i = 0; i < LOOPS; i++) REQUIRE(close(loops[i]) == 0);
    return 0;
}
