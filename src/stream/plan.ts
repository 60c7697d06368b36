import type { Demand } from "../capacity/demand.ts";
import type { Config } from "../config/config.ts";
import { maxHoldMs, patternSection } from "../config/stream-check.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { type Pattern, type Prepared, serves } from "../pipeline/pattern.ts";
import { PATTERNS } from "../pipeline/patterns.ts";
import type { CallerLimits } from "../protocol/caller.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Started } from "../protocol/events.ts";
import { featureNames } from "../protocol/features.ts";
import { checkOptions } from "../protocol/field-checks.ts";
import type { AudioFormat } from "../protocol/format.ts";
import type { Start } from "../protocol/requests.ts";
import type { ServedModel, Services } from "./services.ts";

/** All decisions about a stream, made before anything is opened for it. */
export interface StreamPlan {
  readonly format: AudioFormat;
  readonly pattern: Pattern;
  readonly prepared: Prepared;
  readonly model: ServedModel;
  /** `options` of the start, for the model. */
  readonly modelOptions: unknown;
  /** Adds `timing` to each segment. */
  readonly timing: boolean;
  /** Milliseconds without audio after which the open utterance or block ends; 0: it does not. */
  readonly flushAfterMs: number;
  /** Samples at the model's rate that one channel may hold. */
  readonly budgetSamples: number;
  /** Results and markers that one channel may have pending. */
  readonly maxPending: number;
  /** The fields of `started` that the plan decides. */
  readonly started: Omit<Started, "type" | "session_id" | "stream" | "trace_id">;
}

/** What a stream with this plan will ask for. */
export function demandOf({ pattern, model, format }: StreamPlan): Demand {
  return { pattern: pattern.name, model: model.name, channels: format.channels };
}

/**
 * Decides how to serve a start. Throws ProtocolError when it cannot be accepted. Nothing is held afterwards, either
 * way.
 */
export function planStream(start: Start, pattern: Pattern, caller: CallerLimits, services: Services): StreamPlan {
  const { config, arena, models, resumption } = services;
  const { limits } = config;
  const model = chooseModel(start.model, permittedModels(models, caller), pattern);
  if (model.options !== undefined) checkOptions(start.options, model.options);
  const { format } = start;
  const maxChannels = Math.min(limits.max_channels, caller.maxChannels ?? Infinity);
  if (format.channels > maxChannels) {
    const message = `format.channels: found ${format.channels}; allowed: at most ${maxChannels}, which is your limit`;
    throw new ProtocolError("unsupported_format", message, { param: "format.channels" });
  }
  if (format.channels > arena.capacity) {
    const message =
      `format.channels: found ${format.channels}; allowed: at most ${arena.capacity}, ` +
      "for which this server has memory";
    throw new ProtocolError("unsupported_format", message, { param: "format.channels" });
  }
  if (model.maxStreams !== undefined && format.channels > model.maxStreams) {
    const message =
      `format.channels: found ${format.channels}; allowed: at most ${model.maxStreams}, ` +
      `for which the workers of model "${model.name}" have room`;
    throw new ProtocolError("unsupported_format", message, { param: "format.channels" });
  }
  const { sampleRate, keepsState, pinned } = model;
  const context = { sampleRate, keepsState, pinned, maxHoldMs: maxHoldMs(limits) };
  const prepared = pattern.prepare(start, patternSection(config, pattern), context);
  const { max_message_bytes, idle_timeout_ms, session_ms } = limits;
  return {
    format,
    pattern,
    prepared,
    model,
    modelOptions: start.options,
    timing: start.timing,
    flushAfterMs: start.flush_after_ms,
    budgetSamples: Math.floor((channelBudgetMs(prepared, limits) / 1000) * sampleRate),
    maxPending: limits.max_queued_jobs_per_channel,
    started: {
      format,
      model: model.name,
      sample_rate: sampleRate,
      ...prepared.started,
      limits: { max_message_bytes, max_channels: maxChannels, idle_timeout_ms, session_ms },
      features: featureNames(resumption !== undefined),
    },
  };
}

/** Returns why a start would not be accepted; undefined: it would, if there is capacity. */
export function planRefusal(...planned: Parameters<typeof planStream>): ProtocolError | undefined {
  try {
    planStream(...planned);
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
}

/**
 * Milliseconds of audio that one channel may hold: what its pattern needs to keep, and the audio read ahead of the
 * model.
 */
function channelBudgetMs({ holdsMs }: Prepared, limits: Config["limits"]): number {
  return Math.min(limits.channel_budget_seconds * 1000, holdsMs + limits.read_ahead_seconds * 1000);
}

/** The models that a caller may use. Others do not exist for it, so that its default is the first of these. */
export function permittedModels(
  models: ReadonlyMap<string, ServedModel>,
  { models: permitted }: CallerLimits,
): ReadonlyMap<string, ServedModel> {
  if (permitted === undefined) return models;
  const isPermitted = ({ name, alias }: ServedModel) =>
    permitted.includes(name) || (alias !== undefined && permitted.includes(alias));
  return new Map([...models].filter(([, model]) => isPermitted(model)));
}

function findAlias(models: ReadonlyMap<string, ServedModel>, name: string): ServedModel | undefined {
  return [...models.values()].find(({ alias }) => alias === name);
}

function chooseModel(
  name: string | undefined,
  models: ReadonlyMap<string, ServedModel>,
  pattern: Pattern,
): ServedModel {
  const [first] = models.values();
  const model = name === undefined ? first : (models.get(name) ?? findAlias(models, name));
  if (model === undefined) {
    const names = [...models.keys()];
    const meant = nearestName(name ?? "", names);
    const hint = meant === undefined ? "" : `; did you mean "${meant}"?`;
    const found = name === undefined ? "nothing" : `"${name}"`;
    const message = `model: found ${found}; allowed: ${names.join(", ") || "no model of this server"}${hint}`;
    throw new ProtocolError("unknown_model", message, { param: "model" });
  }
  if (model.unavailable !== undefined) {
    throw new ProtocolError("model_unavailable", `model "${model.name}": ${model.unavailable}`, { param: "model" });
  }
  if (!serves(pattern, model)) {
    const fitting = [...models.values()].filter((each) => serves(pattern, each)).map((each) => each.name);
    const others = fitting.length === 0 ? "" : `${fitting.join(", ")} on /${pattern.name}; `;
    const paths = Object.values(PATTERNS).filter((each) => serves(each, model));
    const message =
      `model: found "${model.name}", which ${model.pinned === undefined ? "keeps state" : "is pinned"}, ` +
      `on /${pattern.name}; allowed: ${others}this model on ${paths.map(({ name }) => `/${name}`).join(" or ")}`;
    throw new ProtocolError("invalid_request", message, { param: "model" });
  }
  return model;
}
