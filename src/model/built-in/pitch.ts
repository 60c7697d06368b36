/**
 * Pitch by YIN: A. de Cheveigné and H. Kawahara, "YIN, a fundamental frequency estimator for speech and music", J. Acoust. Soc. Am.
 * 111(4), 2002. The numbers in comments are the steps of the paper.
 */

export const LOWEST_PITCH_HZ = 60;
export const HIGHEST_PITCH_HZ = 500;

/** How unlike its neighbour a period may be (step 4); the paper uses 0.1, recorded speech with some noise wants a little more. */
const THRESHOLD = 0.15;
/** What is compared with itself later: 25 ms, more than the longest period. */
const WINDOW_SECONDS = 0.025;

export class Yin {
  /** Samples that one estimate takes: the window and the longest period. */
  readonly frameSamples: number;
  readonly #sampleRate: number;
  readonly #window: number;
  /** Shortest and longest period, in samples. */
  readonly #least: number;
  readonly #most: number;
  /** The difference function by lag, and the same divided by its mean so far. */
  readonly #difference: Float64Array;
  readonly #normal: Float64Array;

  /** @param sampleRate in Hz, 4,000 or more */
  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate;
    this.#window = Math.round(sampleRate * WINDOW_SECONDS);
    this.#least = Math.floor(sampleRate / HIGHEST_PITCH_HZ);
    this.#most = Math.ceil(sampleRate / LOWEST_PITCH_HZ);
    // One lag more, so that the longest period has a neighbour on each side.
    this.frameSamples = this.#window + this.#most + 1;
    this.#difference = new Float64Array(this.#most + 2);
    this.#normal = new Float64Array(this.#most + 2);
  }

  /** The pitch of the `frameSamples` samples from `start`, 60 to 500 Hz; undefined when they have none. */
  pitch(samples: Float32Array, start: number): number | undefined {
    const normal = this.#normal;
    this.#compare(samples, start);
    for (let lag = this.#least; lag <= this.#most; lag++) {
      if (normal[lag]! >= THRESHOLD) continue;
      // 4: the first dip that is deep enough, at its bottom.
      while (lag < this.#most && normal[lag + 1]! < normal[lag]!) lag += 1;
      const pitch = this.#sampleRate / (lag + this.#vertex(lag));
      return pitch >= LOWEST_PITCH_HZ && pitch <= HIGHEST_PITCH_HZ ? pitch : undefined;
    }
    return undefined;
  }

  #compare(samples: Float32Array, start: number): void {
    const [difference, normal, window] = [this.#difference, this.#normal, this.#window];
    normal[0] = 1;
    let total = 0;
    for (let lag = 1; lag < difference.length; lag++) {
      // 2: d(lag) = sum over the window of (x[j] - x[j + lag])^2.
      let sum = 0;
      for (let j = start, end = start + window; j < end; j++) {
        const apart = samples[j]! - samples[j + lag]!;
        sum += apart * apart;
      }
      difference[lag] = sum;
      // 3: divided by its mean over all lags so far; 1 where nothing differs at all, as in silence.
      total += sum;
      normal[lag] = total > 0 ? (sum * lag) / total : 1;
    }
  }

  /** 5: how far the lowest point of the parabola through three lags is from the middle one, -0.5 to 0.5 samples. */
  #vertex(lag: number): number {
    const [before, here, after] = [this.#difference[lag - 1]!, this.#difference[lag]!, this.#difference[lag + 1]!];
    const curve = before - 2 * here + after;
    return curve > 0 ? Math.max(-0.5, Math.min(0.5, (before - after) / (2 * curve))) : 0;
  }
}
