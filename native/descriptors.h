/* Open descriptors of this process. Internal. */
#ifndef STREAMER_DESCRIPTORS_H
#define STREAMER_DESCRIPTORS_H

/* Calls back with every open descriptor, until one returns other than 0. Returns that, 0, or a negative errno. */
int sa_each_descriptor(int (*call)(int fd, void *context), void *context);

#endif
