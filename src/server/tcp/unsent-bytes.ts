const NOTHING = new Uint8Array(0);

/** Hands bytes to the kernel. Returns how many of them it has taken, 0 or less: none. */
type Write = (bytes: Uint8Array) => number;

/** The bytes of one connection that the kernel has not taken, in order. */
export class UnsentBytes {
  #chunks: Uint8Array[] = [];
  #head = 0;
  /** Bytes of the first chunk that the kernel has taken. */
  #taken = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /**
   * Writes a message, and keeps what the kernel does not take. @param message may be changed when this has returned
   */
  send(message: string | Uint8Array, write: Write): void {
    const isText = typeof message === "string";
    const bytes = isText ? Buffer.from(message) : message;
    if (bytes.length === 0) return;
    const taken = this.#size > 0 ? 0 : Math.max(0, write(bytes));
    if (taken === bytes.length) return;
    // A text has memory of its own already.
    this.#chunks.push(isText ? bytes.subarray(taken) : bytes.slice(taken));
    this.#size += bytes.length - taken;
  }

  /** Writes what is kept, as much as the kernel takes. */
  flush(write: Write): void {
    for (let chunk = this.#chunks[this.#head]; chunk !== undefined; chunk = this.#chunks[this.#head]) {
      const left = chunk.subarray(this.#taken);
      const taken = Math.max(0, write(left));
      this.#size -= taken;
      if (taken < left.length) {
        this.#taken += taken;
        return;
      }
      this.#taken = 0;
      this.#chunks[this.#head] = NOTHING;
      this.#head += 1;
    }
    this.clear();
  }

  clear(): void {
    this.#chunks = [];
    this.#head = 0;
    this.#taken = 0;
    this.#size = 0;
  }
}
