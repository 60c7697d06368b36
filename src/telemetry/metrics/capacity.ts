/** What was used in some stretch of time. */
export interface Usage {
  /** Seconds that went by. */
  readonly wall: number;
  /** Processor seconds of the main thread. */
  readonly mainThread: number;
  /** Processor seconds of all threads. */
  readonly processor: number;
  /** Seconds that workers were busy. */
  readonly workers: number;
  /** Seconds of audio of streams. */
  readonly audio: number;
}

/** What there is. */
export interface Resources {
  readonly processors: number;
  readonly workers: number;
}

export type Resource = "event_loop" | "processor" | "workers";

/** A machine that is used up to here answers in time; beyond, waiting grows faster than load. */
const USABLE = 0.8;
/** Seconds of audio after which an estimate is worth something. */
const EVIDENCE_SECONDS = 10;
/** Time after which what was measured counts half. */
const HALF_LIFE_SECONDS = 60;

/**
 * How many real-time streams a machine would carry, from what a second of their audio has cost lately. What is used while no audio comes is
 * not put down to streams. Without load the last estimate stays.
 */
export class Capacity {
  #busy = { wall: 0, mainThread: 0, processor: 0, workers: 0, audio: 0 };
  /** Used in a second without audio. */
  #idle = { mainThread: 0, processor: 0 };

  add(usage: Usage): void {
    if (usage.wall <= 0) return;
    if (usage.audio === 0) {
      this.#idle = { mainThread: usage.mainThread / usage.wall, processor: usage.processor / usage.wall };
      return;
    }
    const kept = 0.5 ** (usage.wall / HALF_LIFE_SECONDS);
    const sum = (key: keyof Usage): number => this.#busy[key] * kept + usage[key];
    this.#busy = {
      wall: sum("wall"),
      mainThread: sum("mainThread"),
      processor: sum("processor"),
      workers: sum("workers"),
      audio: sum("audio"),
    };
  }

  /** Streams by resource; undefined: not enough has been seen. A resource that nothing was used of is left out. */
  estimate(resources: Resources): ReadonlyMap<Resource, number> | undefined {
    const { wall, mainThread, processor, workers, audio } = this.#busy;
    if (audio < EVIDENCE_SECONDS) return undefined;
    const estimates = new Map<Resource, number>();
    const put = (resource: Resource, available: number, used: number, idle: number): void => {
      const cost = (used - idle * wall) / audio;
      if (cost > 0) estimates.set(resource, Math.max(0, (USABLE * available - idle) / cost));
    };
    put("event_loop", 1, mainThread, this.#idle.mainThread);
    put("processor", resources.processors, processor, this.#idle.processor);
    put("workers", resources.workers, workers, 0);
    return estimates;
  }
}
