import { SLAB_SAMPLES } from "./arena.ts";
import { type Address, native } from "./library.ts";
import { checkInteger } from "./range.ts";
import type { NativeSamples } from "./samples.ts";

/**
 * Makes this process end with its parent, whatever it does then. It becomes the leader of a process group. Throws when
 * the parent has ended, or the system refuses.
 * @param channel descriptor of a socket whose other end the parent has
 * @param parent process ID
 */
export function guardChild(channel: number, parent: number): void {
  const result = native().sa_child_guard(channel, parent);
  if (result !== 0) throw new Error(`the process cannot be bound to the server, ${parent}: error ${-result}`);
}

/** Maps the samples of an arena that this process has inherited, to be read only. Throws when that is not possible. */
export function mapArena(fd: number, slabs: number): NativeSamples {
  checkInteger("fd", fd, 0, 2 ** 31 - 1);
  const address: Address | null = native().sa_arena_map(fd, slabs);
  if (address === null) throw new Error(`the memory of ${slabs} slabs cannot be mapped`);
  return { address, length: slabs * SLAB_SAMPLES };
}
