/**
 * Voice activity detection: one channel's samples in, a decision for every window out. Synchronous and chunk invariant: the
 * remainder of a window is kept until the next call.
 */
export interface Vad extends Disposable {
  /** Samples of one window. Window i covers samples i * windowSamples .. (i + 1) * windowSamples. */
  readonly windowSamples: number;

  /**
   * Reads `samples[index .. index + length)` and calls `decide` for each window completed, in order, with whether it holds speech
   * and with its level in dBFS.
   */
  push(samples: Float32Array, index: number, length: number, decide: (speech: boolean, levelDb: number) => void): void;
}
