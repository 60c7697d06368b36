import { type FileHandle, open } from "node:fs/promises";
import { resolve } from "node:path";

import { excerpt } from "../../lib/excerpt.ts";
import { codeOf, messageOf } from "../../lib/thrown.ts";
import { untilAborted } from "../../lib/until-aborted.ts";
import { UsageError } from "./exit-codes.ts";

const READ_BYTES = 64 * 1024;

/** Bytes in pieces of any size. A piece is valid until the next one is read. */
export type ByteStream = AsyncIterable<Uint8Array>;

/** An open file, pipe or device. */
export interface Input extends AsyncDisposable {
  /** Its path, with what a terminal would act on escaped, or "standard input": for messages. */
  readonly name: string;
  readonly bytes: ByteStream;
  /** Size in bytes; undefined for pipes and devices. */
  readonly size: number | undefined;
  /** Absolute path of a file that another program can open; undefined for pipes and devices. */
  readonly path: string | undefined;
  /** Returns a sentence about sound that was lost before it came here; undefined: none was. */
  takeWarning?(): string | undefined;
}

/** The signal of an input that is read to its end. */
const NEVER = new AbortController().signal;

/**
 * Opens a file for reading. Throws UsageError. When `signal` is aborted, the bytes end; if the file is not open then,
 * because a named pipe without a writer cannot be opened, rejects with the reason of the signal.
 */
export async function openFile(path: string, signal: AbortSignal = NEVER): Promise<Input> {
  const opening = open(path, "r");
  try {
    const file = await untilAborted(opening, signal);
    const stat = await file.stat();
    if (stat.isDirectory()) throw new UsageError(`${printablePath(path)}: is a directory`);
    return new FileInput(path, file, stat.isFile() ? stat.size : undefined, signal);
  } catch (error) {
    void opening.then((file) => file.close()).catch(() => undefined);
    if (error instanceof UsageError || signal.aborted) throw error;
    throw new UsageError(`${printablePath(path)}: ${openFailure(error)}`);
  }
}

/** Returns a path for messages: anything may be in the name of a file, such as what a terminal acts on. */
export function printablePath(path: string): string {
  return excerpt(path, Infinity);
}

const OPEN_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  ENOTDIR: "no such file",
  EACCES: "permission denied",
};

function openFailure(error: unknown): string {
  return OPEN_FAILURES[codeOf(error) ?? ""] ?? messageOf(error);
}

/**
 * Returns what to throw when the bytes of an input cannot be read: a UsageError for the error of a system call, such as
 * EIO of a damaged disk; any other error as it is.
 */
export function readFailure(name: string, error: unknown): unknown {
  const isSystemError = codeOf(error) !== undefined && !(error instanceof UsageError);
  return isSystemError ? new UsageError(`${name}: cannot be read: ${messageOf(error)}`) : error;
}

class FileInput implements Input {
  readonly name: string;
  readonly size: number | undefined;
  readonly path: string | undefined;
  readonly bytes: ByteStream;
  readonly #file: FileHandle;
  readonly #signal: AbortSignal;
  #isReading = false;

  constructor(path: string, file: FileHandle, size: number | undefined, signal: AbortSignal) {
    this.name = printablePath(path);
    this.#file = file;
    this.size = size;
    this.path = size === undefined ? undefined : resolve(path);
    this.#signal = signal;
    this.bytes = this.#read();
  }

  /** Closes the file. While a read of a pipe is pending, which closing waits for, it is closed later. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.#file.close();
    if (!this.#isReading) await closing;
  }

  /** Reads into one buffer, which every piece shares. */
  async *#read(): AsyncGenerator<Uint8Array, void> {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      this.#isReading = true;
      const reading = this.#file.read(buffer, 0, buffer.length, null).finally(() => (this.#isReading = false));
      const result = await untilAborted(reading, this.#signal).catch((error: unknown) => {
        if (!this.#signal.aborted) throw error;
      });
      if (result === undefined || result.bytesRead === 0) return;
      yield buffer.subarray(0, result.bytesRead);
    }
  }
}

/** Reads a web stream, such as standard input, until it ends or `signal` is aborted. */
export async function* readStream(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const reader = stream.getReader();
  // Cancelling ends a read that waits.
  const cancel = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}
