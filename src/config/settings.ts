import { availableParallelism } from "node:os";

import { MAX_CHANNELS } from "../lib/sample-format.ts";
import { VAD_DEFAULTS, VAD_RANGES } from "../protocol/vad-settings.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../telemetry/log/log.ts";
import { DEFAULT_DETECTOR, DETECTOR_NAMES, DETECTORS } from "../vad/detectors.ts";
import { RANGE_FORMAT, spellRange } from "./address-range.ts";
import { ADMIN_FORMAT } from "./admin-address.ts";
import { autoArena, MOST_ARENA_MIB } from "./auto-arena.ts";
import { CALL_LIMITS } from "./call-limits.ts";
import { CONNECTION_LIMITS } from "./connection-limits.ts";
import { DIALECT_SETTINGS } from "./dialect-settings.ts";
import { HOST_FORMAT, spellHost } from "./host-pattern.ts";
import { ORIGIN_FORMAT, spellOrigin } from "./origin-pattern.ts";
import { AUDIOSOCKET_SETTINGS, GRPC_SETTINGS, VOSK_SETTINGS, WYOMING_SETTINGS } from "./port-settings.ts";
import { ROUTE_FORMAT, spellRoute } from "./route-path.ts";
import { DEFAULT_HOST, DEFAULT_PORT, withoutBrackets } from "./server-address.ts";
import {
  choice,
  file,
  flag,
  list,
  type ListSetting,
  type NumberSetting,
  real,
  type Setting,
  text,
  type TextSetting,
  whole,
} from "./setting.ts";

function vad(key: keyof typeof VAD_RANGES, unit: string, meaning: string): NumberSetting {
  const [min, max] = VAD_RANGES[key];
  return { default: VAD_DEFAULTS[key], min, max, fraction: !key.endsWith("_ms"), unit, meaning };
}

const HOUR_MS = 3_600_000;
/** Most processes of one server. */
export const MAX_PROCESSES = 64;
const QUERY_TOKENS = ["refuse", "accept"] as const;
/** What happens to running streams at shutdown. */
const DRAINS = ["finish", "now"] as const;
/** Where the workers of a model run. */
const ISOLATIONS = ["thread", "process"] as const;

const NOISE_FLOORS = Object.entries(DETECTORS)
  .map(([name, { noiseFloor }]) => `${name} ${noiseFloor}`)
  .join(", ");

/** The server's settings, by section. A model's settings are in MODEL_SETTINGS. */
export const SETTINGS = {
  server: {
    host: text(DEFAULT_HOST, "address to listen on", withoutBrackets),
    port: whole(DEFAULT_PORT, 0, 65_535, "", "port to listen on; 0 selects a free port"),
    processes: {
      ...whole(1, 1, MAX_PROCESSES, "processes", "processes that share the port; auto: one for every two processors"),
      auto: true,
    },
    admin: {
      ...text(
        "none",
        "address of metrics, readiness and info for operators: HOST:PORT or unix:PATH; none: there is none",
      ),
      format: ADMIN_FORMAT,
      hint: "none|HOST:PORT|unix:PATH",
    },
    admin_only: list(ROUTE_FORMAT, "routes that only the address for operators has, such as /metrics", spellRoute),
    hosts: list(HOST_FORMAT, "names that clients may reach the server by, beside its address", spellHost),
    allowed_origins: list(ORIGIN_FORMAT, "web pages that may use the server, beside its own", spellOrigin),
    console: flag("on", "the web console at /, for browsers"),
    trusted_proxies: list(RANGE_FORMAT, "proxies whose headers about the client are used", spellRange),
    tls_cert: file("file with the certificate of the server and its issuers, PEM; none: no TLS"),
    tls_key: file("file with the private key of server.tls_cert, PEM, without a passphrase"),
    tls_client_ca: file("file with the authorities, PEM, whose certificates clients must show; none: no need"),
  },
  auth: {
    tokens: file("file of tokens, one of which a client must show; none: everybody may connect"),
    query_tokens: choice("refuse", QUERY_TOKENS, "tokens in the query of a URL, for dialects that have such"),
    public_routes: {
      ...list(ROUTE_FORMAT, "routes that need no token", spellRoute),
      default: ["/", "/api/v1/health", "/api/v1/ready", "/api/v1/docs"],
    },
    secret_file: file("file of keys that all servers of a deployment share, to resume streams; none: no file"),
  },
  log: {
    level: choice("info", LOG_LEVELS, "least severe level that is logged", { warn: "warning" }),
    format: choice("auto", LOG_FORMATS, "format of log records; auto: pretty on a terminal, json elsewhere"),
  },
  vad: {
    detector: choice(DEFAULT_DETECTOR, DETECTOR_NAMES, `voice activity detector; noise floor: ${NOISE_FLOORS}`),
    threshold_db: vad("threshold_db", "dB", "level above the noise floor that counts as speech"),
    floor_dbfs: vad("floor_dbfs", "dBFS", "lowest noise floor of the detector energy; nothing quieter is speech"),
    min_speech_ms: vad("min_speech_ms", "ms", "shortest speech that starts an utterance"),
    min_silence_ms: vad("min_silence_ms", "ms", "silence that ends an utterance"),
    pre_roll_ms: vad("pre_roll_ms", "ms", "audio kept before the start of speech"),
    post_roll_ms: vad("post_roll_ms", "ms", "audio kept after the end of speech; at most vad.min_silence_ms"),
    max_utterance_ms: vad("max_utterance_ms", "ms", "longest utterance; longer ones are split"),
  },
  dialects: DIALECT_SETTINGS,
  grpc: GRPC_SETTINGS,
  wyoming: WYOMING_SETTINGS,
  vosk: VOSK_SETTINGS,
  audiosocket: AUDIOSOCKET_SETTINGS,
  simple: {
    block_ms: whole(500, 20, 10_000, "ms", "length of a block on /api/v1/simple"),
  },
  stateful: {
    block_ms: whole(100, 20, 10_000, "ms", "length of a block on /api/v1/stateful"),
  },
  limits: {
    max_message_bytes: whole(1_048_576, 1_024, 67_108_864, "bytes", "largest binary message"),
    max_text_bytes: whole(65_536, 8_192, 1_048_576, "bytes", "largest text message"),
    max_channels: whole(16, 1, MAX_CHANNELS, "channels", "most channels in one stream"),
    max_sessions: whole(10_000, 1, 1_000_000, "sessions", "most sessions open at a time"),
    ...CONNECTION_LIMITS,
    ...CALL_LIMITS,
    start_timeout_ms: whole(10_000, 10, HOUR_MS, "ms", "longest time from the connection to the first accepted start"),
    idle_timeout_ms: whole(60_000, 10, 24 * HOUR_MS, "ms", "longest time without a message from the client"),
    session_ms: whole(4 * HOUR_MS, 0, 168 * HOUR_MS, "ms", "longest lifetime of a session; 0: no limit"),
    resume_ms: whole(0, 0, 24 * HOUR_MS, "ms", "longest time after a checkpoint for a stream to resume; 0: it cannot"),
    finish_ms: whole(5_000, 0, HOUR_MS, "ms", "longest time for the results of a stream that the server ends"),
    drain: choice("finish", DRAINS, "streams at shutdown; finish: they go on until they stop; now: they end at once"),
    drain_timeout_ms: whole(30_000, 0, HOUR_MS, "ms", "longest time that running streams go on at shutdown"),
    model_generations: whole(
      3,
      2,
      100,
      "generations",
      "loads of one model that may be in memory at a time, while it is reloaded and open streams use earlier ones",
    ),
    stuck_exit_ms: whole(
      30_000,
      0,
      HOUR_MS,
      "ms",
      "time for which a model may have too many threads that do not return before the server exits; 0: no limit",
    ),
    arena_mb: {
      ...whole(
        256,
        1,
        MOST_ARENA_MIB,
        "MiB",
        "memory for the buffered audio of all streams; auto: a third of all memory",
      ),
      default: "auto",
      auto: () => autoArena(),
    },
    session_share: real(0.25, 0.001, 1, "", "largest share of the audio memory that one stream may hold; 1: no limit"),
    caller_share: real(
      1,
      0.001,
      1,
      "",
      "largest share of the audio memory that all streams of one caller may hold; 1: no limit",
    ),
    channel_budget_seconds: real(135, 1, 3_600, "s", "most audio that one channel may buffer"),
    read_ahead_seconds: real(10, 0.1, 600, "s", "audio waiting for the model at which reading from the client pauses"),
    inbox_bytes: whole(262_144, 4_096, 67_108_864, "bytes", "received messages that one session may queue"),
    outbox_bytes: whole(1_048_576, 4_096, 67_108_864, "bytes", "unsent events that one session may queue"),
    inbox_total_mb: whole(256, 1, 65_536, "MiB", "received messages that all sessions may queue together"),
    file_mb: whole(25, 1, 1_024, "MiB", "largest file that is recognised over POST"),
    upload_ms: whole(600_000, 100, 24 * HOUR_MS, "ms", "longest time for the body of an upload, while it is read"),
    results_total_mb: whole(
      256,
      1,
      65_536,
      "MiB",
      "jobs without a result and unsent events of all sessions at which reading from those with many pauses",
    ),
    slow_reader_ms: whole(
      10_000,
      10,
      HOUR_MS,
      "ms",
      "longest time in which the client reads none of the queued events",
    ),
    max_queued_jobs_per_channel: whole(256, 1, 65_536, "jobs", "most jobs of one channel that wait for the model"),
    max_in_flight_per_channel: whole(4, 1, 256, "jobs", "most jobs of one channel that run at a time"),
  },
  "limits.admission": {
    arena: real(0.8, 0.05, 1, "", "share of the audio memory in use up to which streams start; 1: no limit"),
    wait_ms: whole(50, 1, HOUR_MS, "ms", "longest wait for a worker, other than for a moment, at which streams start"),
    load: real(
      0.85,
      0.05,
      1_000,
      "",
      "share of the time of the workers, and of the main thread, that open streams may need at which others start",
    ),
  },
} as const satisfies Record<string, Record<string, Setting>>;

/** The server's settings for each model, under `model` or `models.NAME`. All other keys there belong to the model. */
export const MODEL_SETTINGS = {
  name: { ...text("simulated", "a built-in model, or the path of a model file"), hint: "MODEL|FILE" },
  workers: {
    ...whole(Math.min(256, availableParallelism()), 1, 256, "threads", "worker threads that run the model"),
    usual: "one per core; 1 for the model remote",
  },
  inference_timeout_ms: whole(30_000, 1, 24 * HOUR_MS, "ms", "longest time for one call; then its worker is replaced"),
  load_timeout_ms: whole(120_000, 1, 24 * HOUR_MS, "ms", "longest time for a worker to load and warm up the model"),
  step_ms: whole(100, 10, 10_000, "ms", "audio that a pinned model gets in one step on /api/v1/segmented"),
  max_streams_per_worker: whole(
    32,
    1,
    10_000,
    "streams",
    "most channels of a pinned model, whose streams stay in their worker, that one worker has open",
  ),
  isolation: choice("thread", ISOLATIONS, "what a worker is; process: a crash of native code ends the call alone"),
  python: {
    ...text("auto", "interpreter of a .py file; auto: .venv beside it, or the active environment, or python3"),
    hint: "auto|FILE",
  },
} as const satisfies Record<string, Setting>;

type Values<Table extends Record<string, Setting>> = {
  readonly [Key in keyof Table]: Table[Key] extends TextSetting<infer Text>
    ? Text
    : Table[Key] extends ListSetting
      ? readonly string[]
      : Table[Key] extends { auto: true }
        ? number | "auto"
        : number;
};

/** One model and its settings. */
export interface ModelConfig extends Values<typeof MODEL_SETTINGS> {
  /** Environment variables of the model's processes. */
  readonly env: Readonly<Record<string, string>>;
  /** The keys that belong to the model, as given: defaults are not filled in. */
  readonly settings: Readonly<Record<string, unknown>>;
}

type SectionValues = {
  readonly [Section in keyof typeof SETTINGS]: Values<(typeof SETTINGS)[Section]>;
};

/** The effective configuration: the shape of a configuration file, with every value present. */
export interface Config extends SectionValues {
  /** The default model. */
  readonly model: ModelConfig;
  /** Further models, by the name that a `start` request selects them with. */
  readonly models: Readonly<Record<string, ModelConfig>>;
}
