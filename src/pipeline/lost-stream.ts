import type { Outcome } from "../model/job.ts";

type Failure = Extract<Outcome, { status: "failed" }>;

/** The outcome of audio that was given to a pinned stream which has ended with its worker, between two calls. */
export const STREAM_LOST: Failure = {
  status: "failed",
  code: "worker_crashed",
  message: "the worker of the stream ended, and with it what the model had heard",
  queueMs: 0,
  inferMs: 0,
};

/**
 * Returns whether the failure of a call means that the pinned stream has ended with its worker. What a model throws is
 * no such failure, whatever code it has chosen.
 * @param hasStream the stream was open before the call
 */
export function losesState({ code, thrown }: Failure, hasStream: boolean): boolean {
  if (thrown === true) return false;
  return hasStream || code === "worker_crashed" || code === "inference_timeout";
}
