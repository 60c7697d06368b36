/* A reserved port is shared by sockets with SO_REUSEPORT only, and reserved once. */
#define _GNU_SOURCE
#include "../streamer_audio.h"

#include "../fuzz/input.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Returns a socket that listens on a loopback port, or -1. */
static int listener(int32_t port, int option) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    REQUIRE(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    if (option != 0) REQUIRE(setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) == 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 5) == 0) return fd;
    REQUIRE(errno == EADDRINUSE);
    close(fd);
    return -1;
}

/* Returns a socket that has the port like a reservation that is being made, or -1. */
static int half_reserved(int32_t port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    REQUIRE(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

/* Leaves a connection in TIME_WAIT on the server's side. */
static void linger(int server, int32_t port) {
    int client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(client, (struct sockaddr *)&address, sizeof address) == 0);
    int accepted = accept(server, NULL, NULL);
    REQUIRE(accepted >= 0 && close(accepted) == 0);
    char byte;
    REQUIRE(read(client, &byte, 1) == 0 && close(client) == 0);
}

int main(void) {
    REQUIRE(sa_port_reserve(NULL, 0) == -EINVAL && sa_port_reserve("localhost", 0) == -EINVAL);
    REQUIRE(sa_port_reserve("127.0.0.1", 65536) == -EINVAL && sa_port_number(-1) == -1);
    REQUIRE(sa_port_reserve("203.0.113.1", 0) == -EADDRNOTAVAIL);
    int32_t fd = sa_port_reserve("127.0.0.1", 0);
    int32_t port = sa_port_number(fd);
    REQUIRE(fd >= 0 && port > 0);
    REQUIRE(sa_port_reserve("127.0.0.1", (uint32_t)port) == -EADDRINUSE);
    REQUIRE(sa_port_reserve("0.0.0.0", (uint32_t)port) == -EADDRINUSE);
    REQUIRE(listener(port, 0) == -1);
    REQUIRE(sa_port_set_backlog((uint32_t)port, 600) == 0); /* reserved, and nobody listens */
    int first = listener(port, SO_REUSEPORT), second = listener(port, SO_REUSEPORT);
    REQUIRE(first >= 0 && second >= 0);
    REQUIRE(sa_port_reserve("127.0.0.1", (uint32_t)port) == -EADDRINUSE && listener(port, 0) == -1);
    REQUIRE(sa_port_set_backlog(0, 1) == -EINVAL && sa_port_set_backlog(65536, 1) == -EINVAL);
    REQUIRE(sa_port_set_backlog((uint32_t)port, 0) == -EINVAL && sa_port_set_backlog((uint32_t)port, 1u << 31) == -EINVAL);
    REQUIRE(sa_port_set_backlog((uint32_t)port, 7) == 7);
    /* At most what the kernel allows, which every kernel has at 128 or more. */
    REQUIRE(sa_port_set_backlog((uint32_t)port, 1u << 30) >= 128);
    /* While one process lives, the port stays taken, also without the one that reserved it. */
    close(fd);
    close(second);
    REQUIRE(sa_port_reserve("127.0.0.1", (uint32_t)port) == -EADDRINUSE);
    linger(first, port);
    close(first);
    fd = sa_port_reserve("127.0.0.1", (uint32_t)port);
    REQUIRE(fd >= 0 && sa_port_number(fd) == port);
    first = listener(port, SO_REUSEPORT);
    REQUIRE(first >= 0);
    close(first);
    REQUIRE(half_reserved(port) == -1);
    close(fd);
    /* Of two reservations at the same time, the one that listens first has the port. */
    int other = half_reserved(port);
    fd = sa_port_reserve("127.0.0.1", (uint32_t)port);
    REQUIRE(other >= 0 && fd >= 0 && listen(other, 0) == -1 && errno == EADDRINUSE);
    close(other);
    close(fd);
    other = half_reserved(port);
    REQUIRE(other >= 0 && listen(other, 0) == 0);
    REQUIRE(sa_port_reserve("127.0.0.1", (uint32_t)port) == -EADDRINUSE);
    close(other);
    fd = sa_port_reserve("::1", 0);
    REQUIRE(fd < 0 || sa_port_number(fd) > 0);
    if (fd >= 0) close(fd);
    return 0;
}
