/** One of the program's two outputs. */
export interface Output {
  readonly isTerminal: boolean;
  /** Width of the terminal, in characters. */
  readonly columns: number;
  /** Undefined when the text was taken at once, else a promise for when more may be written. */
  write(text: string): Promise<void> | undefined;
}

/**
 * Standard output or standard error. `onBroken` is called once when nothing can be written any more: without a reason when nobody reads
 * it (EPIPE), else with one, such as a full disk.
 */
export function processOutput(stream: NodeJS.WriteStream, onBroken: (reason?: string) => void): Output {
  let broken = false;
  let wake: (() => void) | undefined;
  const ready = () => {
    wake?.();
    wake = undefined;
  };
  stream.on("drain", ready);
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (!broken) onBroken(error.code === "EPIPE" ? undefined : error.message);
    broken = true;
    ready();
  });
  return {
    isTerminal: stream.isTTY ?? false,
    get columns() {
      // A terminal that does not know its size says 0.
      return stream.columns > 0 ? stream.columns : 80;
    },
    write(text) {
      if (broken || stream.write(text)) return undefined;
      return new Promise((resolve) => {
        wake = resolve;
      });
    },
  };
}

const COLOURS = { dim: 2, red: 31, green: 32, yellow: 33 };

/**
 * Results on standard output, notices on standard error, and below them on a terminal a few lines that change in place.
 */
export class Screen {
  readonly #out: Output;
  readonly #err: Output;
  /** Where the changing lines are; undefined when neither output is a terminal. */
  readonly #live: Output | undefined;
  readonly #lines = new Map<string, string>();
  /** Changing lines that stand on the terminal now. */
  #drawn = 0;
  readonly #colour: boolean;

  constructor(out: Output, err: Output, options: { colour: boolean }) {
    this.#out = out;
    this.#err = err;
    this.#live = [err, out].find((output) => output.isTerminal);
    this.#colour = options.colour;
  }

  /** Whether a line of results can be replaced by a later one. */
  get inPlace(): boolean {
    return this.#out.isTerminal;
  }

  /** Whether notices are seen while they change. */
  get showsProgress(): boolean {
    return this.#err.isTerminal;
  }

  /** Results: a whole line, without its end. Waits where the reader is slow. */
  print(line: string): Promise<void> | undefined {
    return this.#permanent(this.#out, line);
  }

  note(line: string): Promise<void> | undefined {
    return this.#permanent(this.#err, line);
  }

  /** Sets a changing line, or removes it; lines stand in the order of their names. */
  live(name: string, line: string | undefined): void {
    if (this.#live === undefined || this.#lines.get(name) === line) return;
    if (line === undefined) this.#lines.delete(name);
    else this.#lines.set(name, line);
    void this.#live.write(this.#erased() + this.#redrawn());
  }

  /** Removes all changing lines. */
  clear(): void {
    this.#lines.clear();
    if (this.#drawn > 0) void this.#live?.write(this.#erased() + this.#redrawn());
  }

  /** For results; plain when they do not go to a terminal. */
  paint(colour: keyof typeof COLOURS, text: string): string {
    return this.#colour && this.#out.isTerminal ? `\u001B[${COLOURS[colour]}m${text}\u001B[0m` : text;
  }

  #permanent(output: Output, line: string): Promise<void> | undefined {
    if (this.#live === undefined || this.#drawn === 0) return output.write(`${line}\n`);
    if (output === this.#live) return output.write(`${this.#erased()}${line}\n${this.#redrawn()}`);
    void this.#live.write(this.#erased());
    const ready = output.write(`${line}\n`);
    void this.#live.write(this.#redrawn());
    return ready;
  }

  #erased(): string {
    return this.#drawn === 0 ? "" : `\u001B[${this.#drawn}F\u001B[J`;
  }

  #redrawn(): string {
    const width = (this.#live?.columns ?? 80) - 1;
    const names = [...this.#lines.keys()].sort();
    this.#drawn = names.length;
    return names.map((name) => `${(this.#lines.get(name) ?? "").slice(0, width)}\n`).join("");
  }
}
