import type { Usage } from "./usage.ts";

/** Resources that streams use up. */
export const RESOURCES = ["event_loop", "processor", "workers"] as const;
export type Resource = (typeof RESOURCES)[number];

export interface AvailableResources {
  readonly processors: number;
  readonly workers: number;
}

/** Highest utilisation that an estimate plans with: beyond it, queueing delay grows faster than the load. */
const MAX_UTILIZATION = 0.8;
/** Seconds of audio that an estimate needs. */
const MIN_AUDIO_SECONDS = 10;
/** Half-life of past usage. */
const HALF_LIFE_SECONDS = 60;

/**
 * Estimates how many real-time streams a machine could carry, from the recent cost of a second of audio. Usage in
 * periods without audio is the baseline and not part of that cost. Without load, the last estimate stays.
 */
export class CapacityEstimator {
  /** Usage in periods with audio, with older periods weighted down. */
  #busy: Usage = { wall: 0, mainThread: 0, processor: 0, workers: 0, audio: 0 };
  /** Processor seconds a second without audio. */
  #baseline = { mainThread: 0, processor: 0 };

  /** Takes the usage of the next period. */
  add(usage: Usage): void {
    const { wall, mainThread, processor, audio } = usage;
    if (wall <= 0) return;
    if (audio === 0) {
      this.#baseline = { mainThread: mainThread / wall, processor: processor / wall };
      return;
    }
    const weight = 0.5 ** (wall / HALF_LIFE_SECONDS);
    const sum = (key: keyof Usage): number => this.#busy[key] * weight + usage[key];
    this.#busy = {
      wall: sum("wall"),
      mainThread: sum("mainThread"),
      processor: sum("processor"),
      workers: sum("workers"),
      audio: sum("audio"),
    };
  }

  /**
   * Returns the number of streams that each resource could carry: (MAX_UTILIZATION * available - baseline) / cost of a
   * second of audio. Unused resources are left out. Returns undefined until there has been enough audio.
   */
  estimate({ processors, workers: threads }: AvailableResources): ReadonlyMap<Resource, number> | undefined {
    const { wall, mainThread, processor, workers, audio } = this.#busy;
    if (audio < MIN_AUDIO_SECONDS) return undefined;
    const estimates = new Map<Resource, number>();
    const put = (resource: Resource, available: number, used: number, baseline: number): void => {
      const cost = (used - baseline * wall) / audio;
      if (cost > 0) estimates.set(resource, Math.max(0, (MAX_UTILIZATION * available - baseline) / cost));
    };
    put("event_loop", 1, mainThread, this.#baseline.mainThread);
    put("processor", processors, processor, this.#baseline.processor);
    put("workers", threads, workers, 0);
    return estimates;
  }
}
