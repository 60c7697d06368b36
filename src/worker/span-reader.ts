import { Arena, type AudioSpan } from "../audio/arena.ts";
import { native } from "../native/library.ts";
import { copySamples, type NativeSamples } from "../native/samples.ts";

/** Readers that are kept when no call has them. Each has as much memory as its largest call. */
const MAX_FREE = 8;

/** The readers of a thread: each running call has one, and so its own memory. */
export class SpanReaders {
  readonly #samples: NativeSamples;
  readonly #free: SpanReader[];

  /** Opens the C library, or throws NativeLibraryError. @param samples those of the arena */
  constructor(samples: NativeSamples) {
    this.#samples = samples;
    this.#free = [new SpanReader(samples)];
  }

  take(): SpanReader {
    return this.#free.pop() ?? new SpanReader(this.#samples);
  }

  /** Takes back a reader whose arrays are not used any more. */
  giveBack(reader: SpanReader): void {
    if (this.#free.length < MAX_FREE) this.#free.push(reader);
  }
}

/**
 * Copies spans from the arena to contiguous memory of this thread, which a model may write to. The memory is as large
 * as the largest call so far and is used again by the next call.
 */
export class SpanReader {
  readonly #samples: NativeSamples;
  #memory = new Float32Array(Arena.SLAB_SAMPLES);

  /** Opens the C library, or throws NativeLibraryError. @param samples those of the arena */
  constructor(samples: NativeSamples) {
    native();
    this.#samples = samples;
  }

  /** Returns one array for each span. They are valid until the next call. */
  read(spans: readonly AudioSpan[]): Float32Array[] {
    let total = 0;
    for (const { length } of spans) total += length;
    if (total > this.#memory.length) this.#memory = new Float32Array(total);
    let start = 0;
    return spans.map((span) => {
      this.#copy(span, start);
      const audio = this.#memory.subarray(start, start + span.length);
      start += span.length;
      return audio;
    });
  }

  /** @param to index in this thread's memory */
  #copy({ slabs, offset, length }: AudioSpan, to: number): void {
    let copied = 0;
    let first = offset;
    for (const slab of slabs) {
      if (copied >= length) break;
      const count = Math.min(Arena.SLAB_SAMPLES - first, length - copied);
      copySamples(this.#samples, slab * Arena.SLAB_SAMPLES + first, this.#memory, to + copied, count);
      copied += count;
      first = 0;
    }
    if (copied < length) throw new Error(`a span of ${length} samples has slabs for ${copied}`);
  }
}
