import { fstatSync, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";

import { messageOf } from "../../lib/thrown.ts";
import { untilAborted } from "../../lib/until-aborted.ts";
import { UsageError } from "../terminal/exit-codes.ts";
import { printablePath } from "../terminal/input.ts";
import type { ByteOutput } from "../terminal/output.ts";
import type { AudioOutput } from "./audio-output.ts";
import { type ByteSink, WavStream } from "./wav-stream.ts";
import { WavWriter } from "./wav-writer.ts";

export interface AudioOutputOptions {
  readonly channels: number;
  /** Path of the audio being sent, which cannot be the output too; "-" for standard input. */
  readonly input: string;
  /** Standard output. */
  readonly audioOut: ByteOutput;
  /** Gives up a named pipe without a reader. */
  readonly interrupt: AbortSignal;
}

/**
 * Returns true if `path` is standard output: "-", or a name of the same file or pipe, such as /dev/stdout. Results
 * cannot be printed there, too.
 */
export async function isStandardOutput(path: string): Promise<boolean> {
  if (path === "-") return true;
  const [named, own] = [await statOf(path), standardOutput()];
  // A device such as /dev/null has no content that could be mixed up.
  return named !== undefined && own !== undefined && !own.isCharacterDevice() && isSame(named, own);
}

/** Opens an output: a file, or a pipe or a device, which gets the audio as it comes. Throws UsageError. */
export async function openAudioOutput(path: string, options: AudioOutputOptions): Promise<AudioOutput> {
  const { channels, input, audioOut, interrupt } = options;
  if (await isStandardOutput(path)) {
    if (audioOut.isTerminal)
      throw new UsageError(`--output ${printablePath(path)}: found a terminal; allowed: a file or a pipe`);
    return new WavStream("standard output", channels, standardOutputSink(audioOut));
  }
  const found = await statOf(path);
  const read = input === "-" ? undefined : await statOf(input);
  if (found !== undefined && read !== undefined && isSame(found, read)) {
    throw new UsageError(`--output ${printablePath(path)}: is the input file`);
  }
  try {
    if (found?.isFIFO() !== true && found?.isCharacterDevice() !== true) return await WavWriter.open(path, channels);
    return new WavStream(path, channels, fileSink(await openPipe(path, interrupt)));
  } catch (error) {
    if (interrupt.aborted) throw error;
    throw new UsageError(`--output ${printablePath(path)}: ${messageOf(error)}`);
  }
}

/** Opens a named pipe, which waits for its reader, or a device. */
async function openPipe(path: string, interrupt: AbortSignal): Promise<FileHandle> {
  const opening = open(path, "w");
  try {
    return await untilAborted(opening, interrupt);
  } catch (error) {
    void opening.then((file) => file.close()).catch(() => undefined);
    throw error;
  }
}

function standardOutputSink(out: ByteOutput): ByteSink {
  return {
    write: async (bytes) => await out.writeBytes(bytes),
    close: () => Promise.resolve(),
  };
}

function fileSink(file: FileHandle): ByteSink {
  return {
    write: (bytes) => file.writeFile(bytes),
    close: () => file.close(),
  };
}

function standardOutput(): Stats | undefined {
  try {
    return fstatSync(1);
  } catch {
    // Standard output is closed.
    return undefined;
  }
}

/** Returns undefined if there is no such file. */
async function statOf(path: string): Promise<Stats | undefined> {
  return await stat(path).catch(() => undefined);
}

function isSame(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}
