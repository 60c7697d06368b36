import type { EVENTS } from "./events.ts";
import { FEATURES } from "./features.ts";
import type { REQUESTS } from "./requests.ts";
import { VAD_DEFAULTS } from "./vad-settings.ts";
import { WARNINGS } from "./warnings.ts";

type Json = Readonly<Record<string, unknown>>;

/** Example messages by the value of `request` or `type`. The reference in docs/protocol.md has more. */
export const EXAMPLES: Readonly<Record<keyof typeof REQUESTS | keyof typeof EVENTS, readonly Json[]>> = {
  start: [
    {
      request: "start",
      format: { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false },
      interim_results: true,
      trace_id: null,
    },
  ],
  stop: [{ request: "stop", disconnect: true }],
  flush: [{ request: "flush" }],
  keep_alive: [{ request: "keep_alive" }],
  started: [
    {
      type: "started",
      session_id: "q3KuVZJ0RkqjC2mXo1yLxw",
      stream: 0,
      trace_id: "00-4bf92f3577b34da6a3ce929d0e0e4736-53995c3f42cd8ad8-01",
      format: { channels: 1, sample_rate: 48_000, bit_depth: 16, is_float: false, encoding: "pcm" },
      model: "simulated",
      sample_rate: 16_000,
      vad: { ...VAD_DEFAULTS },
      interim_interval_ms: 500,
      limits: { max_message_bytes: 1_048_576, max_channels: 16, idle_timeout_ms: 60_000, session_ms: 14_400_000 },
      features: Object.keys(FEATURES),
    },
  ],
  active: [{ type: "active", time: 0.32, channel: 0 }],
  inactive: [{ type: "inactive", time: 1.92, channel: 0 }],
  segment: [{ type: "segment", start_time: 0.12, end_time: 2.02, is_final: true, channel: 0, count: 30_400 }],
  data: [{ type: "data", channel: 0, noise_dbfs: -61.2 }],
  flushed: [{ type: "flushed", time: 2.5, channel: 0 }],
  checkpoint: [{ type: "checkpoint", token: "AQdtYXktMjZ2Q0pPMk9lVWRkRnk", position: 32_000 }],
  stopped: [
    {
      type: "stopped",
      reason: "stop",
      channels: [
        {
          channel: 0,
          received: 48_000,
          received_rate: 16_000,
          decoded: 48_000,
          inferred: 30_400,
          silent: 17_600,
          failed: 0,
          segments: 1,
          interims: 0,
          errors: 0,
        },
      ],
      trailing_bytes: 0,
      skipped_bytes: 0,
    },
  ],
  error: [
    {
      type: "error",
      code: "invalid_request",
      message: 'unknown field "interim_result"; did you mean "interim_results"?',
      fatal: false,
      retryable: false,
      param: "interim_result",
    },
  ],
  warning: [{ type: "warning", code: "clipping", message: WARNINGS.clipping, channel: 0 }],
};
