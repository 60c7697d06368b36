/** Where audio comes from. */
export interface Source {
  /** What a person calls it. */
  readonly name: string;
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
  /** True: it comes at the pace of speech, so that latency means something. */
  readonly isPaced: boolean;
  /** Seconds; undefined: until it is stopped. */
  readonly seconds: number | undefined;
  /**
   * Gives all audio to `take`, samples of one channel each, and waits for it. Resolves at the end, or when `signal` is
   * aborted. Rejects when the source fails.
   */
  run(take: (planes: Float32Array[]) => Promise<void>, signal: AbortSignal): Promise<void>;
  /** Gives the device back. */
  close(): Promise<void>;
}
