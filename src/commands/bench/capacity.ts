/** Rounds that must all keep the thresholds at the capacity found. */
export const CONFIRMING_ROUNDS = 3;
/** The search ends when the next step is smaller than this share. */
const PRECISION = 0.05;
const FIRST_STREAMS = 50;

/** A number of streams that was tried. */
export interface Trial {
  readonly streams: number;
  readonly holds: boolean;
  /** The load generator was the bottleneck. */
  readonly generatorLimited: boolean;
}

export interface Capacity {
  /** The highest number of streams that held in all confirming rounds; 0 if none did. */
  readonly streams: number;
  /** The lowest number above it that did not hold; undefined if none failed. */
  readonly failedAt: number | undefined;
  /** How often `streams` held, of `CONFIRMING_ROUNDS` rounds. */
  readonly confirmed: number;
  /** Why the search ended: nothing more than `most` was allowed, the generator was too slow, or the bounds met. */
  readonly end: "bounds" | "most" | "generator";
}

/**
 * Searches the highest number of streams that holds: doubles until one fails, halves the interval until its bounds are
 * within 5 %, then repeats the result, and steps down while a repetition fails.
 * @param most the highest number to try
 */
export async function findCapacity(most: number, attempt: (streams: number) => Promise<Trial>): Promise<Capacity> {
  let held = 0;
  let failed: number | undefined;
  let end: Capacity["end"] = "bounds";
  for (let streams = Math.min(FIRST_STREAMS, most); ;) {
    const trial = await attempt(streams);
    if (trial.holds) held = streams;
    else if (trial.generatorLimited) {
      end = "generator";
      failed = streams;
    } else failed = streams;
    if (failed === undefined) {
      if (held === most) {
        end = "most";
        break;
      }
      streams = Math.min(held * 2, most);
    } else {
      if (failed - held <= Math.max(1, Math.floor(failed * PRECISION))) break;
      streams = Math.floor((held + failed) / 2);
    }
  }
  for (let confirmed = held > 0 ? 1 : 0; held > 0;) {
    if (confirmed === CONFIRMING_ROUNDS) return { streams: held, failedAt: failed, confirmed, end };
    if ((await attempt(held)).holds) confirmed += 1;
    else {
      failed = held;
      held = Math.floor(held * (1 - PRECISION));
      confirmed = 0;
    }
  }
  return { streams: 0, failedAt: failed, confirmed: 0, end };
}
