import { type FileHandle, open } from "node:fs/promises";

import { type WavHeader, WavHeaderReader } from "../../audio/wav.ts";
import { type AudioFormat, frameBytes } from "../../protocol/format.ts";
import { UsageError } from "./exit.ts";

/** Bytes read from a file at a time. */
const READ_BYTES = 64 * 1024;

export type Bytes = AsyncIterable<Uint8Array>;

/** Audio to send: its format is known, its samples are yet to be read. */
export interface Source {
  /** For messages: the file's name, or "standard input". */
  readonly name: string;
  readonly format: AudioFormat;
  /** Seconds of audio, where the header or the size of the file tells. */
  readonly seconds: number | undefined;
  /**
   * The audio cut into pieces of `bytes`, the last one shorter. Each piece is valid until the next is asked for. What
   * follows the audio in a WAV file is not part of it.
   */
  chunks(bytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void>;
  /** Bytes that the header promised and the file did not have; known when `chunks` has ended. */
  readonly missingBytes: number;
}

/**
 * Reads a WAV header, or takes `raw` as the format of bytes without one, and stops before the audio. Throws UsageError, naming
 * the source and what is wrong with it.
 */
export async function audioSource(
  name: string,
  bytes: Bytes,
  size: number | undefined,
  raw?: AudioFormat,
): Promise<Source> {
  const input = bytes[Symbol.asyncIterator]();
  if (raw !== undefined) return new PcmSource(name, raw, input, new Uint8Array(0), undefined, size);
  const reader = new WavHeaderReader();
  let read = 0;
  for (;;) {
    const { done, value } = await input.next();
    if (done === true) {
      throw new UsageError(
        `${name}: ${read === 0 ? "it is empty" : `it ends after ${read} bytes, within its WAV header`}`,
      );
    }
    read += value.length;
    const result = reader.push(value);
    if (result.status === "error") {
      throw new UsageError(
        `${name}: not a WAV file that can be sent: ${result.reason} (for PCM without a header, use --raw)`,
      );
    }
    if (result.status === "header") {
      const { header, offset } = result;
      const left = size === undefined ? undefined : size - header.headerBytes;
      return new PcmSource(name, header.format, input, value.slice(offset), header, left);
    }
  }
}

class PcmSource implements Source {
  readonly name: string;
  readonly format: AudioFormat;
  readonly seconds: number | undefined;
  missingBytes = 0;
  readonly #input: AsyncIterator<Uint8Array>;
  readonly #first: Uint8Array;
  readonly #promised: number | undefined;

  constructor(
    name: string,
    format: AudioFormat,
    input: AsyncIterator<Uint8Array>,
    first: Uint8Array,
    header: WavHeader | undefined,
    size: number | undefined,
  ) {
    this.name = name;
    this.format = format;
    this.#input = input;
    this.#first = first;
    this.#promised = header?.dataBytes;
    const bytes = Math.min(this.#promised ?? Infinity, size ?? Infinity);
    this.seconds = bytes === Infinity ? undefined : Math.floor(bytes / frameBytes(format)) / format.sample_rate;
  }

  async *chunks(bytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    const chunk = new Uint8Array(bytes);
    let have = 0;
    let left = this.#promised ?? Infinity;
    let piece: Uint8Array | undefined = this.#first;
    try {
      while (piece !== undefined) {
        const end = Math.min(piece.length, left);
        left -= end;
        for (let at = 0; at < end;) {
          const taken = Math.min(end - at, bytes - have);
          chunk.set(piece.subarray(at, at + taken), have);
          at += taken;
          have += taken;
          if (have === bytes) {
            yield chunk;
            have = 0;
          }
        }
        if (left === 0) break;
        const next: IteratorResult<Uint8Array, unknown> = await this.#input.next();
        piece = next.done === true ? undefined : next.value;
      }
      if (have > 0) yield chunk.subarray(0, have);
      this.missingBytes = left === Infinity ? 0 : left;
    } finally {
      await this.#input.return?.();
    }
  }
}

export interface Input extends AsyncDisposable {
  readonly bytes: Bytes;
  /** Bytes in it; undefined for pipes and devices. */
  readonly size: number | undefined;
}

/** Opens a file for reading from its start, without reading. Throws UsageError. */
export async function openFile(path: string): Promise<Input> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const stat = await file.stat();
    if (stat.isDirectory()) throw new UsageError(`${path}: it is a directory`);
    const opened = file;
    return {
      bytes: read(opened),
      size: stat.isFile() ? stat.size : undefined,
      [Symbol.asyncDispose]: () => opened.close(),
    };
  } catch (error) {
    await file?.close();
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path}: ${reason(error)}`);
  }
}

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file",
  EACCES: "it may not be read",
  ENOTDIR: "there is no such file",
};

function reason(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}

/** One buffer serves all reads. */
async function* read(file: FileHandle): AsyncGenerator<Uint8Array, void> {
  const buffer = new Uint8Array(READ_BYTES);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Standard input, or any web stream, such that a read that waits ends when `signal` is aborted. */
export async function* readStream(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const reader = stream.getReader();
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
