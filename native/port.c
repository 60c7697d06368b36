/* A TCP port that several processes of one server share, and nobody else. */
#define _GNU_SOURCE
#include "streamer_audio.h"

#include "descriptors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
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

/* Binds a socket that shares the port with nobody, and then permits sharing to processes of the same user.
 * Connections of earlier servers that linger do no harm: hence SO_REUSEADDR. But two that bind so at the same time would
 * not notice each other. At most one of them can listen, which the kernel decides; from then on, all others are refused.
 * Whoever connects meanwhile is refused, too, as before. */
static int bind_shared(const struct sockaddr_storage *address, socklen_t length, int chosen) {
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    /* May fail without harm, where there is no IPv6. */
    if (address->ss_family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    /* A port that the kernel chooses is nobody's, and would be given back with the end of listening. */
    if (chosen) set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, (const struct sockaddr *)address, length) == 0 && (!chosen || listen(fd, 0) == 0) &&
        set_option(fd, SOL_SOCKET, SO_REUSEADDR, 0) == 0 && set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) == 0 &&
        (!chosen || shutdown(fd, SHUT_RD) == 0))
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
    int fd = bind_shared(&parsed, length, port != 0);
    return fd < 0 ? -errno : fd;
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

struct backlog_change {
    int32_t port;
    int backlog;
    int32_t least; /* of what the kernel allows */
};

static int change_backlog(int fd, void *context) {
    struct backlog_change *change = context;
    if (sa_port_number(fd) != change->port || option_of(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1 ||
        option_of(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP)
        return 0;
    /* On a socket that listens already this changes the limit and nothing else. */
    if (listen(fd, change->backlog) != 0) return 0;
    int32_t allowed = backlog_of(fd);
    if (change->least == 0 || allowed < change->least) change->least = allowed;
    return 0;
}

int32_t sa_port_set_backlog(uint32_t port, uint32_t backlog) {
    if (port == 0 || port > UINT16_MAX || backlog == 0 || backlog > INT32_MAX) return -EINVAL;
    struct backlog_change change = {.port = (int32_t)port, .backlog = (int)backlog};
    int result = sa_each_descriptor(change_backlog, &change);
    return result < 0 ? result : change.least;
}
