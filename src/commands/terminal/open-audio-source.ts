import { FOREIGN_WINDOW_BYTES, recogniseForeign } from "../../audio/foreign-kinds.ts";
import { PcmSource, readWavStart } from "../../client/pcm-source.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import type { AudioInput, AudioSource } from "./audio-source.ts";
import { DecodedSource, type FileKind } from "./decoded-source.ts";
import { UsageError } from "./exit-codes.ts";
import { demuxerFor } from "./ffmpeg.ts";
import { findProgram } from "./find-program.ts";
import { readFailure } from "./input.ts";
import { KeptStart } from "./kept-start.ts";

/** Files that ffmpeg decodes, for messages. */
const DECODED = "MP3, FLAC, Ogg, WebM, Matroska, MP4, QuickTime";
/** How to convert a file, for messages. */
const CONVERT = "ffmpeg -i FILE FILE.wav";

/** WAV files whose header is sound, and whose samples are not read here. */
const OTHER_WAV: FileKind = { id: "wav", name: "a WAV file of another codec" };

export interface AudioSourceOptions {
  /** The format of audio without a header. */
  readonly raw?: AudioFormat | undefined;
  /** Finds the path of ffmpeg. Default: on the PATH. */
  readonly findFfmpeg?: () => string | null;
  /** Ends ffmpeg when aborted. */
  readonly interrupt?: AbortSignal | undefined;
}

/**
 * Opens audio: reads the header of a WAV file, or lets ffmpeg decode a file of another kind. Throws UsageError, with the
 * name of the input, if that is not possible.
 */
export async function openAudioSource(input: AudioInput, options: AudioSourceOptions = {}): Promise<AudioSource> {
  try {
    return await openSource(input, options);
  } catch (error) {
    throw readFailure(input.name, error);
  }
}

async function openSource(input: AudioInput, options: AudioSourceOptions): Promise<AudioSource> {
  const { name, size } = input;
  const pieces = input.bytes[Symbol.asyncIterator]();
  if (options.raw !== undefined) return new PcmSource({ name, size, format: options.raw, input: pieces });
  const start = new KeptStart(pieces);
  const wav = await readWavStart(start, size === undefined);
  if ("cutOff" in wav) throw new UsageError(`${name}: ${wav.cutOff}`);
  if (!("reason" in wav)) return new PcmSource({ name, size, format: wav.header.format, input: pieces, wav });
  const notRead = `${name}: not a supported WAV file: ${wav.reason}`;
  const kind = (await foreignKind(start)) ?? (wav.foreign ? OTHER_WAV : undefined);
  if (kind === undefined) throw new UsageError(`${notRead} (for PCM without a header, use --raw)`);
  const found = kind === OTHER_WAV ? notRead : `${name}: is ${kind.name}`;
  const demuxer = demuxerFor(kind.id);
  if (demuxer === undefined) {
    throw new UsageError(`${found}; allowed: WAV, and with ffmpeg on the PATH ${DECODED}; convert it: ${CONVERT}`);
  }
  const program = (options.findFfmpeg ?? (() => findFfmpeg()))();
  if (program === null) {
    const remedy = `install ffmpeg, or convert the file on another machine: ${CONVERT}`;
    throw new UsageError(`${found}; decoding it needs ffmpeg on the PATH: ${remedy}`);
  }
  const whole = input.path ?? start.replay();
  if (whole === undefined) {
    throw new UsageError(`${found}; its header is too long for a pipe: ffmpeg can decode it by its name`);
  }
  return await DecodedSource.open(name, kind, { program, demuxer, input: whole, interrupt: options.interrupt });
}

/** Recognises a file that is not PCM. Reads on as long as further bytes may decide. */
async function foreignKind(start: KeptStart): Promise<FileKind | undefined> {
  for (;;) {
    const { bytes } = start;
    // No longer kept: only the header of a WAV file is that long.
    if (bytes.length === 0) return undefined;
    const kind = recogniseForeign(bytes.subarray(0, FOREIGN_WINDOW_BYTES));
    if (kind !== "more") return kind;
    if (!(await start.readTo(bytes.length + 1))) return undefined;
  }
}

/** Finds ffmpeg on a PATH, in folders that are absolute. */
export function findFfmpeg(path?: string): string | null {
  return findProgram("ffmpeg", path);
}
