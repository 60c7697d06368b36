/** Takes the audio of a stream's results, and writes it as WAV of 32-bit floats. */
export interface AudioOutput extends AsyncDisposable {
  /** Its path or "standard output", for messages. */
  readonly path: string;
  /** Sample rate in Hz; undefined before the first audio. */
  readonly sampleRate: number | undefined;
  /** Frames so far: samples of the longest channel. */
  readonly frames: number;
  /**
   * Appends samples to a channel. Resolves when more can be taken. Rejects if they cannot be written, with the code
   * EPIPE if the reader of a pipe has gone, or if their sample rate differs from that of the audio before.
   */
  write(channel: number, samples: Float32Array, sampleRate: number): Promise<void>;
  /** Completes the output when the stream has ended. */
  finish(): Promise<void>;
}
