import { DownMix, mixedFormat } from "../../audio/down-mix.ts";
import { FOREIGN_WINDOW_BYTES, recogniseForeign } from "../../audio/foreign-kinds.ts";
import { WavAudio } from "../../audio/wav-audio.ts";
import { WavHeaderReader } from "../../audio/wav-header.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { AudioFormat } from "../../protocol/format.ts";

/** Bytes of a WAV header that are kept until its end. A longer one is refused. */
const MAX_HEADER_BYTES = 65_536;

export interface FileAudioOptions {
  /** The format of samples without a header. Undefined: there must be a WAV header. */
  readonly format?: AudioFormat | undefined;
  /** Channels are mixed into one. */
  readonly mixes: boolean;
  /** Where the audio is, for messages, such as `file`. */
  readonly name: string;
}

/**
 * The samples of a file: a WAV header is read and left out, and so is what stands behind the audio; channels are mixed,
 * if the client does not want each of them.
 */
export class FileAudio {
  readonly #options: FileAudioOptions;
  readonly #reader = new WavHeaderReader(MAX_HEADER_BYTES);
  /** The first bytes, until it is known what they are. */
  #first: Uint8Array[] = [];
  /** Why the first bytes are no WAV header. */
  #noHeader: string | undefined;
  #wav: WavAudio | undefined;
  #mix: DownMix | undefined;
  #format: AudioFormat | undefined;

  constructor(options: FileAudioOptions) {
    this.#options = options;
  }

  /** Where the audio is, for messages. */
  get name(): string {
    return this.#options.name;
  }

  /** Format of the samples; undefined while it is not known. */
  get format(): AudioFormat | undefined {
    return this.#format;
  }

  /** Takes bytes of the file, in any cut. Returns the samples in them. Throws ProtocolError when they are no PCM. */
  push(bytes: Uint8Array): readonly Uint8Array[] {
    if (this.#format !== undefined) return this.#take(bytes);
    this.#first.push(bytes);
    if (this.#noHeader === undefined) {
      const result = this.#reader.push(bytes);
      if (result.status === "more") return [];
      if (result.status === "header") {
        this.#wav = new WavAudio(result.header, { endsAtSize: true });
        this.#use(result.header.format);
        return this.#take(bytes.subarray(result.offset));
      }
      const { format } = this.#options;
      if (format !== undefined) return this.#withoutHeader(format);
      this.#noHeader = result.reason;
    }
    const window = Buffer.concat(this.#first);
    const kind = recogniseForeign(window.subarray(0, FOREIGN_WINDOW_BYTES));
    if (kind === "more" && window.length < FOREIGN_WINDOW_BYTES) return [];
    throw this.#foreign(kind === "more" ? undefined : kind?.name);
  }

  /** Ends the file. Returns the samples that were held back. Throws ProtocolError when the file is not complete. */
  end(): readonly Uint8Array[] {
    const { name, format } = this.#options;
    if (this.#format !== undefined) return this.#mixed(this.#wav?.end() ?? new Uint8Array(0));
    if (this.#first.every(({ length }) => length === 0)) {
      throw new ProtocolError("invalid_request", `${name}: found no bytes; allowed: audio`, { param: name });
    }
    if (this.#noHeader !== undefined) {
      const kind = recogniseForeign(Buffer.concat(this.#first));
      throw this.#foreign(typeof kind === "object" ? kind.name : undefined);
    }
    // What looks like the beginning of a header is audio, if it is short.
    if (format !== undefined) return this.#withoutHeader(format);
    const message = `${name}: found a WAV file that ends in its header, ${this.#reader.lastChunk}; allowed: a whole one`;
    throw new ProtocolError("unsupported_format", message, { param: name });
  }

  #withoutHeader(format: AudioFormat): readonly Uint8Array[] {
    const first = this.#first;
    this.#use(format);
    return first.flatMap((part) => [...this.#take(part)]);
  }

  #use(format: AudioFormat): void {
    this.#first = [];
    const mixes = this.#options.mixes && format.channels > 1;
    if (mixes) this.#mix = new DownMix(format);
    this.#format = mixes ? mixedFormat(format) : format;
  }

  #take(bytes: Uint8Array): readonly Uint8Array[] {
    if (this.#wav === undefined) return this.#mixed(bytes);
    const audio: Uint8Array[] = [];
    for (let rest = bytes; ;) {
      const { withheld, start, end, next } = this.#wav.push(rest);
      audio.push(...this.#mixed(withheld), ...this.#mixed(rest.subarray(start, end)));
      if (next >= rest.length) return audio;
      rest = rest.subarray(next);
    }
  }

  #mixed(bytes: Uint8Array): readonly Uint8Array[] {
    const samples = this.#mix?.push(bytes) ?? bytes;
    return samples.length === 0 ? [] : [samples];
  }

  #foreign(kind: string | undefined): ProtocolError {
    const { name } = this.#options;
    const found = kind ?? `no WAV file (${this.#noHeader ?? ""})`;
    const remedy = "This command converts it: ffmpeg -i FILE -ar 16000 audio.wav";
    const message = `${name}: found ${found}; allowed: a WAV file. ${remedy}`;
    return new ProtocolError("unsupported_format", message, { param: name });
  }
}
