/** Bytes of the first block and of the largest one: each is twice as large as the one before. */
const FIRST_BYTES = 1_024;
const LARGEST_BYTES = 65_536;

/**
 * Bytes that came in pieces of any size, in blocks of memory of their own: a piece of one byte costs one byte, where an
 * array of it would cost a hundred.
 */
export class ByteBlocks {
  readonly #full: Uint8Array[] = [];
  #block = new Uint8Array(0);
  /** Bytes of the last block that are used. */
  #used = 0;
  #length = 0;

  /** Bytes in all. */
  get length(): number {
    return this.#length;
  }

  /** Appends a copy of the bytes. */
  push(bytes: Uint8Array): void {
    this.#length += bytes.length;
    for (let at = 0; at < bytes.length;) {
      if (this.#used === this.#block.length) this.#grow();
      const taken = bytes.subarray(at, at + this.#block.length - this.#used);
      this.#block.set(taken, this.#used);
      this.#used += taken.length;
      at += taken.length;
    }
  }

  /** Returns the bytes in order. */
  parts(): readonly Uint8Array[] {
    return this.#used === 0 ? this.#full : [...this.#full, this.#block.subarray(0, this.#used)];
  }

  #grow(): void {
    if (this.#block.length > 0) this.#full.push(this.#block);
    this.#block = new Uint8Array(Math.min(LARGEST_BYTES, Math.max(FIRST_BYTES, 2 * this.#block.length)));
    this.#used = 0;
  }
}
