import type { AudioOutput } from "./audio-output.ts";
import { floatWavHeader } from "./float-wav-header.ts";

const SAMPLE_BYTES = Float32Array.BYTES_PER_ELEMENT;
/** Most audio of channels that are ahead, which waits for the slowest one, in bytes. */
export const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** Where the bytes of a stream go. */
export interface ByteSink {
  /** Resolves when more can be taken. */
  write(bytes: Uint8Array): Promise<void> | undefined;
  close(): Promise<void>;
}

/**
 * Writes the audio of a stream's results to a pipe as it comes, so that it can be played live: as WAV of 32-bit floats
 * whose header says that the length is unknown. A frame is written when all channels have it; the samples of a channel
 * that is ahead wait in memory. Channels that are shorter than the longest one end in silence.
 */
export class WavStream implements AudioOutput {
  readonly path: string;
  readonly #sink: ByteSink;
  readonly #channels: readonly WaitingSamples[];
  #sampleRate: number | undefined;
  /** Waits for the first audio: programs such as sox take what one read gives for the beginning of a file. */
  #header: Uint8Array = new Uint8Array(0);
  #frames = 0;

  constructor(path: string, channels: number, sink: ByteSink) {
    this.path = path;
    this.#sink = sink;
    this.#channels = Array.from({ length: channels }, () => new WaitingSamples());
  }

  get sampleRate(): number | undefined {
    return this.#sampleRate;
  }

  get frames(): number {
    return this.#frames;
  }

  async write(channel: number, samples: Float32Array, sampleRate: number): Promise<void> {
    const waiting = this.#channels[channel];
    if (waiting === undefined) throw new Error(`audio for channel ${channel}, which was not sent`);
    if (this.#sampleRate === undefined) {
      this.#sampleRate = sampleRate;
      this.#header = floatWavHeader(this.#channels.length, sampleRate, undefined);
    }
    if (sampleRate !== this.#sampleRate) {
      throw new Error(
        `audio at ${sampleRate} Hz after audio at ${this.#sampleRate} Hz; a WAV file has one sample rate`,
      );
    }
    waiting.push(samples);
    await this.#writeFrames(Math.min(...this.#channels.map(({ length }) => length)));
    if (waiting.length * SAMPLE_BYTES * this.#channels.length > MAX_WAITING_BYTES) {
      const ahead = Math.round(waiting.length / sampleRate);
      throw new Error(`channel ${channel} is ${ahead} s ahead of another one; a pipe needs all channels`);
    }
  }

  async finish(): Promise<void> {
    await this.#writeFrames(Math.max(...this.#channels.map(({ length }) => length)), true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink.close();
  }

  /** Writes frames; a channel that has no more samples is silent. */
  async #writeFrames(frames: number, isLast = false): Promise<void> {
    if (frames === 0 && !isLast) return;
    const interleaved = new Float32Array(frames * this.#channels.length);
    for (const [channel, waiting] of this.#channels.entries()) {
      waiting.take(frames, interleaved, channel, this.#channels.length);
    }
    this.#frames += frames;
    const bytes = Buffer.concat([this.#header, littleEndian(interleaved)]);
    this.#header = new Uint8Array(0);
    if (bytes.length > 0) await this.#sink.write(bytes);
  }
}

/** Samples of one channel, in order. */
class WaitingSamples {
  #pieces: Float32Array[] = [];
  /** Samples of the first piece that were taken. */
  #offset = 0;
  length = 0;

  push(samples: Float32Array): void {
    this.#pieces.push(samples);
    this.length += samples.length;
  }

  /** Moves up to `count` samples to every `stride`-th place of `target`, from `start` on. */
  take(count: number, target: Float32Array, start: number, stride: number): void {
    let taken = 0;
    let piece = this.#pieces[0];
    while (piece !== undefined && taken < count) {
      const end = Math.min(piece.length, this.#offset + count - taken);
      for (let i = this.#offset; i < end; i++) target[start + taken++ * stride] = piece[i] ?? 0;
      this.#offset = end;
      if (end < piece.length) break;
      this.#pieces.shift();
      this.#offset = 0;
      piece = this.#pieces[0];
    }
    this.length -= taken;
  }
}

function littleEndian(samples: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(samples.length * SAMPLE_BYTES));
  for (const [i, sample] of samples.entries()) view.setFloat32(i * SAMPLE_BYTES, sample, true);
  return new Uint8Array(view.buffer);
}
