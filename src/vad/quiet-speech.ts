import { VAD_RANGES } from "../protocol/vad-settings.ts";
import type { DetectorSettings } from "./detector.ts";

/** The bound of the noise is the lowest smoothed level of the last 2.5 to 3 s, in blocks. */
const BLOCK_MS = 500;
const BLOCKS = 6;
/** Weight of a new window in the smoothed level. */
const SMOOTHING = 0.5;
/** Lower levels count as this one, so that what follows digital silence does not rise far: 16 bits round at -101 dBFS. */
const LOWEST_DB = -110;

/** What may be speech is so far above the bound of the noise, and lasts so long each time. */
const RISE_DB = 15;
const BURST_MS = 100;
/** Its level varies: this is the least standard deviation. That of noise and tones is 1 to 2 dB. */
const SPREAD_DB = 4;
/** How much of it is enough to report, in how many bursts; less is enough at the end of a stream. */
const ENOUGH = { ms: 1500, bursts: 5 };
const ENOUGH_AT_END = { ms: 400, bursts: 2 };
/** Part of it that is below the limit. */
const QUIET_PART = 0.25;
/** So much speech, so far above the limit, shows that the recording level is right. */
const LOUD_DB = 12;
const LOUD_MS = 1000;

/** Usual level of speech in a recording, and its range below that. */
const USUAL_DBFS = -26;
const RANGE_DB = 20;

/**
 * Detects speech that is too quiet for a detector: sound that rises from the noise again and again, as syllables do,
 * but mostly not to the level at which speech begins. It reads nothing but the levels of the windows.
 */
export class QuietSpeech {
  readonly #settings: DetectorSettings;
  /** Nothing below it is speech to the detector, dBFS. */
  readonly #limitDb: number;
  readonly #windowMs: number;
  /** Lowest smoothed levels of the last blocks, a ring. */
  readonly #minima = new Float64Array(BLOCKS).fill(Infinity);
  /** Index of the current block, and the lowest of all. */
  #block = 0;
  #boundDb = Infinity;
  #windows = 0;
  #smoothDb = LOWEST_DB;
  /** Windows in a row above the noise. */
  #run = 0;
  #bursts = 0;
  /** Windows that may be speech, and sums over them; those of them below the limit. */
  #count = 0;
  #sum = 0;
  #squares = 0;
  #power = 0;
  #quiet = 0;
  /** Windows of speech far above the limit. */
  #loud = 0;
  #done = false;

  /** @param windowMs length of a window */
  constructor(settings: DetectorSettings, windowMs: number) {
    this.#settings = settings;
    this.#limitDb = settings.floor_dbfs + settings.threshold_db;
    this.#windowMs = windowMs;
  }

  /** Returns the state, as numbers that `restore` reads. */
  save(): Float64Array<ArrayBuffer> {
    return Float64Array.of(
      ...this.#minima,
      this.#block,
      this.#boundDb,
      this.#windows,
      this.#smoothDb,
      this.#run,
      this.#bursts,
      this.#count,
      this.#sum,
      this.#squares,
      this.#power,
      this.#quiet,
      this.#loud,
    );
  }

  /** Goes on from the state of another one with the same settings. Returns false, and changes nothing, for others. */
  restore(saved: Float64Array): boolean {
    const [block = 0, boundDb = 0, windows = 0, smoothDb = 0, run = 0, bursts = 0, ...sums] = saved.subarray(BLOCKS);
    const [count = 0, sum = 0, squares = 0, power = 0, quiet = 0, loud = 0] = sums;
    const isIndex = Number.isInteger(block) && block >= 0 && block < BLOCKS;
    if (saved.length !== this.save().length || saved.some(Number.isNaN) || !isIndex) return false;
    this.#minima.set(saved.subarray(0, BLOCKS));
    [this.#block, this.#boundDb, this.#windows, this.#smoothDb] = [block, boundDb, windows, smoothDb];
    [this.#run, this.#bursts, this.#count, this.#sum] = [run, bursts, count, sum];
    [this.#squares, this.#power, this.#quiet, this.#loud] = [squares, power, quiet, loud];
    return true;
  }

  /** Nothing more is looked for. */
  get done(): boolean {
    return this.#done;
  }

  /** Takes the next window. Returns the message of a warning, at most once. */
  push(speech: boolean, levelDb: number): string | undefined {
    if (this.#done) return undefined;
    const level = Math.max(LOWEST_DB, levelDb);
    this.#smoothDb = this.#windows === 0 ? level : this.#smoothDb + SMOOTHING * (level - this.#smoothDb);
    const leastDb = this.#trackBound(this.#smoothDb) + RISE_DB;
    this.#run = this.#smoothDb >= leastDb ? this.#run + 1 : 0;
    if (speech && level >= this.#limitDb + LOUD_DB) {
      this.#loud += 1;
      if (this.#loud * this.#windowMs >= LOUD_MS) this.#done = true;
    }
    const isNewBurst = this.#run === Math.round(BURST_MS / this.#windowMs);
    if (this.#run * this.#windowMs < BURST_MS) return undefined;
    if (isNewBurst) this.#bursts += 1;
    // The smoothed level falls later than the level.
    if (level < leastDb) return undefined;
    this.#add(level);
    if (!speech && this.#smoothDb < this.#limitDb) this.#quiet += 1;
    return this.#report(ENOUGH);
  }

  /** Ends the stream. Returns the message of a warning if there was none. */
  end(): string | undefined {
    return this.#report(ENOUGH_AT_END);
  }

  #report(enough: { readonly ms: number; readonly bursts: number }): string | undefined {
    if (this.#done || this.#quiet * this.#windowMs < enough.ms || this.#bursts < enough.bursts) return undefined;
    const mean = this.#sum / this.#count;
    const variance = this.#squares / this.#count - mean * mean;
    if (variance < SPREAD_DB * SPREAD_DB || this.#quiet < QUIET_PART * this.#count) return undefined;
    this.#done = true;
    return this.#message(Math.round(10 * Math.log10(this.#power / this.#count)));
  }

  #message(levelDb: number): string {
    const { threshold_db, floor_dbfs } = this.#settings;
    const found = `What may be speech has about ${levelDb} dBFS, and speech begins at ${this.#limitDb} dBFS`;
    const gain = `raise the recording level by ${USUAL_DBFS - levelDb} dB`;
    const floor = Math.round(Math.max(VAD_RANGES.floor_dbfs[0], levelDb - RANGE_DB - threshold_db));
    return `${found}: ${gain}${floor < floor_dbfs ? `, or lower vad.floor_dbfs to ${floor}` : ""}.`;
  }

  #add(level: number): void {
    this.#count += 1;
    this.#sum += level;
    this.#squares += level * level;
    this.#power += 10 ** (level / 10);
  }

  /** Adds a smoothed level. Returns the lowest one of the last blocks. */
  #trackBound(smoothDb: number): number {
    const blockWindows = BLOCK_MS / this.#windowMs;
    if (this.#windows % blockWindows < 1) {
      this.#block = Math.floor(this.#windows / blockWindows) % BLOCKS;
      this.#minima[this.#block] = smoothDb;
      this.#boundDb = Math.min(...this.#minima);
    } else if (smoothDb < (this.#minima[this.#block] ?? smoothDb)) {
      this.#minima[this.#block] = smoothDb;
      if (smoothDb < this.#boundDb) this.#boundDb = smoothDb;
    }
    this.#windows += 1;
    return this.#boundDb;
  }
}
