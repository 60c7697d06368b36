import type { ByteOutput } from "../../src/commands/terminal/output.ts";

/** An output that keeps what is written to it. */
export class MemoryOutput implements ByteOutput {
  readonly isTerminal: boolean;
  columns: number;
  rows = 24;
  /** Set for `@xterm/headless` of `TerminalView`. */
  isXtermJs = false;
  /** Each write, in order. */
  readonly writes: string[] = [];
  readonly #listeners: (() => void)[] = [];

  constructor(options: { isTerminal?: boolean; columns?: number } = {}) {
    this.isTerminal = options.isTerminal ?? false;
    this.columns = options.columns ?? 80;
  }

  /** Everything written so far. */
  get text(): string {
    return this.writes.join("");
  }

  write(text: string): Promise<void> | undefined {
    this.writes.push(text);
    return undefined;
  }

  writeBytes(bytes: Uint8Array): Promise<void> | undefined {
    return this.write(`(${bytes.length} bytes)`);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  onResize(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Changes the size of the terminal. */
  resize(columns: number, rows = this.rows): void {
    this.columns = columns;
    this.rows = rows;
    for (const listener of this.#listeners) listener();
  }
}
