/* A TCP port that several processes of one server share, and nobody else. */
#define _GNU_SOURCE
#include "streamer_audio.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int set_option(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value);
}

/* Parses a numeric address. Returns the length of the socket address; 0 when it is none. */
static socklen_t parse_address(const char *address, uint32_t port, struct sockaddr_storage *parsed) {
    memset(parsed, 0, sizeof *parsed);
    struct sockaddr_in *v4 = (struct sockaddr_in *)parsed;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)parsed;
    if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        return sizeof *v6;
    }
    return 0;
}

/* Takes the lock of those who reserve this port. Returns a descriptor, or -1 with errno. */
static int lock_port(uint32_t port) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    /* An abstract name, which begins with a zero: like a port, it belongs to the network namespace. */
    int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "streamer-port-%u", (unsigned)port);
    if (bind(fd, (struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Binds a socket that shares the port with nobody, except with connections of earlier servers that linger, and then
 * permits sharing. Between the two, another one that does the same would not notice this socket: hence the lock. */
static int bind_shared(const struct sockaddr_storage *address, socklen_t length) {
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    /* Both may fail without harm: where there is no IPv6, and the second is for connections of earlier servers only. */
    if (address->ss_family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, (const struct sockaddr *)address, length) == 0 && set_option(fd, SOL_SOCKET, SO_REUSEADDR, 0) == 0 &&
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int32_t sa_port_reserve(const char *address, uint32_t port) {
    struct sockaddr_storage parsed;
    socklen_t length = address == NULL || port > UINT16_MAX ? 0 : parse_address(address, port, &parsed);
    if (length == 0) return -EINVAL;
    int lock = lock_port(port);
    if (lock < 0 && port != 0) return -errno;
    int fd = bind_shared(&parsed, length);
    int32_t result = fd < 0 ? -errno : fd;
    if (lock >= 0) close(lock);
    return result;
}

int32_t sa_port_number(int32_t fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) return -1;
    if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return -1;
}

static int option_of(int fd, int level, int option) {
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, option, &value, &length) == 0 ? value : -1;
}

/* Returns the connections that may wait at a listening socket. */
static int32_t backlog_of(int fd) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(&info, 0, sizeof info);
    /* For a listening socket the kernel puts the limit here. */
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 ? (int32_t)info.tcpi_sacked : 0;
}

int32_t sa_port_set_backlog(uint32_t port, uint32_t backlog) {
    if (port == 0 || port > UINT16_MAX || backlog == 0 || backlog > INT32_MAX) return -EINVAL;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) return -errno;
    int32_t least = 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        int fd = atoi(entry->d_name);
        if (sa_port_number(fd) != (int32_t)port || option_of(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1 ||
            option_of(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP)
            continue;
        /* On a socket that listens already this changes the limit and nothing else. */
        if (listen(fd, (int)backlog) != 0) continue;
        int32_t allowed = backlog_of(fd);
        if (least == 0 || allowed < least) least = allowed;
    }
    closedir(folder);
    return least;
}
