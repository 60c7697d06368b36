import type { AudioFormat } from "../../protocol/format.ts";
import type { ByteStream } from "./input.ts";

/** PCM audio of a known format, whose samples are not read yet. */
export interface AudioSource extends AsyncDisposable {
  /** The file's name or "standard input", for messages. */
  readonly name: string;
  readonly format: AudioFormat;
  /** Length of the audio in seconds; undefined if neither the header nor the size of the file gives it. */
  readonly seconds: number | undefined;
  /** What the file is and how it is decoded; undefined: it is PCM. */
  readonly decoding?: string | undefined;
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
  /** Path of a file that another program can open; undefined for pipes and devices. */
  readonly path?: string | undefined;
}
