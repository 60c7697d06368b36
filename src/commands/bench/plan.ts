import type { SampleFormat } from "../../lib/sample-format.ts";
import type { TlsFiles } from "../terminal/client-tls.ts";
import { openRecording, readRecording } from "../terminal/recording.ts";
import type { Load } from "./load.ts";
import { encodeRecording, type Recording } from "./recording.ts";
import samplePath from "./sample.wav" with { type: "file" };

/** The rest of a longer recording is not sent. */
const MAX_RECORDING_SECONDS = 120;

export interface BenchFormat {
  readonly sampleFormat: SampleFormat;
  readonly sampleRate: number;
  readonly channels: number;
}

/** The audio of a run. Streams take the formats in turn. */
export interface BenchAudio {
  /** Path of a WAV file; undefined: the recording inside the executable. */
  readonly path: string | undefined;
  readonly formats: readonly BenchFormat[];
  readonly messageMs: number;
  /** Seconds of background noise after each pass through the recording. */
  readonly pauseSeconds: number;
}

/** A run, as plain values that can be sent to another process. */
export interface Plan extends Omit<Load, "url" | "headers" | "tls" | "recordings" | "part"> {
  readonly addr: string;
  /** Paths of the files, which every process reads. */
  readonly tls: TlsFiles;
  readonly audio: BenchAudio;
}

/** Reads and encodes the audio. Throws UsageError, which names the file. */
export async function loadRecordings({ path, formats, messageMs, pauseSeconds }: BenchAudio): Promise<Recording[]> {
  const read = path === undefined ? await readSample() : await openRecording(path, MAX_RECORDING_SECONDS);
  return formats.map((format) => encodeRecording(read(format.sampleRate), { ...format, messageMs, pauseSeconds }));
}

async function readSample(): Promise<(sampleRate: number) => Float32Array> {
  const bytes = await Bun.file(samplePath).bytes();
  const input = { name: "built-in speech", bytes: one(bytes), size: bytes.length };
  return await readRecording(input, MAX_RECORDING_SECONDS);
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield await Promise.resolve(bytes);
}
