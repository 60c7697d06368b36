/* Finds out which kernels (native/kernel.h) the processor can run. Compilers have this in their run-time libraries; that
 * of Zig 0.17.1 has a function that finds nothing, so that every processor would get the kernels of the oldest. */
#include <cpuid.h>

/* Bits of features[0], and of XCR0: the registers that the operating system saves. */
enum { AVX2 = 1 << 10, AVX512F = 1 << 15, YMM_SAVED = 0x06, ZMM_SAVED = 0xe6 };

/* Layout and names are those of libgcc, which the resolvers that the compiler makes read. */
struct {
    unsigned vendor, type, subtype, features[1];
} __cpu_model;

int __cpu_indicator_init(void) {
    unsigned a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX)) return 0;
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if ((saved & YMM_SAVED) != YMM_SAVED || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    unsigned found = 0;
    if (b & bit_AVX2) found |= AVX2;
    if ((b & bit_AVX512F) && (saved & ZMM_SAVED) == ZMM_SAVED) found |= AVX512F;
    __cpu_model.features[0] = found;
    return 0;
}
