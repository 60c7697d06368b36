import { type Address, native } from "./library.ts";
import { checkSpan } from "./range.ts";

/** Memory of float samples that JavaScript has no view of: Bun's collector would count it and pace itself by it. */
export interface NativeSamples {
  /** Of the first sample. Throws when the memory has been freed. */
  readonly address: Address;
  /** Samples. */
  readonly length: number;
}

/** Samples that the functions of the C library read or write, by index: a plain array, or memory of the arena. */
export type Samples = Float32Array | NativeSamples;

/** Samples of `viewOf`. Its callers are synchronous, so all of this thread share them. */
let scratch = new Float32Array(0);

/** What "ptr" of the C library takes. */
export function addressOf(samples: Samples): Float32Array | Address {
  return samples instanceof Float32Array ? samples : samples.address;
}

/** Copies `from[fromIndex .. fromIndex + length)` to `to[toIndex ..]`. Throws RangeError when a sample is outside. */
export function copySamples(from: Samples, fromIndex: number, to: Samples, toIndex: number, length: number): void {
  checkSpan("source", fromIndex, length, from.length);
  checkSpan("target", toIndex, length, to.length);
  if (length > 0) native().sa_copy(addressOf(from), fromIndex, addressOf(to), toIndex, length);
}

/**
 * Returns `samples[index .. index + length)` to be read in JavaScript: a view of an array, or a copy of native memory,
 * which is valid until the next call. Throws RangeError when a sample is outside.
 */
export function viewOf(samples: Samples, index: number, length: number): Float32Array {
  checkSpan("samples", index, length, samples.length);
  if (samples instanceof Float32Array) return samples.subarray(index, index + length);
  if (scratch.length < length) scratch = new Float32Array(length);
  copySamples(samples, index, scratch, 0, length);
  return scratch.subarray(0, length);
}
