import { EXIT, ExitError } from "./exit-codes.ts";

/** Standard output or standard error. */
export interface Output {
  /** True if lines can be updated in place. */
  readonly isTerminal: boolean;
  /** Size of the terminal, in characters. */
  readonly columns: number;
  readonly rows: number;
  /** Writes text. Returns undefined, or a promise that resolves when the stream can take more. */
  write(text: string): Promise<void> | undefined;
  /** Resolves when everything that was written is out, or has failed. */
  flush(): Promise<void>;
  /** True for a terminal of xterm.js, which moves the cursor in its own way when its width changes. */
  readonly isXtermJs?: boolean;
  /** Calls `listener` when the size of the terminal has changed. */
  onResize?(listener: () => void): void;
}

/** An output that also takes bytes. */
export interface ByteOutput extends Output {
  /** Writes bytes, as `write` does text. */
  writeBytes(bytes: Uint8Array): Promise<void> | undefined;
}

/** Width of a terminal that does not report one, and of files and pipes. */
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

type Environment = Readonly<Record<string, string | undefined>>;

/** Returns true if a stream is a terminal that moves its cursor. A terminal of the type `dumb` prints lines only. */
export function isTerminal(stream: { readonly isTTY?: boolean }, env: Environment = process.env): boolean {
  return stream.isTTY === true && env["TERM"] !== "dumb";
}

/** Terminals of xterm.js, by the name that they set. */
const XTERM_JS: ReadonlySet<string | undefined> = new Set(["vscode", "Hyper"]);

/** Returns true if text may be coloured: on a terminal, unless `NO_COLOR` is set (https://no-color.org). */
export function usesColour(stream: { readonly isTTY?: boolean }, env: Environment = process.env): boolean {
  return isTerminal(stream, env) && (env["NO_COLOR"] ?? "") === "";
}

/** Returns the width of a stream in characters. */
export function columnsOf(stream: { readonly columns?: number }): number {
  // 0 is an unknown size.
  return stream.columns !== undefined && stream.columns > 0 ? stream.columns : DEFAULT_COLUMNS;
}

/** Returns the height of a stream in lines. */
export function rowsOf(stream: { readonly rows?: number }): number {
  return stream.rows !== undefined && stream.rows > 0 ? stream.rows : DEFAULT_ROWS;
}

/**
 * Wraps one of the process's outputs. `onBroken` is called once when the output can no longer be written: without a
 * reason if its reader has gone, else with one. Later writes are discarded.
 */
export function processOutput(stream: NodeJS.WriteStream, onBroken: (reason?: string) => void): ByteOutput {
  let broken = false;
  let resume: (() => void) | undefined;
  let written = Promise.resolve();
  const gone = Promise.withResolvers<void>();
  const drained = () => {
    resume?.();
    resume = undefined;
  };
  const failed = (error: NodeJS.ErrnoException) => {
    if (!broken) onBroken(isReaderGone(stream, error) ? undefined : error.message);
    broken = true;
    drained();
    gone.resolve();
  };
  const write = (content: string | Uint8Array): Promise<void> | undefined => {
    if (broken) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    written = promise;
    const hasRoom = stream.write(content, (error) => {
      if (error) failed(error);
      resolve();
    });
    if (hasRoom) return undefined;
    return new Promise((ready) => {
      resume = ready;
    });
  };
  stream.on("drain", drained);
  stream.on("error", failed);
  return {
    isTerminal: isTerminal(stream),
    isXtermJs: XTERM_JS.has(process.env["TERM_PROGRAM"]),
    get columns() {
      return columnsOf(stream);
    },
    get rows() {
      return rowsOf(stream);
    },
    write,
    writeBytes: write,
    flush: () => Promise.race([written, gone.promise]),
    onResize: (listener) => void stream.on("resize", listener),
  };
}

/**
 * Writes text to standard output and waits until it is out. A reader that has gone, as `head` does, is no failure.
 * Throws ExitError if the text cannot be written, for example because the disk is full.
 */
export async function writeOutput(text: string): Promise<void> {
  let reason: string | undefined;
  const output = processOutput(process.stdout, (failure) => (reason = failure));
  void output.write(text);
  await output.flush();
  if (reason !== undefined) throw outputFailed(reason);
}

/** Writes a line to standard error and waits until it is out, or cannot be written. Unlike `console.error`, in no colour. */
export async function writeNotice(line: string): Promise<void> {
  const output = processOutput(process.stderr, () => undefined);
  void output.write(`${line}\n`);
  await output.flush();
}

/** Reports that standard output cannot be written. */
export function outputFailed(reason: string): ExitError {
  return new ExitError(EXIT.failure, `cannot write to standard output: ${reason}`);
}

/** True for a pipe without a reader, and for a terminal that was closed. */
function isReaderGone(stream: { readonly isTTY?: boolean }, { code }: NodeJS.ErrnoException): boolean {
  return code === "EPIPE" || (code === "EIO" && stream.isTTY === true);
}
