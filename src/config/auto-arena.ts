import { MAX_SLABS, SLAB_SAMPLES } from "../native/arena.ts";
import { type MemoryLimit, memoryLimit } from "./memory-limit.ts";
import type { AutoValue } from "./setting.ts";

const MIB = 1024 * 1024;
/** Part of the memory that the process may use. The rest is for the heap, the models and what waits outside of it. */
const PART = 1 / 3;
/** Smallest and largest size of the audio memory, MiB. The least is enough for one utterance of full length. */
const LEAST_MIB = 16;
export const MOST_ARENA_MIB = (MAX_SLABS * SLAB_SAMPLES * Float32Array.BYTES_PER_ELEMENT) / MIB;

/** Returns the size of the audio memory, in MiB, for `limits.arena_mb` auto. All processes of a server share it. */
export function autoArena({ bytes, from }: MemoryLimit = memoryLimit()): AutoValue {
  const value = Math.min(MOST_ARENA_MIB, Math.max(LEAST_MIB, Math.floor((bytes * PART) / MIB)));
  return { value, reason: `auto: a third of the ${Math.floor(bytes / MIB)} MiB of the ${from}` };
}
