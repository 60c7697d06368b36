/** What is known of a stream's noise and of the voice in it, for each frequency of its spectrum. Powers are |X|^2 of the frames. */
export interface NoiseState {
  /** Power of the noise. */
  readonly noise: Float32Array;
  /** How likely it has been lately that somebody speaks, 0 to 1. */
  readonly presence: Float32Array;
  /** Power of the voice in the frame before, as it was estimated. */
  readonly voice: Float32Array;
}

/** Frames that the first estimate is the mean of. */
export const FIRST_FRAMES = 5;

// T. Gerkmann and R. C. Hendriks, "Unbiased MMSE-based noise power estimation with low complexity and low tracking delay", IEEE
// Trans. Audio, Speech, and Language Processing 20(4), 2012: section III and table I, for frames of 32 ms every 16 ms.
/** A-priori SNR that speech is taken to have, 15 dB, as a ratio. */
const SPEECH_SNR = 10 ** 1.5;
const PRESENCE_MEMORY = 0.9;
const NOISE_MEMORY = 0.8;
/** Presence is not believed for ever: beyond this it is taken as this, so that a louder noise is learned in the end. */
const PRESENCE_LIMIT = 0.99;

/** Lowest a-priori SNR, -25 dB, against musical noise: O. Cappé, IEEE Trans. Speech and Audio Processing 2(2), 1994. */
const LEAST_SNR = 10 ** -2.5;

/** Frame `count` (from 0) of the first estimate: the mean so far. */
export function beginNoise({ noise }: NoiseState, power: Float64Array, count: number): void {
  for (let k = 0; k < noise.length; k++) noise[k] = noise[k]! + (power[k]! - noise[k]!) / (count + 1);
}

/** Follows the noise by one frame: each frequency learns from it as far as nobody speaks there. */
export function trackNoise({ noise, presence }: NoiseState, power: Float64Array): void {
  for (let k = 0; k < noise.length; k++) {
    const before = noise[k]!;
    const observed = power[k]!;
    // Equations 18, 22 and 23 of the paper.
    const ratio = before > 0 ? observed / before : 0;
    let speech = 1 / (1 + (1 + SPEECH_SNR) * Math.exp((-ratio * SPEECH_SNR) / (1 + SPEECH_SNR)));
    const lately = PRESENCE_MEMORY * presence[k]! + (1 - PRESENCE_MEMORY) * speech;
    if (lately > PRESENCE_LIMIT) speech = Math.min(speech, PRESENCE_LIMIT);
    presence[k] = lately;
    const expected = (1 - speech) * observed + speech * before;
    noise[k] = NOISE_MEMORY * before + (1 - NOISE_MEMORY) * expected;
  }
}

/**
 * The factor for each frequency, `least` to 1: Wiener's gain xi / (1 + xi), with the a-priori SNR xi by the decision-directed rule of
 * Y. Ephraim and D. Malah (IEEE Trans. ASSP 32(6), 1984, equation 51), as P. Scalart and J. Vieira Filho put the two together
 * (ICASSP 1996). The rule is what smooths gains from frame to frame.
 *
 * @param memory weight of the frame before, 0.9 to 0.999
 */
export function gains(
  { noise, voice }: NoiseState,
  power: Float64Array,
  memory: number,
  least: number,
  out: Float64Array,
): void {
  for (let k = 0; k < noise.length; k++) {
    const floor = noise[k]!;
    if (floor <= 0) {
      // No noise is known here: the sound stays as it is.
      voice[k] = power[k]!;
      out[k] = 1;
      continue;
    }
    const excess = Math.max(0, power[k]! / floor - 1);
    const snr = Math.max(LEAST_SNR, memory * (voice[k]! / floor) + (1 - memory) * excess);
    const gain = snr / (1 + snr);
    voice[k] = gain * gain * power[k]!;
    out[k] = Math.max(least, gain);
  }
}
