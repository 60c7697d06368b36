/* SA_KERNEL marks a function that is compiled once for each kind of processor; the loader selects one. Kernels are not
 * exported and have no state. All versions compute the same bits: contraction of a * b + c is off
 * (scripts/native.ts), and every sum has a fixed order. */
#ifndef STREAMER_KERNEL_H
#define STREAMER_KERNEL_H

#include <stdint.h> /* defines __GLIBC__ */

#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && !defined(SA_NO_CLONES)
#define SA_CLONES 1
#define SA_KERNEL __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define SA_KERNEL
#endif

#endif
