/** Turns up to this long count as processor time as they are: nothing is told apart in them. */
const SHORT_MS = 1;
/** Oldest reading of the processor time with which a longer turn begins. */
const READING_MS = 5;

/** One turn of the event loop that did measured work. */
export interface Turn {
  /** The stage that took most of it. */
  readonly stage: string;
  /** The last stage in it. */
  readonly last: string;
  /** By the clock, from the first stage on. */
  readonly ms: number;
  /**
   * Processor time of the main thread, at most `ms`, up to `READING_MS` too high. The rest of `ms` the thread waited for
   * a processor.
   */
  readonly cpuMs: number;
}

export interface TurnMeterOptions {
  /** Returns milliseconds, monotonic. */
  readonly now: () => number;
  /** Returns the processor time of the main thread in seconds. */
  readonly cpuSeconds: () => number;
  readonly onTurn: (turn: Turn) => void;
  /** Runs a task at the end of the turn. Default: `setImmediate`, which Bun 1.4.5 runs when all sockets have been read. */
  readonly defer?: (task: () => void) => void;
}

/**
 * Measures turns of the event loop: everything that the main thread does between two looks at its sockets. Each client
 * waits for the whole turn, whether it has one long piece of work or many short ones.
 */
export class TurnMeter {
  readonly #options: TurnMeterOptions;
  readonly #defer: (task: () => void) => void;
  readonly #end = (): void => this.#ended();
  /** Milliseconds by stage of this turn, estimated where only a sample is measured. */
  readonly #spent = new Map<string, number>();
  #open = false;
  #begunAt = 0;
  #last: string = "receive";
  /** The last reading of the processor time, milliseconds, and when it was. */
  #cpuMs: number;
  #readAt: number;

  constructor(options: TurnMeterOptions) {
    this.#options = options;
    this.#defer = options.defer ?? setImmediate;
    this.#cpuMs = options.cpuSeconds() * 1000;
    this.#readAt = options.now();
  }

  /** The main thread begins a piece of work. */
  work(stage: string): void {
    this.#last = stage;
    if (this.#open) return;
    this.#open = true;
    this.#begunAt = this.#options.now();
    this.#defer(this.#end);
  }

  /** A stage took some time of this turn. */
  spent(stage: string, ms: number): void {
    this.#spent.set(stage, (this.#spent.get(stage) ?? 0) + ms);
  }

  #ended(): void {
    const now = this.#options.now();
    const ms = now - this.#begunAt;
    let cpuMs = ms;
    // Reading the processor time is a system call, which short turns are not worth.
    if (ms > SHORT_MS || now - this.#readAt > READING_MS) {
      const total = this.#options.cpuSeconds() * 1000;
      if (ms > SHORT_MS) cpuMs = Math.min(ms, total - this.#cpuMs);
      this.#cpuMs = total;
      this.#readAt = now;
    }
    let [stage, longest] = [this.#last, 0];
    for (const [each, spent] of this.#spent) if (spent > longest) [stage, longest] = [each, spent];
    this.#spent.clear();
    this.#open = false;
    this.#options.onTurn({ stage, last: this.#last, ms, cpuMs });
  }
}
