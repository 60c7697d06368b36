import { type AudioPieces, bytesOf, MAX_PIECE_BYTES, readPieces } from "./audio-data.ts";
import { PcmSource, readWavStart, type WavStart } from "./pcm-source.ts";
import type { AudioFormat } from "./types/start.ts";

/** The bytes are not a WAV file that can be streamed. The message says why. */
export class WavError extends Error {
  override readonly name = "WavError";
}

/** The audio of a WAV file, without its header and what else is in the file. For one reader. Made by `openWav`. */
export interface Wav extends AsyncIterable<Uint8Array<ArrayBuffer>> {
  /** For the start of a stream. */
  readonly format: AudioFormat;
  /** Length in seconds; undefined if neither the header nor the size of the source gives it. */
  readonly seconds: number | undefined;
  /** Sentences about faults of the file, such as that its end is missing. Complete when all audio has been read. */
  readonly remarks: readonly string[];
}

/**
 * Reads the header of a WAV file. The rest is read with the audio: `client.sendAll(wav)`. Any PCM that a server takes,
 * mu-law and A-law; RF64 and BW64; headers of pipes without sizes. Rejects with a WavError, or when the source fails.
 * @param source a Blob or File, a ReadableStream, such as the body of a response, or pieces of the file, cut anywhere
 */
export async function openWav(source: AudioPieces): Promise<Wav> {
  const size = source instanceof Blob ? source.size : undefined;
  const pieces = bytesIn(source);
  const start = await readStart(pieces, size === undefined);
  const pcm = new PcmSource({ name: "the file", size, format: start.header.format, input: pieces, wav: start });
  const remarks: string[] = [];
  return {
    format: pcm.format,
    seconds: pcm.seconds,
    get remarks() {
      remarks.push(...pcm.takeRemarks());
      return remarks;
    },
    async *[Symbol.asyncIterator]() {
      for await (const chunk of pcm.chunks(MAX_PIECE_BYTES)) yield chunk.slice();
    },
  };
}

async function readStart(pieces: AsyncGenerator<Uint8Array, void>, isPipe: boolean): Promise<WavStart> {
  const start = await readWavStart(pieces, isPipe);
  if ("first" in start) return start;
  await pieces.return();
  throw new WavError("cutOff" in start ? `the file ${start.cutOff}` : `not a supported WAV file: ${start.reason}`);
}

async function* bytesIn(source: AudioPieces): AsyncGenerator<Uint8Array, void> {
  for await (const piece of readPieces(source)) yield bytesOf(piece);
}
