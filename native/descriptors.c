/* Open descriptors of this process, as the kernel lists them. */
#define _GNU_SOURCE
#include "descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

int sa_each_descriptor(int (*call)(int fd, void *context), void *context) {
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) return -errno;
    int result = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL && result == 0; entry = readdir(folder)) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        if (end != entry->d_name && *end == '\0' && fd != dirfd(folder)) result = call((int)fd, context);
    }
    closedir(folder);
    return result;
}
