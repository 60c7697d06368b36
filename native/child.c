/* A child process that ends with the process that has started it. See streamer_audio.h. */
#define _GNU_SOURCE /* POLLRDHUP */
#include "streamer_audio.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Everything that a channel can report but data. */
#define ENDS (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)
#define STACK_BYTES (64 * 1024)
/* Sent by the kernel when the parent ends. Not SIGKILL, which would reach this process alone, and before its thread could
 * kill the group. Its default action ends a process, too. */
#define PARENT_ENDED (SIGRTMAX - 3)

static _Noreturn void kill_group(void) {
    kill(0, SIGKILL);
    _exit(128 + SIGKILL);
}

/* Runs on any thread, whatever that does. */
static void parent_ended(int signal) {
    (void)signal;
    kill_group();
}

static void *watch(void *channel) {
    struct pollfd watched = {.fd = (int)(intptr_t)channel, .events = POLLRDHUP};
    for (;;) {
        if (poll(&watched, 1, -1) < 0 && errno != EINTR) break;
        if (watched.revents & ENDS) break;
    }
    kill_group();
}

/* Starts the thread with all signals blocked: those of the process belong to the model. */
static int start_watch(int32_t channel) {
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    sigfillset(&all);
    int error = pthread_attr_init(&attributes);
    if (error != 0) return error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, watch, (void *)(intptr_t)channel);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

int32_t sa_child_guard(int32_t channel, int32_t parent) {
    struct pollfd now = {.fd = channel, .events = POLLRDHUP};
    if (channel < 0 || parent <= 0 || poll(&now, 1, 0) < 0 || now.revents & POLLNVAL) return -EINVAL;
    struct sigaction action = {.sa_handler = parent_ended, .sa_flags = SA_ONSTACK | SA_RESTART};
    if (setpgid(0, 0) != 0 || sigaction(PARENT_ENDED, &action, NULL) != 0) return -errno;
    /* Programs that it starts must not hold the channel open. */
    if (fcntl(channel, F_SETFD, FD_CLOEXEC) != 0 || prctl(PR_SET_PDEATHSIG, PARENT_ENDED) != 0) return -errno;
    /* It may have ended before the signal was asked for. */
    if (getppid() != parent) return -ESRCH;
    return -start_watch(channel);
}
