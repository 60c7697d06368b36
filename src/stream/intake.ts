import type { Arena } from "../audio/arena.ts";
import { Decoder, NO_ROOM } from "../audio/decoder.ts";
import { foreignMessage, ForeignScanner } from "../audio/foreign-scanner.ts";
import { LooksLike } from "../audio/looks-like.ts";
import type { Store } from "../audio/store.ts";
import { AudioWarnings, type Reported } from "../audio/warnings.ts";
import { WavScanner } from "../audio/wav-scanner.ts";
import type { DecidedWindows } from "../native/chain.ts";
import type { EnergyVad } from "../native/vad.ts";
import type { Warning } from "../protocol/events.ts";
import { type AudioFormat, sampleFormat } from "../protocol/format.ts";

const NO_BYTES = new Uint8Array(0);

/** Bytes of one message that are being decoded. */
interface Chunk {
  readonly bytes: Uint8Array;
  /** Index of the first byte that has not been decoded. */
  offset: number;
  readonly end: number;
}

/** All chunks have been decoded. */
const NO_CHUNK: Chunk = { bytes: NO_BYTES, offset: 0, end: 0 };

/**
 * The way of a stream's bytes into its stores: WAV headers and audio that is not PCM are found, chunks wait for their
 * turn, and the decoder writes samples at the model's rate. Suspicious audio is reported through `warn`.
 */
export class Intake implements Disposable {
  readonly #format: AudioFormat;
  /** Undefined: the stream goes on from another one, and has no headers. */
  readonly #scanner: WavScanner | undefined;
  /** Looks at the first bytes of audio; undefined once they have been judged. */
  #foreign: ForeignScanner | undefined;
  /** Looks at the first second of sound; undefined once it has been judged. */
  #looksLike: LooksLike | undefined;
  /** A second data chunk of a WAV file has been reported. */
  #skippedData = false;
  readonly #warnings: AudioWarnings;
  readonly #decoder: Decoder;
  readonly #chunks: Chunk[] = [];

  /**
   * @param modelRate Hz
   * @param stores one for each channel, empty
   * @param reported warnings that the stream has had which this one goes on from; nothing is looked for in the bytes of
   *   such a stream
   */
  constructor(
    format: AudioFormat,
    modelRate: number,
    arena: Arena,
    stores: readonly Store[],
    warn: (warning: Warning) => void,
    reported?: Reported,
  ) {
    this.#format = format;
    this.#warnings = new AudioWarnings(warn, reported);
    const decoded = { sampleFormat: sampleFormat(format), channels: format.channels, sampleRate: format.sample_rate };
    if (reported === undefined) {
      this.#scanner = new WavScanner(format);
      this.#foreign = new ForeignScanner();
      this.#looksLike = new LooksLike(decoded.sampleFormat, format.channels, format.sample_rate);
    }
    this.#decoder = new Decoder(decoded, modelRate, arena, stores);
  }

  /** All bytes offered so far have been decoded. */
  get empty(): boolean {
    return this.#chunks.length === 0 && this.#decoder.settled;
  }

  /** The decoder's decisions about the samples decoded last. See `Decoder.windows`. */
  windows(channel: number): DecidedWindows | undefined {
    return this.#decoder.windows(channel);
  }

  /** Runs detectors on what is decoded. See `Decoder.detect`. */
  detect(detectors: readonly EnergyVad[]): void {
    this.#decoder.detect(detectors);
  }

  /** Warnings that have been sent. */
  get reported(): Reported {
    return this.#warnings.reported;
  }

  /** Returns the state of the decoder and the detectors. See `Decoder.save`. */
  save(): Uint8Array<ArrayBuffer> {
    return this.#decoder.save();
  }

  /** Goes on from that state behind so many frames. See `Decoder.restore`. */
  restore(frames: number, saved: Uint8Array): boolean {
    return this.#decoder.restore(frames, saved);
  }

  /** Whole frames decoded, at the client's rate. */
  get frames(): number {
    return this.#decoder.frames;
  }

  /** Seconds of audio decoded. */
  get seconds(): number {
    return this.#decoder.frames / this.#format.sample_rate;
  }

  /** Samples per channel that the decoded frames come to once the stream has ended. */
  get totalSamples(): number {
    return this.#decoder.totalSamples;
  }

  /** Bytes of an incomplete last frame. */
  get trailingBytes(): number {
    return this.#decoder.trailingBytes;
  }

  /** Bytes of WAV headers that were not taken for audio. */
  get skippedBytes(): number {
    return this.#scanner?.skippedBytes ?? 0;
  }

  /**
   * Takes a message of audio; `decode` decodes it.
   * @returns why the stream cannot go on after these bytes: they are no PCM, or a WAV header contradicts the format;
   *   undefined when it can
   */
  offer(bytes: Uint8Array): string | undefined {
    const scanner = this.#scanner;
    if (scanner === undefined || (this.#foreign === undefined && scanner.pass(bytes))) {
      return void this.#enqueue(bytes, 0, bytes.length);
    }
    let rest = bytes;
    for (;;) {
      const scan = scanner.scan(rest);
      if (scan.skippedHeader) this.#warnings.report("wav_header");
      if (scanner.skippedData && !this.#skippedData) {
        this.#skippedData = true;
        this.#warnings.report("wav_data");
      }
      const { withheld, start, end, next } = scan;
      const foreign = this.#take(withheld, 0, withheld.length) ?? this.#take(rest, start, end);
      const mismatch = foreign ?? scan.mismatch;
      if (mismatch !== undefined || next >= rest.length) return mismatch;
      rest = rest.subarray(next);
    }
  }

  /** Ends the search for audio that is not PCM if it holds bytes back: they are audio. */
  release(): void {
    const held = this.#foreign?.take() ?? NO_BYTES;
    if (held.length === 0) return;
    this.#foreign = undefined;
    this.#enqueue(held, 0, held.length);
  }

  /** Ends the input: bytes that might have become a header or a foreign file are audio. */
  end(): void {
    this.release();
    const withheld = this.#scanner?.end() ?? NO_BYTES;
    this.#enqueue(withheld, 0, withheld.length);
  }

  /**
   * Decodes a part of the oldest chunk.
   * @param room samples that may be appended to each store
   * @returns false when the arena is full
   */
  decode(room: number): boolean {
    const chunk = this.#chunks[0] ?? NO_CHUNK;
    const taken = this.#decoder.push(chunk.bytes, chunk.offset, room, chunk.end);
    if (taken === NO_ROOM) return false;
    chunk.offset += taken;
    if (chunk.offset === chunk.end) this.#chunks.shift();
    this.#warnings.look(this.#decoder);
    return true;
  }

  /** Appends samples that the resamplers still owe, as `Decoder.flush`. All chunks have been decoded. */
  flush(): ReturnType<Decoder["flush"]> {
    return this.#decoder.flush();
  }

  /**
   * Counts everything that has not been decoded as received, without decoding it.
   * @param unread bytes of audio that were not offered
   */
  discard(unread: number): void {
    this.#decoder.discard(this.#chunks.reduce((sum, { offset, end }) => sum + end - offset, unread));
    this.#chunks.length = 0;
  }

  /** Counts at least as many frames as received as make `samples`. See `Decoder.discardTo`. */
  discardTo(samples: number): void {
    this.#decoder.discardTo(samples);
  }

  [Symbol.dispose](): void {
    this.#decoder[Symbol.dispose]();
  }

  /** Takes a run of audio. Returns why the stream cannot go on: it begins with audio that is not PCM. */
  #take(bytes: Uint8Array, start: number, end: number): string | undefined {
    if (this.#foreign === undefined || end === start) return void this.#enqueue(bytes, start, end);
    const found = this.#foreign.scan(bytes.subarray(start, end));
    if (found === "more") return undefined;
    if (found === undefined) {
      this.release();
      this.#foreign = undefined;
      return void this.#enqueue(bytes, start, end);
    }
    // Nothing of a foreign file is audio, so nothing of it counts as received.
    this.#foreign = undefined;
    return foreignMessage(found, this.#format);
  }

  #enqueue(bytes: Uint8Array, offset: number, end: number): void {
    if (end === offset) return;
    this.#chunks.push({ bytes, offset, end });
    if (this.#looksLike !== undefined) this.#judge(this.#looksLike, bytes, offset, end);
  }

  #judge(looksLike: LooksLike, bytes: Uint8Array, offset: number, end: number): void {
    const message = looksLike.push(bytes, offset, end);
    if (looksLike.done) this.#looksLike = undefined;
    if (message !== undefined) this.#warnings.report("looks_like", -1, message);
  }
}
