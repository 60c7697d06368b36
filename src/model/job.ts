import type { AudioSpan } from "../audio/store.ts";

/** One call to the model. */
export interface Work {
  readonly kind: "final" | "interim";
  readonly audio: AudioSpan;
  /** Stateful models only: `start` takes no state and gives one (and, when the audio is not empty, goes on to its first step),
   *  `step` takes the last state, `finish` takes the last state and gives none. */
  readonly step?: "start" | "step" | "finish";
  readonly state?: unknown;
  readonly traceparent?: string;
}

/** What became of the work. `queueMs`: submitted to started; `inferMs`: in the model. */
export type Outcome =
  | {
      readonly status: "ok";
      /** Fields for the event; undefined when a stateful step had nothing to say. */
      readonly output: Record<string, unknown> | undefined;
      readonly audio?: { readonly samples: Float32Array; readonly sampleRate: number };
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
  /** An interim that was replaced or not wanted, or the lane was closed. */
  | { readonly status: "dropped" };

/** The way of one channel of one stream into the model. */
export interface Lane {
  /** Queues the work; `settle` is called exactly once, later, never from inside `submit` or `close`.
   *
   *  The slabs are held (`Arena.retain`) until no worker can read them. Finals of a lane settle in any order. A waiting interim
   *  is dropped for a newer one or for a final; an interim submitted while one of the lane runs is dropped at once. */
  submit(work: Work, settle: (outcome: Outcome) => void): void;
  /** Everything not yet settled settles as `dropped`; a running call finishes unheard. */
  close(): void;
}
