/* Port: an address is any text, and a reservation has a port or is refused with an errno. Ports are those that the system
 * selects, so that nothing else on the machine is disturbed. */
#define _GNU_SOURCE
#include "../streamer_audio.h"

#include "input.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const COMMON[] = {"127.0.0.1", "::1", "0.0.0.0", "::", "127.0.0.2", "192.0.2.1", "localhost", ""};
    fuzz_input input = {data, size};
    uint32_t kind = take(&input, 0, 11), port = take(&input, 0, 3) ? 0 : take(&input, UINT16_MAX + 1u, UINT32_MAX);
    uint32_t backlog = take(&input, 0, 3) ? take(&input, 1, 128) : take(&input, 0, UINT32_MAX);
    int listening = take(&input, 0, 1) == 1;
    char *address = block(input.size + 1);
    memcpy(address, input.data, input.size);
    address[input.size] = 0;
    const char *chosen = kind < 8 ? COMMON[kind] : address;

    int32_t fd = sa_port_reserve(chosen, port);
    if (port > UINT16_MAX) REQUIRE(fd == -EINVAL);
    if (fd >= 0) {
        int32_t number = sa_port_number(fd);
        REQUIRE(number > 0 && number <= UINT16_MAX);
        if (listening) REQUIRE(listen(fd, 1) == 0);
        int32_t allowed = sa_port_set_backlog((uint32_t)number, backlog);
        if (backlog == 0 || backlog > INT32_MAX) REQUIRE(allowed == -EINVAL);
        else REQUIRE(listening ? allowed > 0 : allowed == 0);
        close(fd);
        REQUIRE(sa_port_number(fd) == -1);
    } else {
        REQUIRE(fd > -4096);
        REQUIRE(sa_port_set_backlog(port, backlog) == -EINVAL);
        REQUIRE(sa_port_number(fd) == -1);
    }
    free(address);
    return 0;
}
