import { Arena, type AudioSpan } from "../audio/arena.ts";

/**
 * Copies spans from the arena to contiguous memory of this thread, which a model may write to. The memory is as large
 * as the largest call so far and is used again by the next call.
 */
export class SpanReader {
  readonly #samples: Float32Array;
  #memory = new Float32Array(Arena.SLAB_SAMPLES);

  constructor(arena: SharedArrayBuffer) {
    this.#samples = new Float32Array(arena);
  }

  /** Returns one array for each span. They are valid until the next call. */
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

  #copy({ slabs, offset, length }: AudioSpan, target: Float32Array): void {
    let copied = 0;
    let first = offset;
    for (const slab of slabs) {
      if (copied >= length) break;
      const count = Math.min(Arena.SLAB_SAMPLES - first, length - copied);
      const start = slab * Arena.SLAB_SAMPLES + first;
      target.set(this.#samples.subarray(start, start + count), copied);
      copied += count;
      first = 0;
    }
    if (copied < length) throw new Error(`a span of ${length} samples has slabs for ${copied}`);
  }
}
