import { existsSync } from "node:fs";
import { arch, release } from "node:os";

import { glibcVersion } from "../../../native/system.ts";
import type { Check } from "../check.ts";

/** Bun 1.4.5 runs on older kernels with slower system calls. */
const LEAST_KERNEL = [5, 6] as const;
const MUSL = ["/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1"] as const;

/** The kernel and the C library. */
export const system: Check = {
  name: "system",
  limitMs: 5_000,
  run: (_, report) => {
    const kernel = release();
    const glibc = glibcVersion();
    const isMusl = glibc === undefined || MUSL.some((path) => existsSync(path));
    const library = glibc === undefined ? "another C library than glibc" : `glibc ${glibc}`;
    const found = `Linux ${kernel}, ${arch()}, ${library}`;
    if (isMusl) {
      const remedy = "run it on a system with glibc, such as an image of Debian, Ubuntu or distroless";
      return report("warning", "system", `${found}; musl, as in Alpine, is not supported`, remedy);
    }
    if (isOlder(kernel)) {
      const remedy = `use Linux ${LEAST_KERNEL.join(".")} or newer`;
      return report("note", "system", `${found}; system calls of this kernel are slower`, remedy);
    }
    report("ok", "system", found);
  },
};

/** Returns true for the release of a kernel that is older than the least one. */
export function isOlder(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split(".").map((part) => Number.parseInt(part, 10));
  return major < LEAST_KERNEL[0] || (major === LEAST_KERNEL[0] && minor < LEAST_KERNEL[1]);
}
