import { CHUNK_HEAD_BYTES, chunkName, chunkSize, findName, NAME_WINDOW_BYTES } from "./wav-chunk.ts";

/** The byte in front of a chunk, its head, and one more, because its name may be a byte late. */
const WINDOW_BYTES = 1 + CHUNK_HEAD_BYTES + 1;

/** Walk through the chunks behind the audio of a WAV file, however their bytes are cut, in search of more audio. */
export class TrailingChunks {
  readonly #window = new Uint8Array(WINDOW_BYTES);
  /** Bytes of the window that have come, and that are wanted. The first is the one in front of the chunk. */
  #filled = 1;
  #wanted = NAME_WINDOW_BYTES;
  /** Bytes of the chunk to skip, padding included. */
  #skip = 0;
  #hasData = false;

  /** There is a `data` chunk among them. */
  get hasData(): boolean {
    return this.#hasData;
  }

  /** Takes the next bytes behind the audio. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.#hasData;) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, bytes.length - at);
        this.#skip -= skipped;
        at += skipped;
        this.#window[0] = bytes[at - 1] ?? 0;
      } else {
        this.#window[this.#filled++] = bytes[at++] ?? 0;
        if (this.#filled === this.#wanted) this.#advance();
      }
    }
  }

  #advance(): void {
    if (this.#wanted === NAME_WINDOW_BYTES) {
      this.#wanted = 1 + CHUNK_HEAD_BYTES + findName(this.#window.subarray(0, NAME_WINDOW_BYTES));
      return;
    }
    const head = this.#wanted - CHUNK_HEAD_BYTES;
    const size = chunkSize(this.#window, head);
    this.#hasData = chunkName(this.#window, head) === "data";
    this.#window[0] = this.#window[this.#wanted - 1] ?? 0;
    this.#filled = 1;
    this.#wanted = NAME_WINDOW_BYTES;
    this.#skip = size + (size % 2);
  }
}
