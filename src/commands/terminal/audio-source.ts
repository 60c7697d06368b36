import { type WavHeader, WavHeaderReader } from "../../audio/wav-header.ts";
import { type AudioFormat, frameBytes } from "../../protocol/format.ts";
import { UsageError } from "./exit-codes.ts";
import type { ByteStream } from "./input.ts";

/** PCM audio of a known format, whose samples are not read yet. */
export interface AudioSource {
  /** The file's name or "standard input", for messages. */
  readonly name: string;
  readonly format: AudioFormat;
  /** Length of the audio in seconds; undefined if neither the header nor the size of the file gives it. */
  readonly seconds: number | undefined;
  /** Bytes of audio that the header declares and the file does not have. Known when `chunks` has ended. */
  readonly missingBytes: number;
  /**
   * Reads the audio in chunks of `bytes` bytes; the last one may be shorter. A chunk is valid until the next one is
   * read. What follows the audio in a WAV file is left out.
   */
  chunks(bytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void>;
}

/**
 * Reads the WAV header of `bytes`, unless `raw` gives the format of audio without a header. `size` is the number of
 * bytes, if known. Throws UsageError, with `name`, if the header cannot be read.
 */
export async function openAudioSource(
  name: string,
  bytes: ByteStream,
  size: number | undefined,
  raw?: AudioFormat,
): Promise<AudioSource> {
  const input = bytes[Symbol.asyncIterator]();
  if (raw !== undefined) return new PcmSource(name, raw, input, new Uint8Array(0), undefined, size);
  const reader = new WavHeaderReader();
  let read = 0;
  for (;;) {
    const { done, value } = await input.next();
    if (done === true) {
      throw new UsageError(
        read === 0 ? `${name}: is empty` : `${name}: ends within its WAV header, after ${read} bytes`,
      );
    }
    read += value.length;
    const result = reader.push(value);
    if (result.status === "error") {
      throw new UsageError(`${name}: not a supported WAV file: ${result.reason} (for PCM without a header, use --raw)`);
    }
    if (result.status === "header") {
      const { header, offset } = result;
      const left = size === undefined ? undefined : size - header.headerBytes;
      return new PcmSource(name, header.format, input, value.slice(offset), header, left);
    }
  }
}

class PcmSource implements AudioSource {
  readonly name: string;
  readonly format: AudioFormat;
  readonly seconds: number | undefined;
  missingBytes = 0;
  readonly #input: AsyncIterator<Uint8Array>;
  /** The start of the audio, which was read with the header. */
  readonly #first: Uint8Array;
  /** Bytes of audio by the header; undefined: up to the end of the input. */
  readonly #declaredBytes: number | undefined;

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
    this.#declaredBytes = header?.dataBytes;
    const bytes = Math.min(this.#declaredBytes ?? Infinity, size ?? Infinity);
    this.seconds = bytes === Infinity ? undefined : Math.floor(bytes / frameBytes(format)) / format.sample_rate;
  }

  async *chunks(bytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    const chunk = new Uint8Array(bytes);
    let filled = 0;
    let left = this.#declaredBytes ?? Infinity;
    let piece: Uint8Array | undefined = this.#first;
    try {
      while (piece !== undefined) {
        const end = Math.min(piece.length, left);
        left -= end;
        for (let offset = 0; offset < end;) {
          const copied = Math.min(end - offset, bytes - filled);
          chunk.set(piece.subarray(offset, offset + copied), filled);
          offset += copied;
          filled += copied;
          if (filled === bytes) {
            yield chunk;
            filled = 0;
          }
        }
        if (left === 0) break;
        const next: IteratorResult<Uint8Array, unknown> = await this.#input.next();
        piece = next.done === true ? undefined : next.value;
      }
      if (filled > 0) yield chunk.subarray(0, filled);
      this.missingBytes = left === Infinity ? 0 : left;
    } finally {
      await this.#input.return?.();
    }
  }
}
