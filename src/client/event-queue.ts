import type { ServerEvent } from "../protocol/events.ts";

/** One event as it came. */
export interface Received {
  readonly event: ServerEvent;
  /** The message exactly as received. */
  readonly text: string;
  /** When its last message arrived, on the client's clock, milliseconds. */
  readonly at: number;
  /** The audio that a result carries: mono, `event.audio.sample_rate`. */
  readonly audio: Float32Array<ArrayBuffer> | undefined;
}

interface Reader {
  resolve: (result: IteratorResult<Received, undefined>) => void;
  reject: (error: Error) => void;
}

/**
 * Events between the socket, which pushes, and one reader, who pulls. One promise a read and none kept: a reader that waits is
 * woken by the next push.
 */
export class EventQueue implements AsyncIterable<Received> {
  readonly limit: number;
  #events: Received[] = [];
  /** Read so far of #events; cut off when half of it is. */
  #head = 0;
  #reader: Reader | undefined;
  #end: { failure: Error | undefined } | undefined;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** False if the limit is reached; the event is then not kept. */
  push(received: Received): boolean {
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve({ done: false, value: received });
      return true;
    }
    if (this.#events.length - this.#head >= this.limit) return false;
    this.#events.push(received);
    return true;
  }

  /** What was pushed is still read; after it reading ends, or throws `failure` once. */
  end(failure: Error | undefined): void {
    this.#end = { failure };
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) this.#finish(reader);
  }

  [Symbol.asyncIterator](): AsyncIterator<Received, undefined> {
    return {
      next: () => this.#next(),
      return: () => Promise.resolve({ done: true, value: undefined }),
    };
  }

  #next(): Promise<IteratorResult<Received, undefined>> {
    const value = this.#events[this.#head];
    if (value !== undefined) {
      this.#head += 1;
      if (this.#head * 2 >= this.#events.length) {
        this.#events = this.#events.slice(this.#head);
        this.#head = 0;
      }
      return Promise.resolve({ done: false, value });
    }
    if (this.#reader !== undefined) return Promise.reject(new Error("events are already being read"));
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) this.#finish({ resolve, reject });
      else this.#reader = { resolve, reject };
    });
  }

  #finish(reader: Reader): void {
    const failure = this.#end?.failure;
    this.#end = { failure: undefined };
    if (failure === undefined) reader.resolve({ done: true, value: undefined });
    else reader.reject(failure);
  }
}
