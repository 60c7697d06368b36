import { Arena } from "../audio/arena.ts";
import type { AudioSpan } from "../audio/store.ts";

/** Reads spans out of the arena into memory of this thread, contiguous, so that a model may write into what it is given. The
 *  memory is used again for the next call and is as large as the largest call so far. */
export class SpanReader {
  readonly #samples: Float32Array;
  #memory = new Float32Array(Arena.SLAB_SAMPLES);

  constructor(arena: SharedArrayBuffer) {
    this.#samples = new Float32Array(arena);
  }

  read(spans: readonly AudioSpan[]): Float32Array[] {
    let total = 0;
    for (const { length } of spans) total += length;
    if (total > this.#memory.length) this.#memory = new Float32Array(total);
    let start = 0;
    return spans.map((span) => {
      const audio = this.#memory.subarray(start, start + span.length);
      this.#copy(span, audio);
      start += span.length;
      return audio;
    });
  }

  #copy({ slabs, offset, length }: AudioSpan, into: Float32Array): void {
    let done = 0;
    let first = offset;
    for (const slab of slabs) {
      if (done >= length) break;
      const count = Math.min(Arena.SLAB_SAMPLES - first, length - done);
      const from = slab * Arena.SLAB_SAMPLES + first;
      into.set(this.#samples.subarray(from, from + count), done);
      done += count;
      first = 0;
    }
    if (done < length) throw new Error(`a span of ${length} samples has slabs for ${done}`);
  }
}
