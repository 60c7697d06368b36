/** A request to the model: the samples from `start` to `end` (exclusive) of one channel, as positions in the stream. */
export interface Job {
  readonly kind: "final" | "interim";
  readonly start: number;
  readonly end: number;
  /** Number of the utterance, from 0; undefined: the pattern has none. */
  readonly utterance?: number;
  /**
   * For models that keep state. `start` takes no state and returns one; when the span is not empty, its samples are the
   * first step. `step` takes the last state and returns the next one. `finish` takes the last state, has no samples and
   * returns no state; so does `dispose`, which takes its place when the stream ends otherwise.
   *
   * For pinned models, whose streams stay in their worker. `start` opens a stream, after closing that of the lane if it
   * has one; its samples, if any, are the first step. `step` has the next samples; it opens a stream if the one of the
   * lane is lost. `finish` has no samples; it ends an utterance, and the next `start` or `step` begins another one.
   * Such jobs are finals without a state, of which a lane has one at a time.
   */
  readonly step?: "start" | "step" | "finish" | "dispose";
  readonly state?: unknown;
  /** A step of an utterance that goes on or is yet to be finished: its output is an interim result. */
  readonly givesInterim?: true;
}

/** The result of a job is an interim one. */
export function isInterim({ kind, givesInterim }: Job): boolean {
  return kind === "interim" || givesInterim === true;
}

/** Audio of a result: mono, `sampleRate` in Hz. It is sent as one binary message after its event. */
export interface ResultAudio {
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

/** What a model returned for a job: an output, or none; or the error that it threw. */
export interface JobResult {
  /** Fields for the event; undefined when the model returned no result. */
  readonly output?: Record<string, unknown>;
  readonly audio?: ResultAudio;
  readonly state?: unknown;
  /**
   * A pinned model: the call has opened the stream, or `finish` has found none. After `step` or `finish`, the one before
   * is lost.
   */
  readonly opened?: true;
  /** A pinned model: the utterance ends with the samples of the job. */
  readonly endpoint?: true;
  /** What in the state loses its methods when it is cloned. Reported with one of the first results of a worker. */
  readonly uncloned?: string;
  /** Message of the error. A result with an error has nothing else but the fields below. */
  readonly error?: string;
  readonly stack?: string;
  /** Code of the error, if the model has chosen one. */
  readonly code?: JobFailure;
  /** The error is that of a whole batch: its words may have come from any of the jobs. */
  readonly wholeBatch?: boolean;
}

/** Reasons for a job without a result: the model threw, took too long, its worker ended, or none could be started. */
export const JOB_FAILURES = ["inference_failed", "inference_timeout", "worker_crashed", "model_unavailable"] as const;
export type JobFailure = (typeof JOB_FAILURES)[number];

/** Returns a code that a model has given to an error, if it may be that of a job: no worker has crashed. */
export function failureCode(code: unknown): JobFailure | undefined {
  return code === "worker_crashed" ? undefined : JOB_FAILURES.find((each) => each === code);
}

/** Milliseconds of a job: from submission to start, and in the model. */
export interface JobTimes {
  readonly queueMs: number;
  readonly inferMs: number;
}

/** The end of a job. */
export type Outcome =
  | ({
      readonly status: "ok";
      readonly output: Record<string, unknown> | undefined;
      readonly audio?: ResultAudio;
      readonly state?: unknown;
      /** See `JobResult`. */
      readonly opened?: true;
      readonly endpoint?: true;
      readonly worker: number;
      /** Jobs in the call. */
      readonly batchSize: number;
    } & JobTimes)
  | ({
      readonly status: "failed";
      readonly code: JobFailure;
      readonly message: string;
      /** The model has thrown it: the worker goes on. */
      readonly thrown?: true;
    } & JobTimes)
  /** An interim was replaced or no longer wanted, or the lane of the job was closed. */
  | { readonly status: "dropped" };
