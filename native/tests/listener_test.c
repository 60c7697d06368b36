/* A listening socket moves to the descriptor and the event loop of another one, with the connections in its queue. */
#define _GNU_SOURCE
#include "../streamer_audio.h"

#include "../fuzz/input.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_anywhere(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 5) == 0);
    return fd;
}

static int connect_to(int32_t port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

static void watch(int loop, int fd, uint64_t data) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = data}};
    REQUIRE(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == 0);
}

int main(void) {
    REQUIRE(sa_listener_find(0) == -EINVAL && sa_listener_find(65536) == -EINVAL);
    int loop = epoll_create1(0), old = listen_anywhere(), next = listen_anywhere();
    int32_t port = sa_port_number(old), other = sa_port_number(next);
    REQUIRE(loop >= 0 && sa_listener_find((uint32_t)port) == old && sa_listener_find((uint32_t)other) == next);
    REQUIRE(sa_listener_move(old, old) == -EINVAL);
    /* Neither is watched, then one of them. Nothing changes. */
    REQUIRE(sa_listener_move(old, next) == -ENOENT);
    watch(loop, old, 0x1122334455667788);
    REQUIRE(sa_listener_move(old, next) == -ENOENT && sa_port_number(next) == other);
    watch(loop, next, 0x99aabbccddeeff00);

    int waiting = connect_to(port);
    REQUIRE(waiting >= 0 && sa_listener_move(old, next) == 0);
    REQUIRE(sa_listener_find((uint32_t)port) == next && sa_listener_find((uint32_t)other) == -ENOENT);
    REQUIRE(connect_to(other) == -1);
    int later = connect_to(port);
    struct epoll_event events[4];
    REQUIRE(later >= 0 && epoll_wait(loop, events, 4, 1000) == 1 && events[0].data.u64 == 0x99aabbccddeeff00);
    for (int i = 0; i < 2; i++) {
        int accepted = accept(next, NULL, NULL);
        REQUIRE(accepted >= 0 && close(accepted) == 0);
    }
    REQUIRE(epoll_wait(loop, events, 4, 0) == 0 && close(old) == 0);
    /* The port is free only when the last descriptor is closed. */
    REQUIRE(sa_listener_find((uint32_t)port) == next && close(next) == 0 && connect_to(port) == -1);
    REQUIRE(sa_listener_find((uint32_t)port) == -ENOENT);
    close(waiting);
    close(later);
    close(loop);
    return 0;
}
