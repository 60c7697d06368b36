import type { ReceivedEvent } from "./event-reader.ts";

/** A read that waits for the next event. */
interface WaitingRead {
  readonly resolve: (result: IteratorResult<ReceivedEvent, undefined>) => void;
  readonly reject: (error: Error) => void;
}

/** A bounded queue of events: the socket pushes, one reader at a time pulls. */
export class EventQueue implements AsyncIterable<ReceivedEvent> {
  readonly limit: number;
  #events: ReceivedEvent[] = [];
  /** Index of the next event to read. The events before it are removed when they are half of the array. */
  #head = 0;
  #bytes = 0;
  #waiting: WaitingRead | undefined;
  /** Set by `end`; `failure` is cleared when it has been thrown. */
  #end: { failure: Error | undefined } | undefined;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Size of the events in the queue: their audio, and the characters of their texts. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends an event, or hands it to a waiting read. Returns false, without the event, when the queue is full. */
  push(received: ReceivedEvent): boolean {
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting.resolve({ done: false, value: received });
      return true;
    }
    if (this.#events.length - this.#head >= this.limit) return false;
    this.#events.push(received);
    this.#bytes += sizeOf(received);
    return true;
  }

  /** Ends the queue: after the events in it, reading throws `failure` once, or ends. */
  end(failure: Error | undefined): void {
    this.#end = { failure };
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) this.#settleEnd(waiting);
  }

  [Symbol.asyncIterator](): AsyncIterator<ReceivedEvent, undefined> {
    return {
      next: () => this.#next(),
      return: () => Promise.resolve({ done: true, value: undefined }),
    };
  }

  #next(): Promise<IteratorResult<ReceivedEvent, undefined>> {
    const value = this.#events[this.#head];
    if (value !== undefined) {
      this.#bytes -= sizeOf(value);
      this.#head += 1;
      if (this.#head * 2 >= this.#events.length) {
        this.#events = this.#events.slice(this.#head);
        this.#head = 0;
      }
      return Promise.resolve({ done: false, value });
    }
    if (this.#waiting !== undefined) return Promise.reject(new Error("events are already being read"));
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) this.#settleEnd({ resolve, reject });
      else this.#waiting = { resolve, reject };
    });
  }

  #settleEnd(read: WaitingRead): void {
    const failure = this.#end?.failure;
    this.#end = { failure: undefined };
    if (failure === undefined) read.resolve({ done: true, value: undefined });
    else read.reject(failure);
  }
}

function sizeOf({ text, audio }: ReceivedEvent): number {
  return text.length + (audio?.byteLength ?? 0);
}
