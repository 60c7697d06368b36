import type { Result } from "./result.ts";

/** Most results that are kept. The oldest go first. */
export const MAX_RESULTS = 5_000;
/** Most bytes of texts and sound of the results that are kept. */
export const MAX_RESULT_BYTES = 64 * 1024 * 1024;

/** The last results of a recording, as far as there is room. */
export class ResultStore {
  readonly #results = new Map<number, { readonly result: Result; readonly bytes: number }>();
  readonly #removed: (id: number) => void;
  #bytes = 0;

  /** @param removed called with the id of each result that goes */
  constructor(removed: (id: number) => void) {
    this.#removed = removed;
  }

  get size(): number {
    return this.#results.size;
  }

  /** In the order of their end. */
  get sorted(): Result[] {
    const results = [...this.#results.values()].map(({ result }) => result);
    return results.sort((a, b) => a.end - b.end || a.channel - b.channel);
  }

  has(id: number): boolean {
    return this.#results.has(id);
  }

  /** Returns the end of the last span of a channel, seconds; 0: there is none. */
  lastEnd(channel: number): number {
    let last = 0;
    for (const { result } of this.#results.values()) if (result.channel === channel) last = Math.max(last, result.end);
    return last;
  }

  /** Adds a result, in the place of the one with its id. @param bytes that it occupies */
  put(result: Result, bytes: number): void {
    this.#bytes += bytes - (this.#results.get(result.id)?.bytes ?? 0);
    this.#results.set(result.id, { result, bytes });
  }

  /** Makes room. The newest result stays, however large it is. */
  trim(): void {
    for (const id of this.#results.keys()) {
      const isFull = this.#results.size > MAX_RESULTS || this.#bytes > MAX_RESULT_BYTES;
      if (!isFull || this.#results.size === 1) return;
      this.delete(id);
    }
  }

  delete(id: number): void {
    const found = this.#results.get(id);
    if (found === undefined) return;
    this.#bytes -= found.bytes;
    this.#results.delete(id);
    this.#removed(id);
  }
}
