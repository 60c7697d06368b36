/** Standard output or standard error. */
export interface Output {
  readonly isTerminal: boolean;
  /** Width of the terminal, in characters. */
  readonly columns: number;
  /** Writes text. Returns undefined, or a promise that resolves when the stream can take more. */
  write(text: string): Promise<void> | undefined;
}

/** Width of a terminal that does not report one. */
const DEFAULT_COLUMNS = 80;

/**
 * Wraps one of the process's outputs. `onBroken` is called once when the output can no longer be written: without a
 * reason if its reader has gone (EPIPE), else with one. Later writes are discarded.
 */
export function processOutput(stream: NodeJS.WriteStream, onBroken: (reason?: string) => void): Output {
  let broken = false;
  let resume: (() => void) | undefined;
  const drained = () => {
    resume?.();
    resume = undefined;
  };
  stream.on("drain", drained);
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (!broken) onBroken(error.code === "EPIPE" ? undefined : error.message);
    broken = true;
    drained();
  });
  return {
    isTerminal: stream.isTTY ?? false,
    get columns() {
      // 0 is an unknown size.
      return stream.columns > 0 ? stream.columns : DEFAULT_COLUMNS;
    },
    write(text) {
      if (broken || stream.write(text)) return undefined;
      return new Promise((resolve) => {
        resume = resolve;
      });
    },
  };
}
