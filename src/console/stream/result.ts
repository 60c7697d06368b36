/** Where the time of a result went, milliseconds. */
export interface ResultTiming {
  /** From the last sample of speech, as it was sent, to the result; undefined: the audio was not sent as it is spoken. */
  readonly latencyMs: number | undefined;
  /** In the queue, and in the model; undefined: the server has not said. */
  readonly queueMs: number | undefined;
  readonly computeMs: number | undefined;
}

/** What the model said about a span, or why it did not. Times are seconds since the first sample of the recording. */
export interface Result {
  readonly id: number;
  readonly channel: number;
  readonly start: number;
  readonly end: number;
  /** False: another result of this utterance follows, which replaces it. */
  readonly isFinal: boolean;
  /** What a recogniser said. */
  readonly text: string | undefined;
  /** The other fields of the output. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly audio: { readonly samples: Float32Array<ArrayBuffer>; readonly sampleRate: number } | undefined;
  readonly timing: ResultTiming;
  /** The span has no result. */
  readonly error: string | undefined;
}
