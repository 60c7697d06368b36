/** Longest line of a model's output in characters; the rest of it is dropped. */
export const MAX_OUTPUT_LINE = 2000;
/** Most lines of one stream in `OUTPUT_PERIOD_MS`; the rest is counted. */
export const MAX_OUTPUT_LINES = 100;
export const OUTPUT_PERIOD_MS = 1000;
/** Pause between two reads of a stream that is over its limit, so that its reader costs little. */
const SLOW_READ_MS = 20;

export interface RelayedLine {
  readonly text: string;
  /** Lines before this one that were too many. */
  readonly leftOut: number;
}

/**
 * Cuts what a process prints into lines, as far as they are few and short. A progress bar, which returns to the start of
 * its line, is one, too. Resolves at the end of the stream.
 */
export async function relayOutput(
  stream: ReadableStream<Uint8Array>,
  receive: (line: RelayedLine) => void,
  now: () => number = () => performance.now(),
): Promise<void> {
  const lines = new OutputLines(receive, now);
  try {
    for await (const bytes of stream) {
      lines.push(bytes);
      // The process waits when its pipe is full.
      if (lines.isOver) await Bun.sleep(SLOW_READ_MS);
    }
  } catch {
    // The pipe broke with its process.
  }
  lines.end();
}

class OutputLines {
  readonly #receive: (line: RelayedLine) => void;
  readonly #now: () => number;
  readonly #decoder = new TextDecoder();
  #line = "";
  #periodEnd = 0;
  #lines = 0;
  #leftOut = 0;

  constructor(receive: (line: RelayedLine) => void, now: () => number) {
    this.#receive = receive;
    this.#now = now;
  }

  get isOver(): boolean {
    return this.#lines >= MAX_OUTPUT_LINES && this.#now() < this.#periodEnd;
  }

  push(bytes: Uint8Array): void {
    const [first = "", ...others] = this.#decoder.decode(bytes, { stream: true }).split(/\r\n|\n|\r/);
    this.#extend(first);
    for (const text of others) {
      this.#endLine();
      this.#extend(text);
    }
  }

  end(): void {
    this.#endLine();
    if (this.#leftOut > 0) this.#receive({ text: "", leftOut: this.#leftOut });
  }

  #extend(text: string): void {
    if (this.#line.length < MAX_OUTPUT_LINE) this.#line += text.slice(0, MAX_OUTPUT_LINE - this.#line.length);
  }

  #endLine(): void {
    const text = this.#line;
    this.#line = "";
    if (text.trim() === "") return;
    const now = this.#now();
    if (now >= this.#periodEnd) {
      this.#periodEnd = now + OUTPUT_PERIOD_MS;
      this.#lines = 0;
    }
    if (++this.#lines > MAX_OUTPUT_LINES) {
      this.#leftOut++;
      return;
    }
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    this.#receive({ text, leftOut });
  }
}
