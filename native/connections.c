/* Connections of a server of this process: whose they are, how long nothing has moved on them, and their end. Needs no
 * descriptor: it works when none is left. */
#define _GNU_SOURCE
#include "streamer_audio.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* So many closed descriptors in a row end the search where the kernel does not count the open ones. */
#define LONGEST_GAP 65536u

/* Not those that this side has closed, and not the listening socket itself. */
static int is_open_state(int state) { return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT; }

/* Reads the state of a connection that has come to a port. Returns 0 when the descriptor is none. */
static int connection_info(int fd, uint32_t port, struct tcp_info *info) {
    socklen_t length = sizeof *info;
    memset(info, 0, sizeof *info);
    return sa_port_number(fd) == (int32_t)port && getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length) == 0 &&
           is_open_state(info->tcpi_state);
}

/* Milliseconds since a byte has gone in either direction; 0 while the server has not read everything. */
static uint32_t silence_of(int fd, const struct tcp_info *info) {
    int unread = 0;
    if (ioctl(fd, FIONREAD, &unread) == 0 && unread > 0) return 0;
    uint32_t sent = info->tcpi_last_data_sent, received = info->tcpi_last_data_recv;
    return sent < received ? sent : received;
}

/* Writes a peer's address as one of IPv6, an IPv4 address as ::ffff:a.b.c.d. Returns its port, or 0. */
static uint32_t peer_of(int fd, uint8_t address[16]) {
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &length) != 0) return 0;
    if (peer.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer;
        memcpy(address, &v6->sin6_addr, 16);
        return ntohs(v6->sin6_port);
    }
    if (peer.ss_family != AF_INET) return 0;
    const struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;
    memset(address, 0, 10);
    memset(address + 10, 0xff, 2);
    memcpy(address + 12, &v4->sin_addr, 4);
    return ntohs(v4->sin_port);
}

int32_t sa_descriptors_open(void) {
    struct stat folder;
    /* Since Linux 6.2 the size of the folder is the number of its entries; before, it is 0. */
    return stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0 ? (int32_t)folder.st_size : -1;
}

int32_t sa_connections_list(uint32_t port, uint32_t *list, uint32_t capacity) {
    if (port == 0 || port > UINT16_MAX || list == NULL || capacity > SA_MAX_CONNECTIONS) return -EINVAL;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -errno;
    int32_t open = sa_descriptors_open();
    uint32_t left = open < 0 ? UINT32_MAX : (uint32_t)open;
    uint32_t count = 0, gap = 0;
    /* The kernel gives the lowest number that is free: the open ones are close together. */
    for (int fd = 0; left > 0 && (rlim_t)fd < limit.rlim_max && (uint32_t)fd < SA_MAX_CONNECTIONS; fd++) {
        struct tcp_info info;
        errno = 0;
        int found = connection_info(fd, port, &info);
        if (errno == EBADF) {
            if (open < 0 && ++gap == LONGEST_GAP) break;
            continue;
        }
        left--;
        gap = 0;
        if (!found) continue;
        if (count < capacity) {
            uint32_t *entry = list + (size_t)count * SA_CONNECTION_WORDS;
            entry[0] = (uint32_t)fd;
            entry[1] = silence_of(fd, &info);
            entry[2] = peer_of(fd, (uint8_t *)(entry + 4));
            entry[3] = info.tcpi_state == TCP_CLOSE_WAIT;
            /* The peer is gone already. */
            if (entry[2] == 0) continue;
        }
        count++;
    }
    return (int32_t)count;
}

int32_t sa_connection_close(int32_t fd, uint32_t port) {
    struct tcp_info info;
    if (port == 0 || port > UINT16_MAX) return -EINVAL;
    if (!connection_info(fd, port, &info)) return -ENOTCONN;
    /* The server that has the descriptor sees the end and closes it. The kernel then forgets the connection at once. */
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none) != 0) return -errno;
    return shutdown(fd, SHUT_RDWR) == 0 ? 0 : -errno;
}
