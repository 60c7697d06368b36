/** Most bytes of audio that are kept to be sent again. Past it the oldest go, and the stream cannot be resumed. */
export const MAX_KEPT_BYTES = 64 * 1024 * 1024;

/** Something that a client has to send: audio, at a place counted in bytes from the start of its stream, or a request. */
export type Sendable =
  | { readonly kind: "audio"; readonly at: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "request"; readonly body: { readonly request: string } };

/** What has been sent since the last checkpoint, to be sent again if the connection is lost. */
export class KeptStream {
  readonly #limit: number;
  #items: Sendable[] = [];
  /** Index of the first item that has not been sent on this connection. */
  #next = 0;
  /** Bytes from which on all audio is kept, and the end of the audio. */
  #start = 0;
  #end = 0;

  constructor(limit: number = MAX_KEPT_BYTES) {
    this.#limit = limit;
  }

  /** Adds a copy of audio. */
  audio(bytes: Uint8Array): void {
    this.#items.push({ kind: "audio", at: this.#end, bytes: new Uint8Array(bytes) });
    this.#end += bytes.length;
    if (this.#end - this.#start > this.#limit) this.#forget(this.#end - this.#limit);
  }

  request(body: { readonly request: string }): void {
    this.#items.push({ kind: "request", body });
  }

  /** Returns the next item to send on this connection, once. */
  take(): Sendable | undefined {
    const item = this.#items[this.#next];
    if (item !== undefined) this.#next += 1;
    return item;
  }

  /** On a new connection everything is sent again, audio from byte `at` on. */
  rewind(at: number): void {
    const [first] = this.#items;
    if (first?.kind === "audio" && first.at < at) {
      this.#items[0] = { kind: "audio", at, bytes: first.bytes.slice(at - first.at) };
    }
    this.#next = 0;
  }

  /** The audio before byte `at` need not be kept any more, nor the first `flushes` requests of a flush. */
  release(at: number, flushes: number): void {
    for (let left = flushes; left > 0; left--) {
      const index = this.#items.findIndex((item) => item.kind === "request" && item.body.request === "flush");
      if (index !== -1) this.#remove(index, 1);
    }
    this.#forget(at);
  }

  /** All audio from byte `at` on is kept. */
  has(at: number): boolean {
    return at >= this.#start && at <= this.#end;
  }

  /** Drops everything. */
  clear(): void {
    this.#items = [];
    this.#next = this.#start = this.#end = 0;
  }

  /** Drops the messages of audio that end at or before byte `at`. */
  #forget(at: number): void {
    let count = 0;
    for (let index = 0; index < this.#items.length; index++) {
      const item = this.#items[index]!;
      if (item.kind === "request") continue;
      if (item.at + item.bytes.length > at) {
        this.#start = Math.max(this.#start, item.at);
        break;
      }
      count = index + 1;
      this.#start = item.at + item.bytes.length;
    }
    // Requests between the audio that goes stay where they are: in front of the audio that stays.
    const requests = this.#items.slice(0, count).filter(({ kind }) => kind === "request");
    this.#remove(0, count);
    this.#items.unshift(...requests);
    this.#next += requests.length;
  }

  #remove(index: number, count: number): void {
    this.#items.splice(index, count);
    this.#next -= Math.max(0, Math.min(count, this.#next - index));
  }
}
