// libsoxr, to compare the resampler with, where it is installed (Debian: libsoxr0). Its default settings are "high
// quality" and one channel of float32.

import { dlopen } from "bun:ffi";

function load() {
  try {
    return dlopen("libsoxr.so.0", {
      soxr_create: { args: ["f64", "f64", "u32", "ptr", "ptr", "ptr", "ptr"], returns: "ptr" },
      soxr_process: { args: ["ptr", "buffer", "usize", "ptr", "buffer", "usize", "buffer"], returns: "ptr" },
      soxr_delete: { args: ["ptr"], returns: "void" },
    }).symbols;
  } catch {
    return undefined;
  }
}

const soxr = load();
export const soxrPresent = soxr !== undefined;

export interface Peer {
  process(input: Float32Array, out: Float32Array): number;
  close(): void;
}

/** A stream of libsoxr. Undefined where libsoxr is not installed or refuses the rates. */
export function soxrStream(from: number, to: number): Peer | undefined {
  const handle = soxr?.soxr_create(from, to, 1, null, null, null, null);
  if (!soxr || !handle) return undefined;
  const written = new BigUint64Array(1);
  return {
    process(input, out) {
      soxr.soxr_process(handle, input, input.length, null, out, out.length, written);
      return Number(written[0]);
    },
    close: () => soxr.soxr_delete(handle),
  };
}
