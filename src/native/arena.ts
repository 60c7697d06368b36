import { type Address, Handle, native } from "./library.ts";
import { checkInteger, checkSpan } from "./range.ts";
import type { NativeSamples } from "./samples.ts";

/** Samples of a slab. */
export const SLAB_SAMPLES = 4096;
/** Most slabs of an arena: 16 GiB. */
export const MAX_SLABS = 2 ** 20;

/** Frees the memory of arenas that nothing refers to any more. */
const unreferenced = new FinalizationRegistry<Handle>((handle) => handle.free());

/**
 * Memory of buffered audio: slabs of float samples, one after the other. It belongs to the C library; JavaScript has no
 * view of it. A page costs memory from its first access until it is given back. The memory is freed when nothing refers
 * to this object any more: a thread may be stuck in the middle of reading it.
 */
export class ArenaMemory implements NativeSamples {
  /** Samples. */
  readonly length: number;
  readonly #handle: Handle;
  readonly #base: Address;

  /** @param slabs 1 to MAX_SLABS, else RangeError. Throws RangeError, too, when there is no address space. */
  constructor(slabs: number) {
    checkInteger("slabs", slabs, 1, MAX_SLABS);
    this.length = slabs * SLAB_SAMPLES;
    const { sa_arena_new, sa_arena_base, sa_arena_free } = native();
    this.#handle = new Handle("ArenaMemory", sa_arena_new(slabs), sa_arena_free);
    this.#base = sa_arena_base(this.#handle.pointer) ?? 0n;
    unreferenced.register(this, this.#handle, this);
  }

  get address(): Address {
    // Throws when the memory has been freed.
    void this.#handle.pointer;
    return this.#base;
  }

  /** File descriptor of the memory, which a child process can inherit and map. */
  get fd(): number {
    return native().sa_arena_fd(this.#handle.pointer);
  }

  /** Bytes that the memory occupies, as the system counts them. */
  get residentBytes(): number {
    return native().sa_arena_resident(this.#handle.pointer) * 1024;
  }

  /**
   * Gives the memory of `count` slabs from `first` on back to the system; their samples become 0. Where a page is larger
   * than a slab, only whole pages go. Throws RangeError when slabs are outside, and Error when the system refuses.
   */
  giveBack(first: number, count: number): void {
    checkSpan("slabs", first, count, this.length / SLAB_SAMPLES);
    if (native().sa_arena_give_back(this.#handle.pointer, first, count) !== 0) {
      throw new Error(`arena: the system does not take back slabs ${first} to ${first + count - 1}`);
    }
  }

  /** Frees the memory now. No thread may use it any more. */
  [Symbol.dispose](): void {
    unreferenced.unregister(this);
    this.#handle.free();
  }
}
