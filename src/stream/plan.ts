import { nearestName } from "../lib/nearest-name.ts";
import type { ResultAudio } from "../model/job.ts";
import type { Pattern } from "../pipeline/patterns.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { ServerEvent, Started } from "../protocol/events.ts";
import type { Start, VadSettings } from "../protocol/requests.ts";
import type { ConnectionTrace, StreamTrace } from "../telemetry/tracing/tracing.ts";
import type { ServedModel, Services } from "./services.ts";
import { Stream } from "./stream.ts";

export interface OpeningOptions {
  readonly pattern: Pattern;
  readonly services: Services;
  readonly session: { readonly id: string };
  /** Streams that this connection has had before. */
  readonly index: number;
  readonly trace: ConnectionTrace;
  /** False: an interim was held back. */
  readonly send: (event: ServerEvent, audio?: ResultAudio) => boolean;
  readonly progress: () => void;
  readonly failed: (error: unknown) => void;
  readonly evicted: () => void;
}

/** Makes the stream that a start asks for. Throws ProtocolError when the start cannot be accepted; nothing is held then. */
export function openStream(start: Start, options: OpeningOptions): { stream: Stream; started: Started } {
  const { pattern, session, index } = options;
  const trace = options.trace.startStream({
    traceparent: start.trace_id,
    tracestate: start.tracestate,
    session: session.id,
    stream: index,
    pattern: pattern.name,
    usesVad: pattern.usesVad,
  });
  try {
    return open(start, options, trace);
  } catch (error) {
    if (error instanceof ProtocolError) trace.failed(error.code, error.message);
    else trace.crashed(error);
    trace.ended({});
    throw error;
  }
}

function open(start: Start, options: OpeningOptions, trace: StreamTrace): { stream: Stream; started: Started } {
  const { pattern, services, session } = options;
  const { limits } = services.config;
  const model = chooseModel(start.model, services.models, pattern);
  const { capacity } = services.arena;
  if (start.format.channels > capacity) {
    const message = `format.channels: found ${start.format.channels}; allowed: at most ${capacity}, for which this server has memory`;
    throw new ProtocolError("unsupported_format", message, { param: "format.channels" });
  }
  const { detector: _, ...vadDefaults } = services.config.vad;
  const vad = chooseVad(start, pattern, vadDefaults);
  const settings = {
    vad,
    stateful: model.stateful,
    blockMs: (pattern.keepsState ? services.config.stateful : services.config.simple).block_ms,
    ...(start.interim_results && { interimIntervalMs: start.interim_interval_ms }),
  };
  const stream = new Stream({
    format: start.format,
    pattern,
    settings,
    timing: start.timing,
    model,
    modelOptions: start.options,
    trace,
    metrics: services.metrics,
    clock: services.clock,
    arena: services.arena,
    memory: services.memory,
    budgetSamples: Math.floor((budgetMs(pattern, settings, limits) / 1000) * model.sampleRate),
    maxPending: limits.max_queued_jobs_per_channel,
    session,
    send: options.send,
    progress: options.progress,
    failed: options.failed,
    evicted: options.evicted,
  });
  const started: Started = {
    type: "started",
    session_id: session.id,
    stream: options.index,
    trace_id: trace.traceparent,
    format: start.format,
    model: model.name,
    sample_rate: model.sampleRate,
    ...(pattern.usesVad && { vad, interim_interval_ms: start.interim_interval_ms }),
    limits: {
      max_message_bytes: limits.max_message_bytes,
      max_channels: limits.max_channels,
      idle_timeout_ms: limits.idle_timeout_ms,
      session_ms: limits.session_ms,
    },
  };
  return { stream, started };
}

function chooseModel(
  name: string | undefined,
  models: ReadonlyMap<string, ServedModel>,
  pattern: Pattern,
): ServedModel {
  const [first] = models.values();
  const model = name === undefined ? first : models.get(name);
  if (model === undefined) {
    const names = [...models.keys()];
    const meant = nearestName(name ?? "", names);
    const hint = meant === undefined ? "" : `; did you mean "${meant}"?`;
    throw new ProtocolError("unknown_model", `model: found "${name}"; allowed: ${names.join(", ")}${hint}`, {
      param: "model",
    });
  }
  if (model.stateful && !pattern.keepsState) {
    const fitting = [...models.values()].filter(({ stateful }) => !stateful).map((each) => each.name);
    const message = `model: found "${model.name}", which carries state; allowed: ${fitting.join(", ") || "no model of this server"} here, or /api/v1/stateful`;
    throw new ProtocolError("invalid_request", message, { param: "model" });
  }
  return model;
}

function chooseVad(start: Start, pattern: Pattern, defaults: VadSettings): VadSettings {
  if (start.vad !== undefined && !pattern.usesVad) {
    const message = `vad: /api/v1/${pattern.name} does not listen for speech; allowed: no vad`;
    throw new ProtocolError("invalid_request", message, { param: "vad" });
  }
  const vad = { ...defaults, ...start.vad };
  // A default gives way to what the client has set; two settings of the client's own must agree.
  if (start.vad?.post_roll_ms === undefined) vad.post_roll_ms = Math.min(vad.post_roll_ms, vad.min_silence_ms);
  if (vad.post_roll_ms > vad.min_silence_ms) {
    const message = `vad.post_roll_ms: found ${vad.post_roll_ms}; allowed: 0 to vad.min_silence_ms, which is ${vad.min_silence_ms}`;
    throw new ProtocolError("invalid_request", message, { param: "vad.post_roll_ms" });
  }
  return vad;
}

/** Audio beyond an utterance of full length that has to be decoded before it can be cut: the window being decided, rounded up. */
const CUT_SLACK_MS = 50;

/** What one channel may hold: what the pattern needs to keep until a piece is complete, and some audio read ahead of the model. */
function budgetMs(
  pattern: Pattern,
  settings: { readonly vad: VadSettings; readonly blockMs: number },
  limits: Services["config"]["limits"],
): number {
  const most = limits.channel_budget_seconds * 1000;
  const needed = pattern.holdsMs(settings);
  if (needed + CUT_SLACK_MS > most) {
    const message = `vad.max_utterance_ms: found ${settings.vad.max_utterance_ms}; allowed: with vad.pre_roll_ms less than ${most}, what one channel may hold`;
    throw new ProtocolError("invalid_request", message, { param: "vad.max_utterance_ms" });
  }
  return Math.min(most, needed + limits.read_ahead_seconds * 1000);
}
