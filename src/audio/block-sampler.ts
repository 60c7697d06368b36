const NO_BYTES = new Uint8Array(0);

/** Receives a block, `bytes[offset .. offset + blockBytes)`. Returns true if no more are wanted. */
export type Look = (bytes: Uint8Array, offset: number) => boolean;

/** Cuts blocks out of a stream of bytes at regular places, however the bytes are cut into messages. */
export class BlockSampler {
  readonly #blockBytes: number;
  readonly #stride: number;
  readonly #look: Look;
  /** Bytes up to the next block. */
  #ahead = 0;
  /** The beginning of a block of which the rest has not come. */
  #partial: Uint8Array = NO_BYTES;

  /** @param stride bytes from one block to the next, at least `blockBytes` */
  constructor(blockBytes: number, stride: number, look: Look) {
    this.#blockBytes = blockBytes;
    this.#stride = stride;
    this.#look = look;
  }

  /** Takes the next bytes, `bytes[start .. end)`. */
  push(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    for (;;) {
      const skipped = Math.min(end - at, this.#ahead);
      this.#ahead -= skipped;
      at += skipped;
      const begun = this.#partial.length;
      if (end - at < this.#blockBytes - begun) break;
      const block = begun === 0 ? bytes : this.#joined(bytes, at, at + this.#blockBytes - begun);
      const done = this.#look(block, begun === 0 ? at : 0);
      at += this.#blockBytes - begun;
      this.#partial = NO_BYTES;
      this.#ahead = this.#stride - this.#blockBytes;
      if (done) return;
    }
    if (at < end) this.#partial = this.#joined(bytes, at, end);
  }

  #joined(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const joint = new Uint8Array(this.#partial.length + end - start);
    joint.set(this.#partial);
    joint.set(bytes.subarray(start, end), this.#partial.length);
    return joint;
  }
}
