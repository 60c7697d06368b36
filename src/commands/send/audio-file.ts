import { type FileHandle, open, realpath, stat, unlink } from "node:fs/promises";

import { UsageError } from "../terminal/exit.ts";

/** RIFF and WAVE; a `fmt ` chunk of 18 bytes and a `fact` chunk, as all WAV that is not integer PCM has; the head of `data`. */
const HEADER_BYTES = 12 + (8 + 18) + (8 + 4) + 8;
const FORMAT_FLOAT = 3;
const SAMPLE_BYTES = 4;
/** The size of what was not finished, or is too long for 32 bits: readers then go on to the end of the file. */
const UNKNOWN_SIZE = 0xffffffff;

/**
 * The audio of a stream's results as one WAV file of 32-bit floats. The results of each channel follow each other without gaps;
 * nothing is put in the place of a result that had no audio, or of a span that failed. Channels of different length are as long as the
 * longest, the others ending in silence.
 *
 * Results are written as they come, wherever the other channels are, and none is kept: what a channel has not reached yet is silence.
 * The header's sizes are "unknown" until `finish`, so that a file cut off can be read as well.
 */
export class AudioFile implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #created: boolean;
  /** Samples written, by channel. */
  readonly #lengths: number[];
  #sampleRate: number | undefined;

  /** Opens a file without touching what is in it: that goes when the first audio comes. Throws UsageError. */
  static async open(path: string, channels: number, input: string): Promise<AudioFile> {
    let opened: { file: FileHandle; created: boolean };
    try {
      if (await isSame(path, input)) throw new UsageError(`--output ${path}: it is the input`);
      opened = await openExistingOrNew(path);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(`--output ${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
    const { file, created } = opened;
    if ((await file.stat()).isFile()) return new AudioFile(path, file, created, channels);
    await file.close();
    throw new UsageError(`--output ${path}: it is no plain file, and the header is written last`);
  }

  private constructor(path: string, file: FileHandle, created: boolean, channels: number) {
    this.path = path;
    this.#file = file;
    this.#created = created;
    this.#lengths = Array.from({ length: channels }, () => 0);
  }

  /** Hz; undefined while there was no audio. */
  get sampleRate(): number | undefined {
    return this.#sampleRate;
  }

  /** Frames so far: samples of the longest channel. */
  get frames(): number {
    return Math.max(0, ...this.#lengths);
  }

  /** Puts samples behind those that the channel already has. Rejects when they cannot be written, or have another rate. */
  async write(channel: number, samples: Float32Array, sampleRate: number): Promise<void> {
    const at = this.#lengths[channel];
    if (at === undefined) throw new Error(`audio of a channel ${channel}, which was not sent`);
    if (this.#sampleRate === undefined) {
      await this.#file.truncate(0);
      this.#sampleRate = sampleRate;
      await this.#writeAll(this.#header(undefined), 0);
    }
    if (sampleRate !== this.#sampleRate) {
      throw new Error(
        `audio at ${sampleRate} Hz after audio at ${this.#sampleRate} Hz, which one WAV file cannot hold`,
      );
    }
    const channels = this.#lengths.length;
    const position = HEADER_BYTES + at * channels * SAMPLE_BYTES;
    const bytes = new Uint8Array(samples.length * channels * SAMPLE_BYTES);
    // Where another channel is ahead, its samples are there already.
    if (at < this.frames) await this.#readInto(bytes, position);
    const view = new DataView(bytes.buffer);
    for (const [i, sample] of samples.entries()) {
      view.setFloat32((i * channels + channel) * SAMPLE_BYTES, sample, true);
    }
    await this.#writeAll(bytes, position);
    this.#lengths[channel] = at + samples.length;
  }

  /** Puts the sizes into the header. */
  async finish(): Promise<void> {
    if (this.#sampleRate !== undefined) await this.#writeAll(this.#header(this.frames), 0);
  }

  /** A file that was made for this and got no audio goes again. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    if (this.#created && this.#sampleRate === undefined) await unlink(this.path).catch(() => undefined);
  }

  #header(frames: number | undefined): Uint8Array {
    const channels = this.#lengths.length;
    const frameBytes = channels * SAMPLE_BYTES;
    const size = (bytes: number | undefined) => (bytes === undefined || bytes >= UNKNOWN_SIZE ? UNKNOWN_SIZE : bytes);
    const data = frames === undefined ? undefined : frames * frameBytes;
    const rate = this.#sampleRate ?? 0;
    const view = new DataView(new ArrayBuffer(HEADER_BYTES));
    let at = 0;
    const tag = (name: string) => {
      for (const letter of name) view.setUint8(at++, letter.charCodeAt(0));
    };
    const u16 = (value: number) => view.setUint16((at += 2) - 2, value, true);
    const u32 = (value: number) => view.setUint32((at += 4) - 4, value, true);
    tag("RIFF");
    u32(size(data === undefined ? undefined : data + HEADER_BYTES - 8));
    tag("WAVEfmt ");
    u32(18);
    u16(FORMAT_FLOAT);
    u16(channels);
    u32(rate);
    u32(rate * frameBytes);
    u16(frameBytes);
    u16(8 * SAMPLE_BYTES);
    u16(0);
    tag("fact");
    u32(4);
    u32(size(frames));
    tag("data");
    u32(size(data));
    return new Uint8Array(view.buffer);
  }

  async #writeAll(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += (await this.#file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    }
  }

  /** What the file has from `position` on; zeros past its end. */
  async #readInto(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesRead } = await this.#file.read(bytes, done, bytes.length - done, position + done);
      if (bytesRead === 0) return;
      done += bytesRead;
    }
  }
}

async function openExistingOrNew(path: string): Promise<{ file: FileHandle; created: boolean }> {
  try {
    return { file: await open(path, "r+"), created: false };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    return { file: await open(path, "wx+"), created: true };
  }
}

async function isSame(path: string, input: string): Promise<boolean> {
  if (input === "-") return false;
  try {
    const [a, b] = await Promise.all([stat(await realpath(path)), stat(await realpath(input))]);
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    // One of them is not there, which is for others to say.
    return false;
  }
}
