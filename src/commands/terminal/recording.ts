import { resampledLength } from "../../lib/resampled-length.ts";
import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../../lib/sample-format.ts";
import { PcmConverter } from "../../native/pcm.ts";
import { Resampler } from "../../native/resampler.ts";
import { frameBytes, sampleFormat } from "../../protocol/format.ts";
import { audioSource, openFile } from "./audio-source.ts";
import { UsageError } from "./exit.ts";

/** No more than this of a recording is read. */
const LONGEST_SECONDS = 30;
const CHUNK_FRAMES = 4_096;

/**
 * Reads the first channel of a WAV file. Returns it at whatever sample rate is asked for, at least a second, with silence
 * at its end where it is shorter. Throws UsageError, naming the file.
 */
export async function openRecording(path: string): Promise<(sampleRate: number) => Promise<Float32Array>> {
  await using input = await openFile(path);
  const source = await audioSource(path, input.bytes, input.size);
  const { format } = source;
  const { channels, sample_rate: rate } = format;
  if (rate < MIN_SAMPLE_RATE || rate > MAX_SAMPLE_RATE) {
    throw new UsageError(`${path}: it has ${rate} Hz; allowed are ${MIN_SAMPLE_RATE} to ${MAX_SAMPLE_RATE}`);
  }
  using converter = new PcmConverter(sampleFormat(format), channels);
  const samples = new Float32Array(LONGEST_SECONDS * rate);
  const piece = new Float32Array(CHUNK_FRAMES * channels);
  const offsets = Uint32Array.from({ length: channels }, (_, channel) => channel * CHUNK_FRAMES);
  let length = 0;
  for await (const chunk of source.chunks(CHUNK_FRAMES * frameBytes(format))) {
    const frames = converter.process(chunk, 0, chunk.length, piece, offsets);
    const kept = Math.min(frames, samples.length - length);
    samples.set(piece.subarray(0, kept), length);
    length += kept;
    if (length === samples.length) break;
  }
  return (sampleRate) => Promise.resolve(resample(samples.subarray(0, length), rate, sampleRate));
}

function resample(samples: Float32Array, from: number, to: number): Float32Array {
  const length = resampledLength(samples.length, from, to);
  const out = new Float32Array(Math.max(length, to));
  if (from === to) out.set(samples);
  else {
    using resampler = new Resampler(from, to);
    // One call may write a little more than its share, and the flush then less.
    const all = new Float32Array(length + CHUNK_FRAMES);
    const written = resampler.process(samples, 0, samples.length, all, 0);
    const rest = resampler.flush(all, written, all.length - written);
    out.set(all.subarray(0, Math.min(written + rest, out.length)));
  }
  return out;
}
