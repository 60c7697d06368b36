import type { Output } from "../../src/commands/terminal/output.ts";

/** An output that keeps what is written to it. */
export class MemoryOutput implements Output {
  readonly isTerminal: boolean;
  /** May be changed, as a person changes the width of a terminal. */
  columns: number;
  /** Each write, in order. */
  readonly writes: string[] = [];

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

  flush(): Promise<void> {
    return Promise.resolve();
  }
}
