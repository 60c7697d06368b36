import { HIGHEST_DB, LOWEST_DB } from "./level.ts";

// The constants are those of native/vad.c and native/vad.h, which describe them.
const EMPTY_BELOW_DB = 15;
const HYSTERESIS_DB = 5;
const SMOOTHING = 0.5;
const NOISE_SPREAD_DB = 12;
const WARM_UP_WINDOWS = 5;
const SILENT_START_DB = 10;
const FLOOR_WINDOWS = 200;
const BLOCK_WINDOWS = 50;
const BLOCKS = 5;
const GAP_WINDOWS = 10;

/** What a detector needs to know. */
export interface FloorSettings {
  /** Above the floor, where speech begins, dB. */
  readonly threshold_db: number;
  /** The lowest floor, dBFS. */
  readonly floor_dbfs: number;
}

/**
 * The noise floor and the decision of each window, as the server's energy detector makes them, to show the effect of
 * settings before the server has heard of them. What counts is what the server decides.
 */
export class NoiseFloor {
  readonly #threshold: number;
  readonly #exit: number;
  readonly #lowest: number;
  readonly #minima = new Array<number>(BLOCKS).fill(HIGHEST_DB);
  #empty = 0;
  #learned = 0;
  #blockWindows = 0;
  #nextBlock = 0;
  #smooth = LOWEST_DB;
  #floor = LOWEST_DB;
  #blockMinimum = HIGHEST_DB;
  #speaking = false;
  #partial = false;

  constructor({ threshold_db, floor_dbfs }: FloorSettings) {
    this.#threshold = threshold_db;
    this.#exit = threshold_db - (threshold_db < 2 * HYSTERESIS_DB ? 0.5 * threshold_db : HYSTERESIS_DB);
    this.#lowest = floor_dbfs;
  }

  /** The floor above which the threshold lies, dBFS. */
  get floorDb(): number {
    return Math.max(this.#floor, this.#lowest);
  }

  /** Takes the level of the next window, dBFS. Returns whether it is speech. */
  decide(windowLevel: number): boolean {
    let level = windowLevel;
    if (level < this.#lowest - EMPTY_BELOW_DB) return this.#skipEmpty();
    if (this.#learned === 0) this.#begin(level);
    this.#empty = 0;
    const before = this.#smooth;
    // Not a dip of the noise: the window may be empty in part.
    if (this.#partial && level < before) level = before;
    this.#partial = false;
    this.#smooth += SMOOTHING * (level - this.#smooth);
    if (this.#learned < WARM_UP_WINDOWS) this.#blockMinimum = HIGHEST_DB;
    this.#follow(level, this.#trackMinimum(Math.max(this.#smooth, before)));
    this.#speaking = this.#smooth >= this.floorDb + (this.#speaking ? this.#exit : this.#threshold);
    return this.#speaking;
  }

  #skipEmpty(): false {
    if (this.#empty < GAP_WINDOWS && ++this.#empty === GAP_WINDOWS && this.#learned > 0) {
      this.#blockMinimum = Math.min(this.#blockMinimum, this.#floor);
    }
    this.#smooth = this.#floor;
    this.#speaking = false;
    this.#partial = true;
    return false;
  }

  #begin(level: number): void {
    this.#smooth = level;
    if (this.#empty < GAP_WINDOWS) return;
    this.#floor = Math.min(level, this.#lowest + SILENT_START_DB);
    this.#blockMinimum = this.#floor;
    this.#learned = FLOOR_WINDOWS;
  }

  #follow(level: number, minimum: number): void {
    const quiet = !this.#speaking || this.#smooth < this.#floor;
    if (quiet && level <= minimum + NOISE_SPREAD_DB) {
      if (this.#learned < FLOOR_WINDOWS) this.#learned += 1;
      this.#floor += (level - this.#floor) / this.#learned;
    }
    this.#floor = Math.min(Math.max(this.#floor, minimum), minimum + NOISE_SPREAD_DB);
  }

  #trackMinimum(level: number): number {
    this.#blockMinimum = Math.min(this.#blockMinimum, level);
    const minimum = Math.min(this.#blockMinimum, ...this.#minima);
    if (++this.#blockWindows === BLOCK_WINDOWS) {
      this.#minima[this.#nextBlock] = this.#blockMinimum;
      this.#nextBlock = (this.#nextBlock + 1) % BLOCKS;
      this.#blockWindows = 0;
      this.#blockMinimum = HIGHEST_DB;
    }
    return minimum;
  }
}
