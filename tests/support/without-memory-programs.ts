// A machine on which no program may run from memory, as some security modules have it: a library to preload, which
// refuses to open libraries by /proc/self/fd.

import { join } from "node:path";

import { compiler } from "../../scripts/native.ts";

const SOURCE = `
  #define _GNU_SOURCE
  #include <dlfcn.h>
  #include <string.h>
  void *dlopen(const char *name, int flags) {
    void *(*real)(const char *, int);
    *(void **)&real = dlsym(RTLD_NEXT, "dlopen");
    return real(name != 0 && strncmp(name, "/proc/self/fd/", 14) == 0 ? "/refused" : name, flags);
  }`;

/** Builds it in a folder, and returns the environment with it. */
export async function withoutMemoryPrograms(folder: string): Promise<{ LD_PRELOAD: string }> {
  const path = join(folder, "without-memory-programs.so");
  const child = Bun.spawn([...compiler(), "-shared", "-fPIC", "-o", path, "-x", "c", "-", "-ldl"], {
    stdin: Buffer.from(SOURCE),
    stderr: "inherit",
  });
  if ((await child.exited) !== 0) throw new Error("the library to preload does not compile");
  return { LD_PRELOAD: path };
}
