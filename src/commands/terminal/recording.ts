import { resampledLength } from "../../lib/resampled-length.ts";
import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../../lib/sample-format.ts";
import { PcmConverter } from "../../native/pcm.ts";
import { Resampler } from "../../native/resampler.ts";
import { frameBytes, sampleFormat } from "../../protocol/format.ts";
import type { AudioInput } from "./audio-source.ts";
import { UsageError } from "./exit-codes.ts";
import { DecodeError } from "./ffmpeg.ts";
import { openFile, readFailure } from "./input.ts";
import { openAudioSource } from "./open-audio-source.ts";

const CHUNK_FRAMES = 4_096;

/**
 * Reads the first channel of a file with audio, at most `maxSeconds` of it. Returns a function that resamples it to a
 * rate in Hz and pads it with silence to one second at least. Throws UsageError, which names the file.
 */
export async function openRecording(path: string, maxSeconds: number): Promise<(sampleRate: number) => Float32Array> {
  await using input = await openFile(path);
  return await readRecording(input, maxSeconds);
}

/** Does the same with an open file. */
export async function readRecording(
  input: AudioInput,
  maxSeconds: number,
): Promise<(sampleRate: number) => Float32Array> {
  await using source = await openAudioSource(input);
  const { name } = input;
  const { format } = source;
  const { channels, sample_rate: rate } = format;
  if (rate < MIN_SAMPLE_RATE || rate > MAX_SAMPLE_RATE) {
    throw new UsageError(`${name}: sample rate: found ${rate}; allowed: ${MIN_SAMPLE_RATE} to ${MAX_SAMPLE_RATE} Hz`);
  }
  using converter = new PcmConverter(sampleFormat(format), channels);
  const samples = new Float32Array(maxSeconds * rate);
  const converted = new Float32Array(CHUNK_FRAMES * channels);
  const offsets = Uint32Array.from({ length: channels }, (_, channel) => channel * CHUNK_FRAMES);
  let length = 0;
  try {
    for await (const chunk of source.chunks(CHUNK_FRAMES * frameBytes(format))) {
      const frames = converter.process(chunk, 0, chunk.length, converted, offsets);
      const kept = Math.min(frames, samples.length - length);
      samples.set(converted.subarray(0, kept), length);
      length += kept;
      if (length === samples.length) break;
    }
  } catch (error) {
    throw error instanceof DecodeError ? new UsageError(`${name}: ${error.message}`) : readFailure(name, error);
  }
  return (sampleRate) => resample(samples.subarray(0, length), rate, sampleRate);
}

function resample(samples: Float32Array, from: number, to: number): Float32Array {
  const length = resampledLength(samples.length, from, to);
  const out = new Float32Array(Math.max(length, to));
  if (from === to) out.set(samples);
  else {
    using resampler = new Resampler(from, to);
    // `process` may write more than its share of the samples, and `flush` then less.
    const all = new Float32Array(length + CHUNK_FRAMES);
    const written = resampler.process(samples, 0, samples.length, all, 0);
    const rest = resampler.flush(all, written, all.length - written);
    out.set(all.subarray(0, Math.min(written + rest, out.length)));
  }
  return out;
}
