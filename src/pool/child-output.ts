import { readPaced } from "../lib/paced-reading.ts";

/** Longest line of a model's output in characters; the rest of it is dropped. */
export const MAX_OUTPUT_LINE = 2000;
/** Most lines of one stream in `OUTPUT_PERIOD_MS`; the rest is counted. */
export const MAX_OUTPUT_LINES = 100;
export const OUTPUT_PERIOD_MS = 1000;
/** Time between two lines of a progress bar that are relayed. Those in between are dropped: a terminal overwrites them. */
export const PROGRESS_PERIOD_MS = 5_000;
/** Bytes of one stream in a second that are read as fast as they come: more than the lines that are relayed. */
const FULL_SPEED_BYTES = 256 * 1024;
/** Most bytes of UTF-8 that are kept of a line. A character in UTF-16 has three at most. */
const MAX_LINE_BYTES = 3 * MAX_OUTPUT_LINE;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;

export interface RelayedLine {
  readonly text: string;
  /** Lines before this one that were too many. */
  readonly leftOut: number;
}

export interface OutputReading {
  /** Ends the reading, and closes the stream. */
  readonly signal?: AbortSignal;
  readonly now?: () => number;
}

/**
 * Cuts what a process prints into lines, as far as they are few and short. Of a progress bar, which returns to the start of
 * its line, a line is relayed now and then, and the last one. Resolves at the end of the stream.
 */
export async function relayOutput(
  stream: ReadableStream<Uint8Array>,
  receive: (line: RelayedLine) => void,
  { signal, now = () => performance.now() }: OutputReading = {},
): Promise<void> {
  const lines = new OutputLines(receive, now);
  await readPaced(stream, (bytes) => lines.push(bytes), {
    bytes: FULL_SPEED_BYTES,
    now,
    ...(signal !== undefined && { signal }),
  });
  lines.end();
}

/** Lines of bytes. What is dropped is neither decoded nor copied, since a process may print without pause. */
class OutputLines {
  readonly #receive: (line: RelayedLine) => void;
  readonly #now: () => number;
  readonly #decoder = new TextDecoder();
  readonly #line = new Uint8Array(MAX_LINE_BYTES);
  /** Bytes of the line that are kept. */
  #kept = 0;
  #isBlank = true;
  /** The line has ended with a carriage return. What follows tells whether it is one of a progress bar. */
  #hasReturned = false;
  #progressEnd = 0;
  #periodEnd = 0;
  #lines = 0;
  #leftOut = 0;

  constructor(receive: (line: RelayedLine) => void, now: () => number) {
    this.#receive = receive;
    this.#now = now;
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === CARRIAGE_RETURN) {
        this.#hasReturned = true;
        continue;
      }
      if (byte === LINE_FEED || this.#hasReturned) {
        if (!this.#isBlank && (byte === LINE_FEED || this.#isProgressDue())) this.#endLine();
        this.#kept = 0;
        this.#isBlank = true;
        this.#hasReturned = false;
        if (byte === LINE_FEED) continue;
      }
      if (byte > SPACE) this.#isBlank = false;
      if (this.#kept < MAX_LINE_BYTES) this.#line[this.#kept++] = byte;
    }
  }

  end(): void {
    if (!this.#isBlank) this.#endLine();
    if (this.#leftOut > 0) this.#receive({ text: "", leftOut: this.#leftOut });
  }

  /** Returns whether a line of a progress bar is relayed. */
  #isProgressDue(): boolean {
    const now = this.#now();
    if (now < this.#progressEnd) return false;
    this.#progressEnd = now + PROGRESS_PERIOD_MS;
    return true;
  }

  #endLine(): void {
    const now = this.#now();
    if (now >= this.#periodEnd) {
      this.#periodEnd = now + OUTPUT_PERIOD_MS;
      this.#lines = 0;
    }
    if (++this.#lines > MAX_OUTPUT_LINES) {
      this.#leftOut++;
      return;
    }
    const text = this.#decoder.decode(this.#line.subarray(0, this.#kept)).slice(0, MAX_OUTPUT_LINE);
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    this.#receive({ text, leftOut });
  }
}
