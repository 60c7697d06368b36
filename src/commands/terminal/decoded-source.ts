import type { ForeignKind } from "../../audio/foreign-kinds.ts";
import { PcmSource, readWavStart } from "../../client/pcm-source.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import type { AudioSource } from "./audio-source.ts";
import { UsageError } from "./exit-codes.ts";
import { DecodeError, FfmpegDecoder, type FfmpegOptions } from "./ffmpeg.ts";

/** A hint for a container that can have its index behind the audio. */
const NEEDS_INDEX =
  " (in a pipe, the index of this file must be in front of the audio; a file can be given by its name)";

/** What kind of file it is. */
export type FileKind = Pick<ForeignKind, "id" | "name">;

/** A file that ffmpeg decodes. */
export class DecodedSource implements AudioSource {
  readonly name: string;
  readonly format: AudioFormat;
  /** The output of ffmpeg does not say. */
  readonly seconds = undefined;
  readonly decoding: string;
  readonly #decoder: FfmpegDecoder;
  readonly #pcm: PcmSource;

  /** Starts ffmpeg and reads the header of its output. Throws UsageError, with the name of the input. */
  static async open(name: string, kind: FileKind, options: FfmpegOptions): Promise<DecodedSource> {
    try {
      const decoder = new FfmpegDecoder(options);
      return await DecodedSource.#read(name, kind, decoder);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const needsIndex = kind.id === "mov" && typeof options.input !== "string";
      throw new UsageError(`${name}: ${error.message}${needsIndex ? NEEDS_INDEX : ""}`);
    }
  }

  static async #read(name: string, kind: FileKind, decoder: FfmpegDecoder): Promise<DecodedSource> {
    const input = decoder.bytes();
    try {
      const wav = await readWavStart(input, true);
      if ("cutOff" in wav) throw new DecodeError(noAudio(decoder));
      if ("reason" in wav) throw new DecodeError(`ffmpeg returned no WAV stream: ${wav.reason}`);
      const { header } = wav;
      const first = wav.first.length > 0 ? wav.first : (await input.next()).value?.slice();
      if (first === undefined) throw new DecodeError(noAudio(decoder));
      const pcm = { name, format: header.format, input, size: undefined, wav: { header, first } };
      return new DecodedSource(kind, decoder, new PcmSource(pcm));
    } catch (error) {
      await decoder[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(kind: FileKind, decoder: FfmpegDecoder, pcm: PcmSource) {
    this.name = pcm.name;
    this.format = pcm.format;
    this.decoding = `${kind.name}, decoded by ffmpeg`;
    this.#decoder = decoder;
    this.#pcm = pcm;
  }

  chunks(bytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    return this.#pcm.chunks(bytes);
  }

  takeRemarks(): string[] {
    const remarks = this.#pcm.takeRemarks();
    // Until the end, a message may be the cause of a failure.
    const message = this.#decoder.succeeded ? this.#decoder.takeMessage({ warnings: false }) : undefined;
    if (message !== undefined) remarks.push(`${this.name}: ffmpeg reports: ${message}`);
    return remarks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#decoder[Symbol.asyncDispose]();
  }
}

function noAudio(decoder: FfmpegDecoder): string {
  const message = decoder.takeMessage({ warnings: true });
  return `ffmpeg found no audio in it${message === undefined ? "" : `: ${message}`}`;
}
