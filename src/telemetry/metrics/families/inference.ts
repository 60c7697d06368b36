import type { MetricRegistry } from "../metric-registry.ts";
import { BATCH_SIZES, DURATION_SECONDS } from "./buckets.ts";

const LABELS = ["model", "kind"] as const;

/** Jobs for the model, from their queue to their outcome. */
export function inferenceFamilies(registry: MetricRegistry) {
  return {
    queueSeconds: registry.histogram(
      "streamer_inference_queue_seconds",
      "Time that a job waited for a worker.",
      DURATION_SECONDS,
      LABELS,
    ),
    computeSeconds: registry.histogram(
      "streamer_inference_compute_seconds",
      "Duration of a model call.",
      DURATION_SECONDS,
      LABELS,
    ),
    batchSize: registry.histogram("streamer_inference_batch_size", "Jobs in one model call.", BATCH_SIZES, ["model"]),
    failures: registry.counter("streamer_inference_failures_total", "Jobs without a result, by error code.", [
      "model",
      "code",
    ]),
    waiting: registry.gauge("streamer_inference_waiting", "Jobs that wait for a worker: final or interim.", LABELS),
    running: registry.gauge(
      "streamer_inference_running",
      "Calls that workers make: one each, or more if the model takes several at once.",
      ["model"],
    ),
    interims: registry.counter(
      "streamer_interims_total",
      "Requested interim results: sent; replaced (a newer one took its place in the queue); stretched (skipped " +
        "because the one before was still running); overtaken (the final came first); late (finished when no longer " +
        "needed); withheld (the client reads too slowly); declined (the model returned none); failed; closed (the stream was over).",
      ["model", "fate"],
    ),
  };
}
