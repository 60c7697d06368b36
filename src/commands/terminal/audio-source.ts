import { WavAudio } from "../../audio/wav-audio.ts";
import { type WavHeader, WavHeaderReader } from "../../audio/wav-header.ts";
import { type AudioFormat, frameBytes } from "../../protocol/format.ts";
import { UsageError } from "./exit-codes.ts";
import { type ByteStream, readFailure } from "./input.ts";

/** Bytes that show whether a data chunk of 0 bytes has audio behind it. */
const PEEK_BYTES = 16;
/** More bytes than this behind the audio are mentioned. */
const MAX_PADDING_BYTES = 16;
const NO_BYTES = new Uint8Array(0);

/** PCM audio of a known format, whose samples are not read yet. */
export interface AudioSource {
  /** The file's name or "standard input", for messages. */
  readonly name: string;
  readonly format: AudioFormat;
  /** Length of the audio in seconds; undefined if neither the header nor the size of the file gives it. */
  readonly seconds: number | undefined;
  /**
   * Reads the audio in chunks of `bytes` bytes; the last one may be shorter. A chunk is valid until the next one is
   * read. What follows the audio in a WAV file is left out.
   */
  chunks(bytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void>;
  /** Returns sentences about faults of the file that were found since the last call. */
  takeRemarks(): string[];
}

/** A file, pipe or device with audio. */
export interface AudioInput {
  /** The file's name or "standard input", for messages. */
  readonly name: string;
  readonly bytes: ByteStream;
  /** Number of bytes, if known. */
  readonly size: number | undefined;
}

/**
 * Reads the header of a WAV file, unless `raw` gives the format of audio without a header. Throws UsageError, with the
 * name of the input, if the header cannot be read.
 */
export async function openAudioSource(input: AudioInput, raw?: AudioFormat): Promise<AudioSource> {
  try {
    return await openSource(input, raw);
  } catch (error) {
    throw readFailure(input.name, error);
  }
}

async function openSource(input: AudioInput, raw?: AudioFormat): Promise<AudioSource> {
  const { name, size } = input;
  const pieces = input.bytes[Symbol.asyncIterator]();
  if (raw !== undefined) return new PcmSource(name, raw, pieces, NO_BYTES, undefined, size);
  const reader = new WavHeaderReader(Infinity);
  let read = 0;
  for (;;) {
    const { done, value } = await pieces.next();
    if (done === true) {
      const end = `ends within its WAV header, after ${read} bytes, ${reader.lastChunk}`;
      throw new UsageError(read === 0 ? `${name}: is empty` : `${name}: ${end}`);
    }
    read += value.length;
    const result = reader.push(value);
    if (result.status === "error") {
      throw new UsageError(`${name}: not a supported WAV file: ${result.reason} (for PCM without a header, use --raw)`);
    }
    if (result.status === "header") {
      const first = await firstAudio(result.header, value.slice(result.offset), pieces);
      return new PcmSource(name, result.header.format, pieces, first, result.header, size);
    }
  }
}

/** Returns the start of the audio: at least PEEK_BYTES bytes, or all, if the header declares 0 bytes. */
async function firstAudio(
  { dataBytes }: WavHeader,
  start: Uint8Array,
  pieces: AsyncIterator<Uint8Array>,
): Promise<Uint8Array> {
  let first = start;
  while (dataBytes === 0 && first.length < PEEK_BYTES) {
    const { done, value } = await pieces.next();
    if (done === true) break;
    first = Buffer.concat([first, value]);
  }
  return first;
}

class PcmSource implements AudioSource {
  readonly name: string;
  readonly format: AudioFormat;
  readonly seconds: number | undefined;
  readonly #input: AsyncIterator<Uint8Array>;
  /** The start of the audio, which was read with the header. */
  readonly #first: Uint8Array;
  /** Undefined: audio without a header. */
  readonly #wav: WavAudio | undefined;
  /** Bytes behind the header, if known. */
  readonly #size: number | undefined;
  #remarks: string[] = [];

  /** `size`: bytes of the file, if known. */
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
    this.#size = size === undefined ? undefined : size - (header?.headerBytes ?? 0);
    const declared = header && declaredBytes(header, first, size);
    const bytes = Math.min(declared ?? Infinity, this.#size ?? Infinity);
    this.seconds = bytes === Infinity ? undefined : Math.floor(bytes / frameBytes(format)) / format.sample_rate;
    if (header === undefined) return;
    this.#wav = new WavAudio(header, { endsAtSize: true, size });
    if (header.dataBytes !== undefined && declared !== header.dataBytes) {
      this.#remarks.push(this.#goesOn(header.dataBytes));
    }
  }

  async *chunks(bytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    const chunk = new Uint8Array(bytes);
    let filled = 0;
    for await (const piece of this.#audio()) {
      for (let offset = 0; offset < piece.length;) {
        const copied = Math.min(piece.length - offset, bytes - filled);
        chunk.set(piece.subarray(offset, offset + copied), filled);
        offset += copied;
        filled += copied;
        if (filled === bytes) {
          yield chunk;
          filled = 0;
        }
      }
    }
    if (filled > 0) yield chunk.subarray(0, filled);
  }

  takeRemarks(): string[] {
    const remarks = this.#remarks;
    this.#remarks = [];
    return remarks;
  }

  /** Reads the bytes of audio. */
  async *#audio(): AsyncGenerator<Uint8Array, void> {
    const wav = this.#wav;
    try {
      for await (const piece of this.#pieces()) {
        for (let at = 0; at < piece.length;) {
          const rest = piece.subarray(at);
          const run = wav?.push(rest) ?? { withheld: NO_BYTES, start: 0, end: rest.length, next: rest.length };
          if (run.withheld.length > 0) yield run.withheld;
          if (run.end > run.start) yield rest.subarray(run.start, run.end);
          at += run.next;
        }
        if (wav?.ended === true) break;
      }
      if (wav !== undefined) {
        yield wav.end();
        this.#inspectEnd(wav);
      }
    } finally {
      await this.#input.return?.();
    }
  }

  async *#pieces(): AsyncGenerator<Uint8Array, void> {
    let piece: Uint8Array | undefined = this.#first;
    while (piece !== undefined) {
      yield piece;
      const next: IteratorResult<Uint8Array, unknown> = await this.#input.next();
      piece = next.done === true ? undefined : next.value;
    }
  }

  /** Makes remarks when the audio has been read. */
  #inspectEnd(wav: WavAudio): void {
    const declared = wav.declaredBytes ?? 0;
    if (wav.missingBytes > 0) {
      const missing = `${wav.missingBytes} of the ${declared} bytes of audio that its header declares are missing`;
      this.#remarks.push(`${this.name} is cut off: ${missing}`);
    }
    if (wav.goesOn && declared > 0) this.#remarks.push(this.#goesOn(declared));
    const rest = (this.#size ?? 0) - declared;
    if (wav.ended && wav.chunkBytes === 0 && rest > MAX_PADDING_BYTES) {
      const text = `its header declares ${declared} bytes of audio; the ${rest} bytes behind them are left out`;
      this.#remarks.push(`${this.name}: ${text}`);
    }
  }

  #goesOn(declared: number): string {
    const text = `its header declares ${declared} bytes of audio, and more follow`;
    return `${this.name}: ${text}; the audio is read up to the end`;
  }
}

/** Bytes of audio as far as they are known; undefined: up to the end. `first` is the start of the audio. */
function declaredBytes(header: WavHeader, first: Uint8Array, size: number | undefined): number | undefined {
  const trial = new WavAudio(header, { endsAtSize: true, size });
  if (header.dataBytes !== 0 || first.length === 0) return trial.declaredBytes;
  trial.push(first);
  trial.end();
  return trial.goesOn ? undefined : 0;
}
