import { openFile } from "../../src/commands/terminal/input.ts";
import { openAudioSource } from "../../src/commands/terminal/open-audio-source.ts";
import { SAMPLE_FORMATS } from "../../src/lib/sample-format.ts";
import { PcmConverter } from "../../src/native/pcm.ts";
import { sampleFormat } from "../../src/protocol/format.ts";

/** The samples of a file, as a program reads them. */
export interface Sound {
  readonly channels: number;
  readonly sampleRate: number;
  /** Interleaved. */
  readonly samples: Float32Array;
}

/** Runs a program. Returns its standard output, or undefined if it fails. */
export async function bytesFrom(command: readonly string[], input?: Uint8Array): Promise<Uint8Array | undefined> {
  const child = Bun.spawn([...command], { stdin: input ?? "ignore", stdout: "pipe", stderr: "ignore" });
  const bytes = new Uint8Array(await new Response(child.stdout).arrayBuffer());
  return (await child.exited) === 0 ? bytes : undefined;
}

/** Reads a file as `send` does. */
export async function readSound(path: string): Promise<Sound & { readonly decoding: string | undefined }> {
  await using input = await openFile(path);
  await using source = await openAudioSource({ ...input, name: path });
  const { channels, sample_rate: sampleRate } = source.format;
  const format = sampleFormat(source.format);
  using converter = new PcmConverter(format, channels);
  const frameBytes = channels * SAMPLE_FORMATS[format].bytes;
  const runs: Float32Array[] = [];
  for await (const chunk of source.chunks(4096 * frameBytes)) {
    const frames = converter.framesFor(chunk.length);
    const planar = new Float32Array(frames * channels);
    const offsets = Uint32Array.from({ length: channels }, (_, channel) => channel * frames);
    converter.process(chunk, 0, chunk.length, planar, offsets);
    runs.push(
      Float32Array.from(
        { length: planar.length },
        (_, i) => planar[(i % channels) * frames + Math.floor(i / channels)]!,
      ),
    );
  }
  return { channels, sampleRate, samples: joined(runs), decoding: source.decoding };
}

/** Reads a file with ffmpeg, in any way that ffmpeg knows. */
export async function readWithFfmpeg(ffmpeg: string, path: string): Promise<Float32Array | undefined> {
  const bytes = await bytesFrom([ffmpeg, "-v", "error", "-i", path, "-map", "0:a:0", "-f", "f32le", "pipe:1"]);
  return bytes && floats(bytes);
}

export function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice(0, bytes.length - (bytes.length % 4)).buffer);
}

/** The largest difference between two sounds; infinite if they differ in length. */
export function maxDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Infinity;
  let max = 0;
  for (const [i, sample] of a.entries()) max = Math.max(max, Math.abs(sample - b[i]!));
  return max;
}

/** dB by which a sound exceeds its difference to another one, over the length that both have. */
export function signalToNoise(signal: Float32Array, other: Float32Array): number {
  let power = 0;
  let noise = 0;
  for (let i = 0; i < Math.min(signal.length, other.length); i++) {
    power += signal[i]! ** 2;
    noise += (signal[i]! - other[i]!) ** 2;
  }
  return 10 * Math.log10(power / noise);
}

function joined(runs: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(runs.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const run of runs) {
    all.set(run, at);
    at += run.length;
  }
  return all;
}
