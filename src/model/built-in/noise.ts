/** Estimates for each frequency of a stream's spectrum. Powers are |X|^2 of the frames. */
export interface NoiseState {
  /** Power of the noise. */
  readonly noise: Float32Array;
  /** Smoothed probability of speech, 0 to 1. */
  readonly presence: Float32Array;
  /** Power of the voice in the previous frame. */
  readonly voice: Float32Array;
}

/** The first estimate of the noise is the mean of this number of frames. */
export const FIRST_FRAMES = 5;

// T. Gerkmann and R. C. Hendriks, "Unbiased MMSE-based noise power estimation with low complexity and low tracking
// delay", IEEE Trans. Audio, Speech, and Language Processing 20(4), 2012: section III and table I, for frames of 32 ms
// every 16 ms.
/** A-priori SNR of speech: 15 dB, as a ratio. */
const SPEECH_SNR = 10 ** 1.5;
const PRESENCE_MEMORY = 0.9;
const NOISE_MEMORY = 0.8;
/** Upper limit of the probability once the smoothed one exceeds it, so that a louder noise is learned in the end. */
const PRESENCE_LIMIT = 0.99;

/**
 * Lower limit of the a-priori SNR, -25 dB, against musical noise: O. Cappé, IEEE Trans. Speech and Audio Proc. 2(2),
 * 1994.
 */
const MIN_SNR = 10 ** -2.5;

/** Adds frame `count` (from 0) to the first estimate: the mean so far. */
export function beginNoise({ noise }: NoiseState, power: Float64Array, count: number): void {
  for (let k = 0; k < noise.length; k++) noise[k] = noise[k]! + (power[k]! - noise[k]!) / (count + 1);
}

/** Updates the noise by one frame. Each frequency learns in proportion to the probability that it has no speech. */
export function trackNoise({ noise, presence }: NoiseState, power: Float64Array): void {
  for (let k = 0; k < noise.length; k++) {
    const before = noise[k]!;
    const observed = power[k]!;
    // Equations 18, 22 and 23 of the paper.
    const ratio = before > 0 ? observed / before : 0;
    let speech = 1 / (1 + (1 + SPEECH_SNR) * Math.exp((-ratio * SPEECH_SNR) / (1 + SPEECH_SNR)));
    const smoothed = PRESENCE_MEMORY * presence[k]! + (1 - PRESENCE_MEMORY) * speech;
    if (smoothed > PRESENCE_LIMIT) speech = Math.min(speech, PRESENCE_LIMIT);
    presence[k] = smoothed;
    const expected = (1 - speech) * observed + speech * before;
    noise[k] = NOISE_MEMORY * before + (1 - NOISE_MEMORY) * expected;
  }
}

/**
 * Computes the gain of each frequency, `minGain` to 1: Wiener's gain xi / (1 + xi). The a-priori SNR xi follows the
 * decision-directed rule of Y. Ephraim and D. Malah (IEEE Trans. ASSP 32(6), 1984, equation 51), combined as by
 * P. Scalart and J. Vieira Filho (ICASSP 1996). The rule smooths the gains from frame to frame.
 *
 * @param memory weight of the previous frame, 0.9 to 0.999
 */
export function computeGains(
  { noise, voice }: NoiseState,
  power: Float64Array,
  memory: number,
  minGain: number,
  gains: Float64Array,
): void {
  for (let k = 0; k < noise.length; k++) {
    const floor = noise[k]!;
    if (floor <= 0) {
      // No noise is known at this frequency: it is not changed.
      voice[k] = power[k]!;
      gains[k] = 1;
      continue;
    }
    const excess = Math.max(0, power[k]! / floor - 1);
    const snr = Math.max(MIN_SNR, memory * (voice[k]! / floor) + (1 - memory) * excess);
    const gain = snr / (1 + snr);
    voice[k] = gain * gain * power[k]!;
    gains[k] = Math.max(minGain, gain);
  }
}
