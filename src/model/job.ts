/** A request to the model: the samples `start` .. `end` (exclusive) of one channel, as positions in the stream. */
export interface Job {
  readonly kind: "final" | "interim";
  readonly start: number;
  readonly end: number;
  /**
   * Models that keep state only. `start` takes no state and returns one (and, when the span is not empty, goes on to its first step);
   * `step` takes the last state; `finish` takes the last state, has no samples and returns no state.
   */
  readonly step?: "start" | "step" | "finish";
  readonly state?: unknown;
}

/** Audio that a result carries: mono, `sampleRate` in Hz. It is sent as one binary message behind its event. */
export interface ResultAudio {
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

/** The result of a job. `queueMs` is the time from submission to start, `inferMs` the time in the model. */
export type Outcome =
  | {
      readonly status: "ok";
      /** Fields for the event; undefined when the model returned no result. */
      readonly output: Record<string, unknown> | undefined;
      readonly audio?: ResultAudio;
      readonly state?: unknown;
      readonly queueMs: number;
      readonly inferMs: number;
      readonly worker: number;
      readonly batchSize: number;
    }
  | {
      readonly status: "failed";
      readonly code: "inference_failed" | "inference_timeout" | "worker_crashed";
      readonly message: string;
      readonly queueMs: number;
      readonly inferMs: number;
    }
  /** The job was an interim that was replaced or no longer wanted, or its lane was closed. */
  | { readonly status: "dropped" };
