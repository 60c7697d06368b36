/* The connections of a port are listed with whose they are, and ended, also when no descriptor is left; a gate decides
 * which of them are accepted. */
#define _GNU_SOURCE
#include "../streamer_audio.h"

#include "../fuzz/input.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_anywhere(int family) {
    int fd = socket(family, SOCK_STREAM, 0);
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    struct sockaddr *address = family == AF_INET6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    if (fd < 0 || bind(fd, address, family == AF_INET6 ? sizeof v6 : sizeof v4) != 0 || listen(fd, 50) != 0) return -1;
    return fd;
}

/* Connects to a port of this machine from an address of it. */
static int connect_from(const char *source, int32_t port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(inet_pton(AF_INET, source, &from.sin_addr) == 1);
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&from, sizeof from) == 0);
    REQUIRE(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static uint32_t port_of(int fd) { return (uint32_t)sa_port_number(fd); }

/* Connections are listed with the address of their client in the form of IPv6, whatever the server listens on. */
static void test_list(int family) {
    int listener = listen_anywhere(family);
    /* There may be no IPv6 on this machine. */
    if (listener < 0 && family == AF_INET6) return;
    uint32_t port = port_of(listener), list[4 * SA_CONNECTION_WORDS];
    REQUIRE(sa_connections_list(port, list, 4) == 0);
    int clients[] = {connect_from("127.0.0.1", (int32_t)port), connect_from("127.0.0.2", (int32_t)port)};
    /* Those that wait belong to nobody yet. */
    REQUIRE(sa_connections_list(port, list, 4) == 0);
    int served[] = {accept(listener, NULL, NULL), accept(listener, NULL, NULL)};
    REQUIRE(sa_connections_list(port, list, 4) == 2 && sa_connections_list(port, list, 1) == 2);
    const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 2};
    REQUIRE((int)list[8] == served[1] && list[10] == port_of(clients[1]) && memcmp(list + 12, address, 16) == 0);
    usleep(60000);
    /* A byte that the server has not read is not the client's silence. */
    REQUIRE(write(clients[0], "x", 1) == 1 && sa_connections_list(port, list, 4) == 2);
    REQUIRE(list[1] == 0 && list[9] >= 40 && list[9] < 60000);

    REQUIRE(sa_connection_close(listener, port) == -ENOTCONN && sa_connection_close(clients[0], port) == -ENOTCONN);
    REQUIRE(sa_connection_close(served[0], 0) == -EINVAL && sa_connection_close(served[0], port ^ 1) == -ENOTCONN);
    REQUIRE(sa_connection_close(served[0], port) == 0 && sa_connection_close(served[0], port) == -ENOTCONN);
    REQUIRE(sa_connections_list(port, list, 4) == 1 && (int)list[0] == served[1]);
    char byte;
    REQUIRE(read(served[0], &byte, 1) == 1 && read(served[0], &byte, 1) == 0 && close(served[0]) == 0);
    REQUIRE(read(clients[0], &byte, 1) <= 0);
    REQUIRE(close(served[1]) == 0 && close(clients[0]) == 0 && close(clients[1]) == 0 && close(listener) == 0);
}

/* Nothing needs a descriptor. */
static void test_without_descriptors(void) {
    int listener = listen_anywhere(AF_INET);
    uint32_t port = port_of(listener), list[SA_CONNECTION_WORDS];
    int client = connect_from("127.0.0.1", (int32_t)port), served = accept(listener, NULL, NULL);
    int loop = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7};
    uint64_t watch[SA_WATCH_WORDS];
    REQUIRE(epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event) == 0 && sa_listener_watch(listener, watch) == 0);
    struct rlimit before, none;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = before;
    none.rlim_cur = 0;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0 && open("/dev/null", O_RDONLY) == -1);
    REQUIRE(sa_connections_list(port, list, 1) == 1 && (int)list[0] == served);
    REQUIRE(sa_listener_accept(listener, watch, SA_ACCEPT_NONE) == 0 && sa_connection_close(served, port) == 0);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    REQUIRE(close(served) == 0 && close(client) == 0 && close(listener) == 0 && close(loop) == 0);
}

/* A connection is found behind descriptors that have been closed. */
static void test_gap(void) {
    int listener = listen_anywhere(AF_INET);
    uint32_t port = port_of(listener), list[SA_CONNECTION_WORDS];
    int client = connect_from("127.0.0.1", (int32_t)port), served = accept(listener, NULL, NULL);
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    int high = limit.rlim_cur > 60000 ? 60000 : (int)limit.rlim_cur - 1;
    REQUIRE(dup2(served, high) == high && close(served) == 0);
    REQUIRE(sa_connections_list(port, list, 1) == 1 && (int)list[0] == high);
    REQUIRE(close(high) == 0 && close(client) == 0 && close(listener) == 0);
}

static void test_gate(void) {
    int loop = epoll_create1(0), listener = listen_anywhere(AF_INET);
    int32_t port = sa_port_number(listener);
    uint64_t watch[SA_WATCH_WORDS];
    REQUIRE(sa_listener_watch(listener, watch) == -ENOENT && sa_listener_watch(listener, NULL) == -EINVAL);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x99aabbccddeeff00}, seen;
    REQUIRE(epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event) == 0 && sa_listener_watch(listener, watch) == 0);
    int client = connect_from("127.0.0.1", port);
    REQUIRE(epoll_wait(loop, &seen, 1, 1000) == 1);
    REQUIRE(sa_listener_accept(listener, watch, SA_ACCEPT_NONE) == 0 && epoll_wait(loop, &seen, 1, 0) == 0);
    REQUIRE(sa_listener_accept(listener, watch, SA_ACCEPT_ONCE) == 0 && epoll_wait(loop, &seen, 1, 1000) == 1);
    REQUIRE(seen.data.u64 == event.data.u64 && epoll_wait(loop, &seen, 1, 0) == 0);
    REQUIRE(sa_listener_accept(listener, watch, SA_ACCEPT_ALL) == 0);
    for (int i = 0; i < 2; i++) REQUIRE(epoll_wait(loop, &seen, 1, 1000) == 1 && seen.data.u64 == event.data.u64);
    REQUIRE(sa_listener_accept(listener, watch, 3) == -EINVAL && sa_listener_accept(client, watch, 0) == -ENOENT);
    REQUIRE(close(client) == 0 && close(listener) == 0 && sa_listener_accept(listener, watch, 0) == -EBADF);
    REQUIRE(close(loop) == 0);
}

int main(void) {
    REQUIRE(sa_connections_list(0, (uint32_t[SA_CONNECTION_WORDS]){0}, 1) == -EINVAL);
    REQUIRE(sa_connections_list(1, NULL, 0) == -EINVAL);
    test_list(AF_INET);
    test_list(AF_INET6);
    test_gap();
    test_without_descriptors();
    test_gate();
    return 0;
}
