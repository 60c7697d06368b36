/** Most bytes that are kept of the start of an input. */
const MAX_KEPT_BYTES = 1024 * 1024;

/** The pieces of an input, of which the start is kept, so that another program can be given all of it. */
export class KeptStart implements AsyncIterator<Uint8Array, undefined> {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;

  constructor(pieces: AsyncIterator<Uint8Array>) {
    this.#pieces = pieces;
  }

  /** Reads a piece, which is valid until the next one is read. */
  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const { done, value } = await this.#pieces.next();
    if (done === true) return { done: true, value: undefined };
    this.#keptBytes += value.length;
    if (this.#keptBytes <= MAX_KEPT_BYTES) this.#kept.push(value.slice());
    else this.#kept = [];
    return { done: false, value };
  }

  /** The bytes so far; empty if they are more than are kept. */
  get bytes(): Uint8Array {
    return Buffer.concat(this.#kept);
  }

  /** Reads until there are `count` bytes, or the input ends. Returns false at the end. */
  async readTo(count: number): Promise<boolean> {
    while (this.#keptBytes < count) if ((await this.next()).done === true) return false;
    return true;
  }

  /** Returns all pieces from the first one on; undefined if the start is no longer kept. */
  replay(): AsyncGenerator<Uint8Array, void> | undefined {
    if (this.#keptBytes > MAX_KEPT_BYTES) return undefined;
    return replay(this.#kept, this.#pieces);
  }
}

async function* replay(kept: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    yield* kept;
    for (;;) {
      const { done, value } = await rest.next();
      if (done === true) return;
      yield value;
    }
  } finally {
    await rest.return?.();
  }
}
