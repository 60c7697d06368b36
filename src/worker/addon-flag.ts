/**
 * A flag that a worker thread sets before it loads a native add-on (Node-API), however that is imported. Its host reads
 * it while the thread blocks and can send no message.
 */
export class AddonFlag {
  readonly buffer: SharedArrayBuffer;
  readonly #flag: Int32Array;

  /** @param buffer of the other side; without it, a new one */
  constructor(buffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#flag = new Int32Array(buffer);
  }

  get isSet(): boolean {
    return Atomics.load(this.#flag, 0) === 1;
  }

  /** Sets the flag when this thread loads an add-on from now on. */
  watch(): void {
    const load = process.dlopen;
    process.dlopen = (...args: Parameters<typeof load>) => {
      Atomics.store(this.#flag, 0, 1);
      return load.apply(process, args);
    };
  }
}
