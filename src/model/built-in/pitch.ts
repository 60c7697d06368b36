/*
 * Pitch estimation with YIN: A. de Cheveigné and H. Kawahara, "YIN, a fundamental frequency estimator for speech and
 * music", J. Acoust. Soc. Am. 111(4), 2002. Comments name the steps of the paper.
 */

export const LOWEST_PITCH_HZ = 60;
export const HIGHEST_PITCH_HZ = 500;

/** Largest normalised difference between a period and the next (step 4). The paper has 0.1, too little for noise. */
const THRESHOLD = 0.15;
/** Length of the stretch that is compared with a later one: longer than the longest period. */
const WINDOW_SECONDS = 0.025;

export class Yin {
  /** Samples for one estimate: the window and the longest period. */
  readonly frameSamples: number;
  readonly #sampleRate: number;
  readonly #window: number;
  /** Shortest period, samples. */
  readonly #minLag: number;
  /** Longest period, samples. */
  readonly #maxLag: number;
  /** The difference function by lag. */
  readonly #difference: Float64Array;
  /** The difference function divided by its mean over all shorter lags. */
  readonly #normalized: Float64Array;

  /** @param sampleRate in Hz, from 4,000 */
  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate;
    this.#window = Math.round(sampleRate * WINDOW_SECONDS);
    this.#minLag = Math.floor(sampleRate / HIGHEST_PITCH_HZ);
    this.#maxLag = Math.ceil(sampleRate / LOWEST_PITCH_HZ);
    // One lag more than the longest period, which needs a neighbour on each side.
    this.frameSamples = this.#window + this.#maxLag + 1;
    this.#difference = new Float64Array(this.#maxLag + 2);
    this.#normalized = new Float64Array(this.#maxLag + 2);
  }

  /** Returns the pitch of the `frameSamples` samples from `start`, 60 to 500 Hz; undefined if they have none. */
  pitch(samples: Float32Array, start: number): number | undefined {
    const normalized = this.#normalized;
    this.#computeDifference(samples, start);
    for (let lag = this.#minLag; lag <= this.#maxLag; lag++) {
      if (normalized[lag]! >= THRESHOLD) continue;
      // Step 4: the bottom of the first dip below the threshold.
      while (lag < this.#maxLag && normalized[lag + 1]! < normalized[lag]!) lag += 1;
      const pitch = this.#sampleRate / (lag + this.#vertexOffset(lag));
      return pitch >= LOWEST_PITCH_HZ && pitch <= HIGHEST_PITCH_HZ ? pitch : undefined;
    }
    return undefined;
  }

  #computeDifference(samples: Float32Array, start: number): void {
    const [difference, normalized, window] = [this.#difference, this.#normalized, this.#window];
    normalized[0] = 1;
    let total = 0;
    for (let lag = 1; lag < difference.length; lag++) {
      // Step 2: d(lag) = sum over the window of (x[j] - x[j + lag])^2.
      let sum = 0;
      for (let j = start, end = start + window; j < end; j++) {
        const distance = samples[j]! - samples[j + lag]!;
        sum += distance * distance;
      }
      difference[lag] = sum;
      // Step 3: divided by its mean over all lags so far; 1 if nothing differs, as in silence.
      total += sum;
      normalized[lag] = total > 0 ? (sum * lag) / total : 1;
    }
  }

  /** Step 5: the vertex of the parabola through three lags, relative to the middle one, -0.5 to 0.5 samples. */
  #vertexOffset(lag: number): number {
    const [before, here, after] = [this.#difference[lag - 1]!, this.#difference[lag]!, this.#difference[lag + 1]!];
    const curvature = before - 2 * here + after;
    return curvature > 0 ? Math.max(-0.5, Math.min(0.5, (before - after) / (2 * curvature))) : 0;
  }
}
