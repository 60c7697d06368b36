import { createRNNWasmModuleSync } from "@jitsi/rnnoise-wasm";

/** What is used of the package, which has no types. Addresses and sizes are in bytes. */
interface Functions {
  readonly HEAPU8: Uint8Array;
  readonly HEAPF32: Float32Array;
  _malloc(size: number): number;
  /** Returns the address of a denoiser with the network at an address; 0: the built-in one. */
  _rnnoise_create(network: number): number;
  /** Denoises one frame. Returns the probability of speech. */
  _rnnoise_process_frame(denoiser: number, output: number, input: number): number;
}

/** Samples at 48 kHz that the network takes at a time: 10 ms. */
export const FRAME = 480;
/** Full scale of the library, which works on floats in the range of 16-bit integers. */
const FULL_SCALE = 32_768;
/** The header of a block in the library's memory, emmalloc of Emscripten. */
const BLOCK_HEADER = 8;

/**
 * RNNoise 0.2 in WebAssembly: one denoiser in the library's own memory, which any stream borrows for a call.
 *
 * What the library keeps of a stream is one block of memory. The addresses in it point to the weights, which are at the
 * same place in every instance; so the block can be copied out, and into another instance.
 */
export class Library {
  readonly #library: Functions = createRNNWasmModuleSync();
  readonly #denoiser: number;
  readonly #frame: number;
  /** Bytes of a stream's memory. */
  readonly #size: number;
  readonly #fresh: Uint8Array;

  /** Throws if the library has no memory. */
  constructor() {
    this.#denoiser = this.#library._rnnoise_create(0);
    // Blocks follow each other: the distance to the next is the size, which the library does not export.
    this.#frame = this.#library._malloc(FRAME * Float32Array.BYTES_PER_ELEMENT);
    if (this.#denoiser === 0 || this.#frame === 0) throw new Error("RNNoise has no memory");
    this.#size = this.#frame - this.#denoiser - BLOCK_HEADER;
    this.#fresh = this.save();
  }

  /** Memory of a stream that begins. */
  get fresh(): Uint8Array {
    return this.#fresh.slice();
  }

  /** A copy of the denoiser's memory. */
  save(): Uint8Array {
    return this.#library.HEAPU8.slice(this.#denoiser, this.#denoiser + this.#size);
  }

  /** Continues a stream. Throws if the memory is not one of this version. */
  restore(memory: Uint8Array): void {
    if (memory.length !== this.#size) {
      throw new Error(`memory of RNNoise: found ${memory.length} bytes; allowed: ${this.#size}`);
    }
    this.#library.HEAPU8.set(memory, this.#denoiser);
  }

  /** Denoises `FRAME` samples in place. Returns the probability of speech, 0 to 1. */
  process(frame: Float32Array): number {
    const start = this.#frame / Float32Array.BYTES_PER_ELEMENT;
    const heap = this.#library.HEAPF32;
    for (let index = 0; index < FRAME; index++) heap[start + index] = frame[index]! * FULL_SCALE;
    const speech = this.#library._rnnoise_process_frame(this.#denoiser, this.#frame, this.#frame);
    for (let index = 0; index < FRAME; index++) frame[index] = this.#library.HEAPF32[start + index]! / FULL_SCALE;
    return speech;
  }
}
