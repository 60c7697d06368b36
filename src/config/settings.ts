import { availableParallelism } from "node:os";

import { MAX_CHANNELS } from "../lib/sample-format.ts";
import { VAD_DEFAULTS, VAD_RANGES } from "../protocol/requests.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../telemetry/log/log.ts";

/** One setting: what it means, in which unit, what it may be, and what it is when nobody says. */
export type Setting = NumberSetting | TextSetting;

export interface NumberSetting {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** Fractions are allowed. */
  readonly fraction: boolean;
  readonly unit: string;
  readonly meaning: string;
}

export interface TextSetting<Text extends string = string> {
  readonly default: Text;
  /** When given, nothing else is allowed. */
  readonly choices?: readonly Text[];
  readonly unit: "";
  readonly meaning: string;
}

function whole(preset: number, min: number, max: number, unit: string, meaning: string): NumberSetting {
  return { default: preset, min, max, fraction: false, unit, meaning };
}

function real(preset: number, min: number, max: number, unit: string, meaning: string): NumberSetting {
  return { default: preset, min, max, fraction: true, unit, meaning };
}

function text(preset: string, meaning: string): TextSetting {
  return { default: preset, unit: "", meaning };
}

function choice<Text extends string>(preset: Text, choices: readonly Text[], meaning: string): TextSetting<Text> {
  return { default: preset, choices, unit: "", meaning };
}

function vad(key: keyof typeof VAD_RANGES, unit: string, meaning: string): NumberSetting {
  const [min, max] = VAD_RANGES[key];
  return { default: VAD_DEFAULTS[key], min, max, fraction: key === "threshold_db", unit, meaning };
}

const HOUR_MS = 3_600_000;

/** Every setting of the server, by section. `min` and `max` are inclusive. */
export const SETTINGS = {
  server: {
    host: text("127.0.0.1", "address to listen on"),
    port: whole(8_080, 0, 65_535, "", "port to listen on; 0 takes a free one"),
  },
  log: {
    level: choice("info", LOG_LEVELS, "least serious record that is written"),
    format: choice("auto", LOG_FORMATS, "how a record is written; auto: pretty on a terminal, else json"),
  },
  vad: {
    threshold_db: vad("threshold_db", "dB", "how far speech stands above the noise floor"),
    min_speech_ms: vad("min_speech_ms", "ms", "shorter speech counts as silence"),
    min_silence_ms: vad("min_silence_ms", "ms", "silence that ends an utterance"),
    pre_roll_ms: vad("pre_roll_ms", "ms", "audio kept before speech"),
    post_roll_ms: vad("post_roll_ms", "ms", "audio kept after speech; at most vad.min_silence_ms"),
    max_utterance_ms: vad("max_utterance_ms", "ms", "a longer utterance is cut"),
  },
  simple: {
    block_ms: whole(500, 20, 10_000, "ms", "length of a block of /api/v1/simple"),
  },
  stateful: {
    block_ms: whole(100, 20, 10_000, "ms", "length of a block of /api/v1/stateful"),
  },
  limits: {
    max_message_bytes: whole(1_048_576, 1_024, 67_108_864, "bytes", "largest binary message"),
    max_text_bytes: whole(65_536, 8_192, 1_048_576, "bytes", "largest text message"),
    max_channels: whole(16, 1, MAX_CHANNELS, "channels", "channels of one stream"),
    max_sessions: whole(10_000, 1, 1_000_000, "sessions", "connections at a time"),
    max_sessions_per_address: whole(0, 0, 1_000_000, "sessions", "connections of one address; 0: no limit"),
    start_timeout_ms: whole(10_000, 10, HOUR_MS, "ms", "from the connection to the first accepted start"),
    idle_timeout_ms: whole(60_000, 10, 24 * HOUR_MS, "ms", "without anything from the client"),
    session_ms: whole(4 * HOUR_MS, 0, 168 * HOUR_MS, "ms", "life of a connection; 0: no limit"),
    drain_timeout_ms: whole(30_000, 0, HOUR_MS, "ms", "for running streams to finish at shutdown"),
    arena_mb: whole(256, 1, 4_096, "MiB", "memory that all buffered audio shares"),
    channel_budget_seconds: real(135, 1, 3_600, "s", "audio that one channel may hold"),
    read_ahead_seconds: real(10, 0.1, 600, "s", "audio that may wait for the model before the client is paused"),
    inbox_bytes: whole(262_144, 4_096, 67_108_864, "bytes", "messages of one session that wait to be read"),
    outbox_bytes: whole(1_048_576, 4_096, 67_108_864, "bytes", "events of one session that wait to be sent"),
    slow_reader_ms: whole(10_000, 10, HOUR_MS, "ms", "for which nothing that waits to be sent may be taken"),
    max_queued_jobs_per_channel: whole(256, 1, 65_536, "jobs", "pieces of one channel that wait for the model"),
    max_in_flight_per_channel: whole(4, 1, 256, "jobs", "pieces of one channel in the model at a time"),
  },
} as const satisfies Record<string, Record<string, Setting>>;

/** The settings that every model has, under `model` or `models.NAME`; all other keys there are the model's own. */
export const MODEL_SETTINGS = {
  name: text("simulated", "a built-in model, or the path of a model file"),
  workers: whole(Math.min(256, availableParallelism()), 1, 256, "threads", "workers that run the model"),
  inference_timeout_ms: whole(30_000, 1, 24 * HOUR_MS, "ms", "for one call; then its worker is replaced"),
  load_timeout_ms: whole(120_000, 1, 24 * HOUR_MS, "ms", "for a worker to load and warm the model"),
} as const satisfies Record<string, Setting>;

type Values<Table extends Record<string, Setting>> = {
  readonly [Key in keyof Table]: Table[Key] extends TextSetting<infer Text> ? Text : number;
};

/** One model and what it is set to. */
export interface ModelConfig extends Values<typeof MODEL_SETTINGS> {
  /** The keys that are the model's own, as they were given. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** The configuration in force: the shape of the file, with every value present. */
export interface Config extends SectionValues {
  readonly model: ModelConfig;
  /** Further models by the name that a start asks for. */
  readonly models: Readonly<Record<string, ModelConfig>>;
}

type SectionValues = {
  readonly [Section in keyof typeof SETTINGS]: Values<(typeof SETTINGS)[Section]>;
};

/** What a setting allows, in words that follow "allowed: ". */
export function allowed(setting: Setting): string {
  if ("min" in setting) {
    return `a ${setting.fraction ? "number" : "whole number"} from ${setting.min} to ${setting.max}`;
  }
  return setting.choices === undefined ? "a text of 1 to 4096 characters" : `one of ${setting.choices.join(", ")}`;
}

export function accepts(setting: Setting, value: unknown): value is number | string {
  if ("min" in setting) {
    if (typeof value !== "number" || !(value >= setting.min && value <= setting.max)) return false;
    return setting.fraction || Number.isInteger(value);
  }
  if (typeof value !== "string" || value.length === 0 || value.length > 4_096) return false;
  return setting.choices?.includes(value) ?? true;
}
