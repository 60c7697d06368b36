import { type FileHandle, open, unlink } from "node:fs/promises";

import { codeOf } from "../../lib/thrown.ts";
import type { AudioOutput } from "./audio-output.ts";
import { floatWavHeader, WAV_HEADER_BYTES } from "./float-wav-header.ts";

const SAMPLE_BYTES = Float32Array.BYTES_PER_ELEMENT;

/**
 * Writes the audio of a stream's results to a WAV file of 32-bit floats. The results of a channel follow each other
 * without gaps: results without audio and failed spans leave none. Channels that are shorter than the longest one end
 * in silence.
 *
 * Results are written as they arrive, each channel at its own pace, and none is kept in memory. The sizes in the
 * header are "unknown" until `finish`, so that the file can be read if the program is interrupted.
 */
export class WavWriter implements AudioOutput {
  readonly path: string;
  readonly #file: FileHandle;
  /** The file did not exist before. */
  readonly #created: boolean;
  /** Samples written, by channel. */
  readonly #lengths: number[];
  #sampleRate: number | undefined;

  /** Opens a file. An existing one keeps its content until the first audio is written. */
  static async open(path: string, channels: number): Promise<WavWriter> {
    const { file, created } = await openOrCreate(path);
    return new WavWriter(path, file, created, channels);
  }

  private constructor(path: string, file: FileHandle, created: boolean, channels: number) {
    this.path = path;
    this.#file = file;
    this.#created = created;
    this.#lengths = Array.from({ length: channels }, () => 0);
  }

  get sampleRate(): number | undefined {
    return this.#sampleRate;
  }

  get frames(): number {
    return Math.max(0, ...this.#lengths);
  }

  async write(channel: number, samples: Float32Array, sampleRate: number): Promise<void> {
    const length = this.#lengths[channel];
    if (length === undefined) throw new Error(`audio for channel ${channel}, which was not sent`);
    if (this.#sampleRate === undefined) {
      await this.#file.truncate(0);
      this.#sampleRate = sampleRate;
      await this.#writeHeader(undefined);
    }
    if (sampleRate !== this.#sampleRate) {
      throw new Error(
        `audio at ${sampleRate} Hz after audio at ${this.#sampleRate} Hz; a WAV file has one sample rate`,
      );
    }
    const channels = this.#lengths.length;
    const offset = WAV_HEADER_BYTES + length * channels * SAMPLE_BYTES;
    const bytes = new Uint8Array(samples.length * channels * SAMPLE_BYTES);
    // Keep the samples of channels that are ahead.
    if (length < this.frames) await this.#readInto(bytes, offset);
    const view = new DataView(bytes.buffer);
    for (const [i, sample] of samples.entries()) {
      view.setFloat32((i * channels + channel) * SAMPLE_BYTES, sample, true);
    }
    await this.#writeAll(bytes, offset);
    this.#lengths[channel] = length + samples.length;
  }

  /** Writes the final sizes into the header. */
  async finish(): Promise<void> {
    if (this.#sampleRate !== undefined) await this.#writeHeader(this.frames);
  }

  /** Closes the file. Deletes it if it was created here and has no audio. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    if (this.#created && this.#sampleRate === undefined) await unlink(this.path).catch(() => undefined);
  }

  async #writeHeader(frames: number | undefined): Promise<void> {
    await this.#writeAll(floatWavHeader(this.#lengths.length, this.#sampleRate ?? 0, frames), 0);
  }

  async #writeAll(bytes: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += (await this.#file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
    }
  }

  /** Fills `bytes` with the content of the file from `offset` on; what is past its end stays zero. */
  async #readInto(bytes: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesRead } = await this.#file.read(bytes, done, bytes.length - done, offset + done);
      if (bytesRead === 0) return;
      done += bytesRead;
    }
  }
}

async function openOrCreate(path: string): Promise<{ file: FileHandle; created: boolean }> {
  try {
    return { file: await open(path, "r+"), created: false };
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    return { file: await open(path, "wx+"), created: true };
  }
}
