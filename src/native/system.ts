import { dlopen } from "bun:ffi";

/** Bytes of `struct timex` on Linux x64 and arm64, and some more. */
const TIMEX_BYTES = 512;
/** What adjtimex(2) returns for a clock that nothing synchronizes. */
const TIME_ERROR = 5;

/** Returns the version of glibc that this process uses, such as `2.36`; undefined: it uses another C library. */
export function glibcVersion(): string | undefined {
  try {
    const functions = { gnu_get_libc_version: { args: [], returns: "cstring" } } as const;
    return String(dlopen("libc.so.6", functions).symbols.gnu_get_libc_version());
  } catch {
    return undefined;
  }
}

/** Returns whether the kernel says that its clock is synchronized; undefined: it says nothing. Changes nothing. */
export function clockIsSynchronized(): boolean | undefined {
  try {
    const functions = { adjtimex: { args: ["buffer"], returns: "i32" } } as const;
    const result = dlopen("libc.so.6", functions).symbols.adjtimex(new Uint8Array(TIMEX_BYTES));
    return result < 0 ? undefined : result !== TIME_ERROR;
  } catch {
    return undefined;
  }
}
