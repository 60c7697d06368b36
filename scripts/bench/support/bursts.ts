// Audio for the benchmarks: loud noise that counts as speech, faint noise that does not.

export const RATE = 16_000;
/** Peaks of s16 noise: -20 dBFS and -60. */
export const LOUD = 5_700;
export const QUIET = 57;

/** Pseudo-random numbers in [0, 1), the same for the same seed. */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export function noise(draw: () => number, samples: number, peak: number): Int16Array<ArrayBuffer> {
  return Int16Array.from({ length: samples }, () => Math.round((2 * draw() - 1) * peak));
}
