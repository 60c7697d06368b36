import type { Channels } from "./channels.ts";
import type { Holder } from "./holder.ts";
import type { Memory } from "./memory.ts";
import type { StreamOwner } from "./owner.ts";

/** The place of one stream in the memory: what it holds, and its turn to take more. */
export class MemoryPlace implements Holder {
  readonly caller: string;
  readonly isExempt: boolean;
  readonly #memory: Memory;
  readonly #channels: Channels;
  readonly #owner: StreamOwner;
  #ending = false;

  constructor(memory: Memory, channels: Channels, owner: StreamOwner) {
    this.caller = owner.caller.id;
    this.isExempt = owner.caller.limits.isExempt === true;
    this.#memory = memory;
    this.#channels = channels;
    this.#owner = owner;
    memory.enter(this);
  }

  get slabs(): number {
    return this.#channels.slabs;
  }

  get releasable(): number {
    return this.#channels.releasableSlabs;
  }

  get step(): number {
    return this.#channels.count;
  }

  /** A stream that is ending takes no more than what has come. */
  get remaining(): number {
    return this.#ending ? this.step : this.#channels.remainingSlabs;
  }

  get answered(): number {
    return this.#channels.released;
  }

  evict(message: string): void {
    this.#owner.evicted(message);
  }

  /** Returns whether the stream may take another slab for each channel now. */
  mayGrow(): boolean {
    return this.#memory.permits(this, this.step);
  }

  /** Lets the stream go on when it may take its next slabs. */
  wait(): void {
    this.#memory.wait(this, () => this.#owner.progress());
  }

  /** The client sends no more. */
  end(): void {
    this.#ending = true;
  }

  leave(): void {
    this.#memory.leave(this);
  }
}
