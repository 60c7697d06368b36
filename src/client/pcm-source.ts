import { isLowJustified, TopByteRemover } from "../audio/low-justified.ts";
import { WavAudio } from "../audio/wav-audio.ts";
import type { WavRefusal } from "../audio/wav-format.ts";
import { type WavHeader, WavHeaderReader } from "../audio/wav-header.ts";
import { type AudioFormat, frameBytes } from "../protocol/format.ts";

/** Bytes that show whether a data chunk of 0 bytes has audio behind it. */
const PEEK_BYTES = 16;
/** Bytes that show where the 24 bits of a sample of four bytes are: those of a quiet start, too. */
const JUSTIFIED_BYTES = 4 * 1024 * 1024;
/** As many of a pipe, which may be live: its audio waits for them. */
const JUSTIFIED_PIPE_BYTES = 64 * 1024;
/** More bytes than this behind the audio are mentioned. */
const MAX_PADDING_BYTES = 16;
const NO_BYTES = new Uint8Array(0);

/** The start of a WAV file. */
export interface WavStart {
  readonly header: WavHeader;
  /** The start of the audio, as far as it was read with the header. */
  readonly first: Uint8Array;
}

/** A file that ends within its header. */
export interface WavCutOff {
  /** What the file does, such as "is empty". */
  readonly cutOff: string;
}

export interface PcmSourceOptions {
  readonly name: string;
  readonly format: AudioFormat;
  /** The bytes behind `wav`. */
  readonly input: AsyncIterator<Uint8Array>;
  /** Bytes of the file, if known. */
  readonly size: number | undefined;
  /** Undefined: there is no header. */
  readonly wav?: WavStart;
}

/**
 * Reads the header of a WAV file. Returns why it cannot be read, also if it ends too early.
 * @param isPipe the bytes may come as they are recorded
 */
export async function readWavStart(
  pieces: AsyncIterator<Uint8Array>,
  isPipe: boolean,
): Promise<WavStart | WavRefusal | WavCutOff> {
  const reader = new WavHeaderReader(Infinity);
  let read = 0;
  for (;;) {
    const { done, value } = await pieces.next();
    if (done === true) {
      const end = `ends within its WAV header, after ${read} bytes, ${reader.lastChunk}`;
      return { cutOff: read === 0 ? "is empty" : end };
    }
    read += value.length;
    const result = reader.push(value);
    if (result.status === "error") return result;
    if (result.status === "header") {
      const { header, offset } = result;
      return { header, first: await firstAudio(header, value.slice(offset), pieces, isPipe) };
    }
  }
}

/** Returns the start of the audio: as much as decides what the header leaves open, or all. */
async function firstAudio(
  header: WavHeader,
  start: Uint8Array,
  pieces: AsyncIterator<Uint8Array>,
  isPipe: boolean,
): Promise<Uint8Array> {
  const justified = isPipe ? JUSTIFIED_PIPE_BYTES : JUSTIFIED_BYTES;
  const wanted = isPadded(header) ? justified : header.dataBytes === 0 ? PEEK_BYTES : 0;
  const first = [start];
  for (let length = start.length; length < wanted;) {
    const { done, value } = await pieces.next();
    if (done === true) break;
    first.push(value.slice());
    length += value.length;
  }
  return concatenate(first);
}

/** The samples have 24 bits in four bytes. */
function isPadded({ format, significantBits }: WavHeader): boolean {
  return significantBits === 24 && format.bit_depth === 32 && !format.is_float;
}

/** The start of the audio as far as the header declares it: chunks may follow. */
function declaredAudio({ header: { dataBytes }, first }: WavStart): Uint8Array {
  return first.subarray(0, dataBytes === undefined || dataBytes === 0 ? first.length : dataBytes);
}

/** A WAV file, or PCM without a header. */
export class PcmSource {
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
  /** Set: samples of 24 bits are in the lower three bytes of four. */
  readonly #unpacking: TopByteRemover | undefined;
  #remarks: string[] = [];

  constructor({ name, size, format, input, wav }: PcmSourceOptions) {
    this.name = name;
    this.#input = input;
    this.#first = wav?.first ?? NO_BYTES;
    const unpacks = wav !== undefined && isPadded(wav.header) && isLowJustified(declaredAudio(wav));
    this.#unpacking = unpacks ? new TopByteRemover() : undefined;
    this.format = unpacks ? { ...format, bit_depth: 24 } : format;
    this.#size = size === undefined ? undefined : size - (wav?.header.headerBytes ?? 0);
    const declared = wav && declaredBytes(wav, size);
    const bytes = Math.min(declared ?? Infinity, this.#size ?? Infinity);
    this.seconds = bytes === Infinity ? undefined : Math.floor(bytes / frameBytes(format)) / format.sample_rate;
    if (wav === undefined) return;
    const { header } = wav;
    this.#wav = new WavAudio(header, { endsAtSize: true, size });
    if (header.dataBytes !== undefined && declared !== header.dataBytes) {
      this.#remarks.push(this.#goesOn(header.dataBytes));
    }
  }

  async *chunks(bytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    const chunk = new Uint8Array(bytes);
    let filled = 0;
    for await (const audio of this.#audio()) {
      const piece = this.#unpacking?.push(audio) ?? audio;
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

  /** Has nothing of its own to close: the input belongs to the caller. */
  async [Symbol.asyncDispose](): Promise<void> {}

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
    if (wav.hasSecondData) {
      const text = `its header declares ${declared} bytes of audio; a second 'data' chunk behind them is left out`;
      this.#remarks.push(`${this.name}: ${text}`);
    }
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

/** Bytes of audio as far as they are known; undefined: up to the end. */
function declaredBytes({ header, first }: WavStart, size: number | undefined): number | undefined {
  const trial = new WavAudio(header, { endsAtSize: true, size });
  if (header.dataBytes !== 0 || first.length === 0) return trial.declaredBytes;
  trial.push(first);
  trial.end();
  return trial.goesOn ? undefined : 0;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
