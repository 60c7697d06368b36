import type { ArgsDef } from "citty";

import type { StartFields } from "../../client/client.ts";
import {
  isSampleFormat,
  MAX_CHANNELS,
  MAX_SAMPLE_RATE,
  MIN_SAMPLE_RATE,
  SAMPLE_FORMAT_NAMES,
  SAMPLE_FORMATS,
} from "../../lib/sample-format.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { parseRequest } from "../../protocol/requests.ts";
import { UsageError } from "../terminal/exit.ts";
import { parseFlags } from "../terminal/flags.ts";

/** Larger messages than this are no use: no server takes them. */
const MAX_CHUNK_BYTES = 64 * 1024 * 1024;

/** Fields of `start` that have flags or come from the file. */
const NOT_SET = ["request", "format"];
/** Fields that are text even where it looks like a number. */
const TEXT_FIELDS = ["model", "trace_id", "tracestate"];

// Nothing is marked as required and nothing has a default here: parseFlags checks, so that all faults exit with 2.
export const SEND_ARGS = {
  input: { type: "string", alias: "i", valueHint: "FILE|-", description: "WAV file to send; - reads standard input" },
  addr: {
    type: "string",
    valueHint: "URL",
    description: "where to (default ws://localhost:8080/api/v1/segmented)",
  },
  "chunk-size": { type: "string", valueHint: "BYTES", description: "bytes a message (default: 100 ms of audio)" },
  "real-time": { type: "boolean", description: "send at the pace of a live microphone" },
  "interim-results": { type: "boolean", description: "ask for results while an utterance goes on" },
  format: {
    type: "string",
    valueHint: "text|json",
    description: "for people, or one event a line as received, the report on standard error (default text)",
  },
  output: {
    type: "string",
    alias: "o",
    valueHint: "FILE",
    description: "write the audio of the results to this WAV file, where the model sends audio back",
  },
  set: {
    type: "string",
    valueHint: "key=value...",
    description: "any field of start, such as vad.min_silence_ms=300; may be repeated",
  },
  raw: { type: "boolean", description: "the input is PCM without a header" },
  rate: { type: "string", valueHint: "HZ", description: "of raw input (default 16000)" },
  channels: { type: "string", valueHint: "N", description: "of raw input, interleaved (default 1)" },
  "sample-format": {
    type: "string",
    valueHint: SAMPLE_FORMAT_NAMES.join("|"),
    description: "of raw input (default s16)",
  },
} as const satisfies ArgsDef;

export interface SendSettings {
  /** A path, or "-". */
  readonly input: string;
  readonly addr: URL;
  readonly chunkBytes: number | undefined;
  readonly realTime: boolean;
  readonly format: "text" | "json";
  /** The file for the audio of results. */
  readonly output: string | undefined;
  /** The format of raw input; undefined for WAV. */
  readonly raw: AudioFormat | undefined;
  /** Fields of `start` beside its format, not yet validated. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Throws UsageError, naming the flag. */
export function sendSettings(rawArgs: readonly string[]): SendSettings {
  const flags = parseFlags(rawArgs, SEND_ARGS);
  const input = flags.string("input");
  if (input === undefined || input === "")
    throw new UsageError("say what to send: -i FILE, or -i - for standard input");
  const format = flags.string("format") ?? "text";
  if (format !== "text" && format !== "json") throw new UsageError(`--format ${format}: allowed are text and json`);
  const chunk = flags.string("chunk-size");
  const output = flags.string("output");
  if (output === "" || output === "-")
    throw new UsageError("--output: say which file; the header is written last, so not a pipe");
  const fields = { ...(flags.boolean("interim-results") && { interim_results: true }) };
  for (const assignment of flags.strings("set")) assign(fields, assignment);
  return {
    input,
    addr: address(flags.string("addr") ?? "ws://localhost:8080/api/v1/segmented"),
    chunkBytes: chunk === undefined ? undefined : whole("--chunk-size", chunk, 1, MAX_CHUNK_BYTES),
    realTime: flags.boolean("real-time"),
    format,
    output,
    raw: rawFormat(flags),
    fields,
  };
}

/** The `start` that will be sent. Throws UsageError, naming the file or the field, where no server would accept it. */
export function startFields(settings: SendSettings, format: AudioFormat, name: string): StartFields {
  const start = { ...settings.fields, format };
  try {
    parseRequest(JSON.stringify({ request: "start", ...start }), { maxChannels: MAX_CHANNELS });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const source = error.param?.startsWith("format") === true ? name : "--set";
    throw new UsageError(`${source}: ${error.message}`);
  }
  return start;
}

function address(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["ws:", "wss:"].includes(url.protocol)) {
    throw new UsageError(`--addr ${text}: allowed is a WebSocket URL, such as ws://localhost:8080/api/v1/segmented`);
  }
  if (url.hash !== "") throw new UsageError(`--addr ${text}: a WebSocket URL has no #fragment`);
  return url;
}

function rawFormat(flags: ReturnType<typeof parseFlags>): AudioFormat | undefined {
  if (!flags.boolean("raw")) {
    const stray = ["rate", "channels", "sample-format"].find((name) => flags.boolean(name));
    if (stray !== undefined) throw new UsageError(`--${stray} is for --raw only: a WAV file says it itself`);
    return undefined;
  }
  const name = flags.string("sample-format") ?? "s16";
  if (!isSampleFormat(name)) {
    throw new UsageError(`--sample-format ${name}: allowed are ${SAMPLE_FORMAT_NAMES.join(", ")}`);
  }
  const { bit_depth, is_float, encoding } = SAMPLE_FORMATS[name];
  return {
    channels: whole("--channels", flags.string("channels") ?? "1", 1, MAX_CHANNELS),
    sample_rate: whole("--rate", flags.string("rate") ?? "16000", MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
    bit_depth,
    is_float,
    encoding,
  };
}

function whole(flag: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw new UsageError(`${flag} ${text}: allowed is a whole number from ${min} to ${max}`);
  }
  return value;
}

/** `a.b=3` sets {a: {b: 3}}. A value that is JSON is taken as that, anything else as text. */
function assign(fields: Record<string, unknown>, assignment: string): void {
  const at = assignment.indexOf("=");
  const path = assignment.slice(0, Math.max(at, 0)).split(".");
  const [top = ""] = path;
  if (at < 1 || path.includes("") || path.includes("__proto__")) {
    throw new UsageError(`--set ${assignment}: allowed is key=value, such as vad.min_silence_ms=300`);
  }
  if (NOT_SET.includes(top)) throw new UsageError(`--set ${assignment}: ${top} cannot be set this way`);
  const text = assignment.slice(at + 1);
  let target = fields;
  for (const key of path.slice(0, -1)) {
    const inner = (target[key] ??= {});
    if (!isObject(inner)) throw new UsageError(`--set ${assignment}: ${key} already has a value`);
    target = inner;
  }
  target[path.at(-1) ?? ""] = TEXT_FIELDS.includes(top) ? text : jsonOrText(text);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
