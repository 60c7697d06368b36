import type { Dialect, Input, Message } from "../dialects/dialect.ts";
import { Inbox } from "./inbox.ts";

const NO_INPUTS: readonly Input[] = [];

/**
 * Requests that are read when a stream is ended: an inbox may hold 20,000, which take 20 ms, and a hundred sessions may
 * end at a time. What is behind them does not count as received.
 */
const MOST_DRAINED = 256;

/**
 * The client's inputs in order. Messages wait as they came, and the dialect reads each only when its turn has come:
 * what the dialect remembers agrees with what the session has done.
 */
export class Inputs {
  readonly #dialect: Pick<Dialect, "begin" | "read" | "finished">;
  readonly #inbox = new Inbox();
  /** Inputs of the message that was read last, and how many of them have been taken. */
  #read: readonly Input[];
  #taken = 0;
  /** An input that was taken and put back. */
  #postponed: Input | undefined;
  /** `open` until the client sends no more; `finished` when the dialect has handled that. */
  #state: "open" | "finishing" | "finished" = "open";

  constructor(dialect: Pick<Dialect, "begin" | "read" | "finished">) {
    this.#dialect = dialect;
    this.#read = dialect.begin();
  }

  /** Bytes of messages that have not been read. */
  get bytes(): number {
    return this.#inbox.bytes;
  }

  /** No message waits. */
  get empty(): boolean {
    return this.#inbox.empty && this.#taken === this.#read.length;
  }

  /** The next input, as far as can be seen without reading it, is audio. */
  get nextIsAudio(): boolean {
    const next = this.#read[this.#taken];
    return next === undefined ? typeof this.#inbox.next === "object" : next.kind === "audio";
  }

  /** The client sends no more, and every input has been taken. */
  get finished(): boolean {
    return this.#state === "finished" && this.empty;
  }

  push(message: Message): void {
    this.#inbox.push(message);
  }

  /** The client sends no more. */
  finish(): void {
    if (this.#state === "open") this.#state = "finishing";
  }

  /** Returns the next input; undefined when there is none. */
  shift(): Input | undefined {
    const postponed = this.#postponed;
    if (postponed !== undefined) {
      this.#postponed = undefined;
      return postponed;
    }
    while (this.#taken === this.#read.length) {
      this.#taken = 0;
      this.#read = NO_INPUTS;
      const message = this.#inbox.shift();
      if (message !== undefined) this.#read = this.#dialect.read(message);
      else if (this.#state === "finishing") {
        this.#state = "finished";
        this.#read = this.#dialect.finished?.() ?? NO_INPUTS;
      } else return undefined;
    }
    return this.#read[this.#taken++];
  }

  /** Puts an input back: it is the next one. */
  postpone(input: Input): void {
    this.#postponed = input;
  }

  /**
   * Reads everything up to the first input that ends the open stream, or up to MOST_DRAINED requests.
   * @returns bytes of audio in it. Nothing can be taken afterwards.
   */
  drainAudio(): number {
    let bytes = 0;
    let requests = 0;
    let isBehindAudio = false;
    for (let input = this.shift(); input !== undefined && !endsStream(input); input = this.shift()) {
      if (input.kind === "audio") bytes += input.bytes.length;
      // A dialect may acknowledge each message of audio, which is no request.
      else if (!(isBehindAudio && input.kind === "reply") && ++requests === MOST_DRAINED) break;
      isBehindAudio = input.kind === "audio";
    }
    this.clear();
    return bytes;
  }

  clear(): void {
    this.#inbox.clear();
    this.#read = NO_INPUTS;
    this.#taken = 0;
    this.#postponed = undefined;
  }
}

/** A start ends the open stream even when it is refused: what follows it was not meant for that stream. */
export function isStart(input: Input): boolean {
  if (input.kind === "refused") return input.meant === "start";
  return input.kind === "request" && input.request.request === "start";
}

function endsStream(input: Input): boolean {
  return isStart(input) || (input.kind === "request" && input.request.request === "stop");
}
