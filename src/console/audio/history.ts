import { WindowLevel } from "./level.ts";
import { type FloorSettings, NoiseFloor } from "./noise-floor.ts";

/** Seconds of audio that the signal view and the players can go back. */
export const MAX_HISTORY_SECONDS = 600;
/** Most bytes of audio that are kept for the players. */
const MAX_AUDIO_BYTES = 64 * 1024 * 1024;
const WINDOWS_PER_SECOND = 100;
const FULL_SCALE = 32_767;

/** What is known of one window of 10 ms of a channel. */
export interface Window {
  readonly low: number;
  readonly high: number;
  /** dBFS. */
  readonly level: number;
  readonly floor: number;
  /** The settings of the sliders take it for speech. */
  readonly speech: boolean;
}

/** Signal of one channel: its windows, and the audio itself as far back as there is room. */
export class ChannelHistory {
  readonly #sampleRate: number;
  readonly #meter: WindowLevel;
  readonly #lows = new Float32Array(MAX_HISTORY_SECONDS * WINDOWS_PER_SECOND);
  readonly #highs = new Float32Array(this.#lows.length);
  readonly #levels = new Float32Array(this.#lows.length);
  readonly #floors = new Float32Array(this.#lows.length);
  readonly #speech = new Uint8Array(this.#lows.length);
  /** The last samples, in a ring. */
  readonly #audio: Int16Array;
  readonly #pending: Float32Array;
  #filled = 0;
  #windows = 0;
  #samples = 0;
  #floor: NoiseFloor;

  /** @param sampleRate Hz; @param channels of the stream, which share the memory for audio */
  constructor(sampleRate: number, channels: number, settings: FloorSettings) {
    this.#sampleRate = sampleRate;
    this.#meter = new WindowLevel(sampleRate);
    this.#pending = new Float32Array(this.#meter.windowSamples);
    const most = Math.floor(MAX_AUDIO_BYTES / Int16Array.BYTES_PER_ELEMENT / channels);
    this.#audio = new Int16Array(Math.min(most, MAX_HISTORY_SECONDS * sampleRate));
    this.#floor = new NoiseFloor(settings);
  }

  /** Seconds of one window. */
  get windowSeconds(): number {
    return this.#meter.windowSamples / this.#sampleRate;
  }

  /** Seconds received. */
  get seconds(): number {
    return this.#samples / this.#sampleRate;
  }

  /** Index of the first window that is still known, and of the one after the last. */
  get range(): readonly [number, number] {
    return [Math.max(0, this.#windows - this.#levels.length), this.#windows];
  }

  push(samples: Float32Array): void {
    for (const sample of samples) {
      this.#audio[this.#samples++ % this.#audio.length] = Math.round(Math.max(-1, Math.min(1, sample)) * FULL_SCALE);
      this.#pending[this.#filled++] = sample;
      if (this.#filled === this.#pending.length) this.#addWindow();
    }
  }

  /** Returns the window with this index; undefined: it is not known any more, or not yet. */
  at(index: number): Window | undefined {
    const [first, end] = this.range;
    if (index < first || index >= end) return undefined;
    const slot = index % this.#levels.length;
    return {
      low: this.#lows[slot]!,
      high: this.#highs[slot]!,
      level: this.#levels[slot]!,
      floor: this.#floors[slot]!,
      speech: this.#speech[slot] === 1,
    };
  }

  /** Decides about all windows again, with other settings. */
  redecide(settings: FloorSettings): void {
    this.#floor = new NoiseFloor(settings);
    const [first, end] = this.range;
    for (let index = first; index < end; index++) this.#decide(index % this.#levels.length);
  }

  /** Returns the audio between two times, in seconds; undefined: its begin is not kept any more. */
  audio(start: number, end: number): Float32Array<ArrayBuffer> | undefined {
    const from = Math.round(start * this.#sampleRate);
    const to = Math.min(this.#samples, Math.round(end * this.#sampleRate));
    if (from < this.#samples - this.#audio.length || to <= from) return undefined;
    return Float32Array.from(
      { length: to - from },
      (_, i) => this.#audio[(from + i) % this.#audio.length]! / FULL_SCALE,
    );
  }

  #addWindow(): void {
    const slot = this.#windows++ % this.#levels.length;
    let low = Infinity;
    let high = -Infinity;
    for (const sample of this.#pending) {
      if (sample < low) low = sample;
      if (sample > high) high = sample;
    }
    this.#lows[slot] = low;
    this.#highs[slot] = high;
    this.#levels[slot] = this.#meter.of(this.#pending);
    this.#filled = 0;
    this.#decide(slot);
  }

  #decide(slot: number): void {
    this.#speech[slot] = Number(this.#floor.decide(this.#levels[slot]!));
    this.#floors[slot] = this.#floor.floorDb;
  }
}
