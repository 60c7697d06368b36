import type { Usage } from "./usage.ts";

/** Resources that streams use up. */
export const RESOURCES = ["event_loop", "processor", "workers", "memory", "sessions"] as const;

/** Streams that each resource could carry; undefined: not known. */
export type CarriedStreams = Readonly<Partial<Record<(typeof RESOURCES)[number], number | undefined>>>;

/** Highest utilisation that an estimate plans with: beyond it, queueing delay grows faster than the load. */
const MAX_UTILIZATION = 0.8;
/** Seconds of audio that an estimate needs. */
const MIN_AUDIO_SECONDS = 10;
/** Half-life of past usage. */
const HALF_LIFE_SECONDS = 60;

/**
 * Estimates how many real-time streams the processors could carry, from the recent cost of a second of audio. Usage in
 * periods without audio is the baseline and not part of that cost. Without load, the last estimate stays.
 */
export class CapacityEstimator {
  /** Usage in periods with audio, with older periods weighted down. */
  #busy = { wall: 0, processor: 0, audio: 0 };
  /** Processor seconds a second without audio. */
  #baseline = 0;

  /** Takes the usage of the next period. */
  add({ wall, processor, audio }: Usage): void {
    if (wall <= 0) return;
    if (audio === 0) {
      this.#baseline = processor / wall;
      return;
    }
    const weight = 0.5 ** (wall / HALF_LIFE_SECONDS);
    this.#busy = {
      wall: this.#busy.wall * weight + wall,
      processor: this.#busy.processor * weight + processor,
      audio: this.#busy.audio * weight + audio,
    };
  }

  /**
   * Returns the number of streams: (MAX_UTILIZATION * processors - baseline) / cost of a second of audio. Undefined
   * until there has been enough audio.
   */
  estimate(processors: number): number | undefined {
    const { wall, processor, audio } = this.#busy;
    if (audio < MIN_AUDIO_SECONDS) return undefined;
    const cost = (processor - this.#baseline * wall) / audio;
    return cost > 0 ? Math.max(0, (MAX_UTILIZATION * processors - this.#baseline) / cost) : undefined;
  }
}
