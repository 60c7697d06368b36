import { type FileHandle, open } from "node:fs/promises";

import { codeOf, messageOf } from "../../lib/thrown.ts";
import { UsageError } from "./exit-codes.ts";

const READ_BYTES = 64 * 1024;

/** Bytes in pieces of any size. A piece is valid until the next one is read. */
export type ByteStream = AsyncIterable<Uint8Array>;

/** An open file, pipe or device. */
export interface Input extends AsyncDisposable {
  readonly bytes: ByteStream;
  /** Size in bytes; undefined for pipes and devices. */
  readonly size: number | undefined;
}

/** Opens a file for reading. Throws UsageError. */
export async function openFile(path: string): Promise<Input> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const stat = await file.stat();
    if (stat.isDirectory()) throw new UsageError(`${path}: is a directory`);
    const opened = file;
    return {
      bytes: readFile(opened),
      size: stat.isFile() ? stat.size : undefined,
      [Symbol.asyncDispose]: () => opened.close(),
    };
  } catch (error) {
    await file?.close();
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path}: ${openFailure(error)}`);
  }
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

/** Reads into one buffer, which every piece shares. */
async function* readFile(file: FileHandle): AsyncGenerator<Uint8Array, void> {
  const buffer = new Uint8Array(READ_BYTES);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
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
