/* Child: whatever is given as channel and parent, only a living parent and an open channel start the watch; when the other
 * end closes, the whole group is killed. Each case runs in a process of its own. */
#define _GNU_SOURCE
#include "../streamer_audio.h"

#include "input.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child does: 0 to 2 are codes of `_exit`. */
static _Noreturn void run_child(int channel, int32_t parent, int ready) {
    int32_t result = sa_child_guard(channel, parent);
    if (result != 0) _exit(result == -EINVAL ? 1 : result == -ESRCH ? 2 : 3);
    if (write(ready, "r", 1) != 1) _exit(4);
    for (;;) pause();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    uint32_t kind = take(&input, 0, 15);
    int32_t number = (int32_t)take(&input, 0, UINT32_MAX);
    /* Nothing is changed in this process by arguments that are out of range. */
    if (number >= 0) number = -1 - number;
    REQUIRE(sa_child_guard(number, 1) == -EINVAL && sa_child_guard(0, number) == -EINVAL);
    /* Processes are slow: a part of the inputs starts one. */
    if (kind > 1) return 0;
    int pair[2], ready[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 && pipe(ready) == 0);
    pid_t own = getpid(), child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        close(pair[0]);
        run_child(pair[1], kind == 0 ? own : own + 1, ready[1]);
    }
    close(pair[1]);
    close(ready[1]);
    char byte;
    /* The timer of the fuzzer interrupts what waits. */
    ssize_t got = 1;
    if (kind == 0) {
        do got = read(ready[0], &byte, 1);
        while (got < 0 && errno == EINTR);
    }
    close(pair[0]);
    close(ready[0]);
    int status;
    pid_t ended;
    do ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
    REQUIRE(got == 1 && ended == child);
    if (kind == 0) REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    else REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    return 0;
}
