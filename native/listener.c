/* Listening sockets of this process: which there are, moving one from a server to another in the same event loop, and
 * what a server accepts. */
#define _GNU_SOURCE
#include "streamer_audio.h"

#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* How an event loop watches a descriptor. */
struct watch {
    int epoll;
    struct epoll_event event;
};

struct listener_search {
    int32_t port;
    int32_t found;
};

static int match_listener(int fd, void *context) {
    struct listener_search *search = context;
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) return 0;
    if (sa_port_number(fd) != search->port) return 0;
    if (search->found >= 0) return -EEXIST;
    search->found = fd;
    return 0;
}

int32_t sa_listener_find(uint32_t port) {
    if (port == 0 || port > UINT16_MAX) return -EINVAL;
    struct listener_search search = {.port = (int32_t)port, .found = -ENOENT};
    int result = sa_each_descriptor(match_listener, &search);
    return result < 0 ? result : search.found;
}

struct watch_search {
    int fd;
    int count;
    struct watch watch;
};

/* Reads what an epoll descriptor watches. The kernel lists it in fdinfo: see proc_pid_fdinfo(5). */
static int match_watch(int fd, void *context) {
    struct watch_search *search = context;
    char path[64], target[32] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (readlink(path, target, sizeof target - 1) < 0 || strcmp(target, "anon_inode:[eventpoll]") != 0) return 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *info = fopen(path, "re");
    if (info == NULL) return -errno;
    char line[256];
    while (fgets(line, sizeof line, info) != NULL) {
        int watched;
        unsigned events;
        unsigned long long data;
        if (sscanf(line, "tfd: %d events: %x data: %llx", &watched, &events, &data) != 3) continue;
        if (watched != search->fd) continue;
        search->count++;
        search->watch = (struct watch){.epoll = fd, .event = {.events = events, .data = {.u64 = data}}};
    }
    fclose(info);
    return 0;
}

/* Finds the one event loop that watches a descriptor. Returns 0 or a negative errno. */
static int find_watch(int fd, struct watch *watch) {
    struct watch_search search = {.fd = fd};
    int result = sa_each_descriptor(match_watch, &search);
    if (result < 0) return result;
    if (search.count != 1) return -ENOENT;
    *watch = search.watch;
    return 0;
}

static int stop_watch(struct watch *watch, int fd) {
    return epoll_ctl(watch->epoll, EPOLL_CTL_DEL, fd, NULL) == 0 ? 0 : -errno;
}

static int start_watch(struct watch *watch, int fd) {
    return epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &watch->event) == 0 ? 0 : -errno;
}

int32_t sa_listener_move(int32_t from, int32_t to) {
    struct watch source, target;
    int result;
    if (from == to) return -EINVAL;
    if ((result = find_watch(from, &source)) < 0 || (result = find_watch(to, &target)) < 0) return result;
    int deaf = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (deaf < 0) return -errno;
    /* The socket stays open from here to the end: what waits in its queue, waits on. */
    if ((result = stop_watch(&source, from)) == 0) {
        if (dup3(from, to, O_CLOEXEC) < 0) {
            result = -errno;
            start_watch(&source, from);
        } else if ((result = start_watch(&target, to)) < 0) start_watch(&source, from);
        else dup3(deaf, from, O_CLOEXEC);
    }
    close(deaf);
    return result;
}

int32_t sa_listener_watch(int32_t fd, uint64_t *watch) {
    struct watch found;
    if (watch == NULL) return -EINVAL;
    int result = find_watch(fd, &found);
    if (result < 0) return result;
    watch[0] = (uint64_t)found.epoll;
    watch[1] = found.event.events;
    watch[2] = found.event.data.u64;
    return 0;
}

int32_t sa_listener_accept(int32_t fd, const uint64_t *watch, uint32_t mode) {
    if (watch == NULL || watch[0] > INT32_MAX || mode > SA_ACCEPT_ALL) return -EINVAL;
    struct epoll_event event = {.events = 0, .data.u64 = watch[2]};
    if (mode == SA_ACCEPT_ALL) event.events = (uint32_t)watch[1];
    if (mode == SA_ACCEPT_ONCE) event.events = EPOLLIN | EPOLLONESHOT;
    return epoll_ctl((int)watch[0], EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : -errno;
}
