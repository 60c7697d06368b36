import type { ArgsDef } from "citty";

import {
  isSampleFormat,
  MAX_CHANNELS,
  MAX_SAMPLE_RATE,
  MIN_SAMPLE_RATE,
  SAMPLE_FORMAT_NAMES,
  SAMPLE_FORMATS,
} from "../../lib/sample-format.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { UsageError } from "../terminal/exit-codes.ts";
import { type Flags, invalidValue, parseFlags } from "../terminal/flags.ts";
import { setField } from "./start-fields.ts";

/** The largest `limits.max_message_bytes` that a server can have. */
const MAX_CHUNK_BYTES = 64 * 1024 * 1024;
const DEFAULT_ADDR = "ws://localhost:8080/api/v1/segmented";

// Required flags and defaults are not declared here: `parseSendSettings` handles them, so that every fault exits with
// code 2.
export const SEND_ARGS = {
  input: {
    type: "string",
    alias: "i",
    valueHint: "FILE|-",
    description: "Audio file to send: WAV, or PCM with --raw; - reads standard input",
  },
  addr: { type: "string", valueHint: "URL", description: `WebSocket URL of the server (default ${DEFAULT_ADDR})` },
  "chunk-size": { type: "string", valueHint: "BYTES", description: "Bytes per message (default 100 ms of audio)" },
  "real-time": { type: "boolean", description: "Send at the speed of a live microphone" },
  "interim-results": { type: "boolean", description: "Request interim results" },
  format: {
    type: "string",
    valueHint: "text|json",
    description:
      "Output format; json: events as received, one per line, and the report on standard error (default text)",
  },
  output: {
    type: "string",
    alias: "o",
    valueHint: "FILE",
    description: "Write the audio of the results to this WAV file, if the model returns audio",
  },
  set: {
    type: "string",
    valueHint: "key=value...",
    description: "Set a field of the start request, such as vad.min_silence_ms=300; may be repeated",
  },
  raw: { type: "boolean", description: "The input is PCM without a header" },
  rate: { type: "string", valueHint: "HZ", description: "Sample rate of raw input (default 16000)" },
  channels: { type: "string", valueHint: "N", description: "Channels of raw input, interleaved (default 1)" },
  "sample-format": {
    type: "string",
    valueHint: SAMPLE_FORMAT_NAMES.join("|"),
    description: "Sample format of raw input (default s16)",
  },
} as const satisfies ArgsDef;

export interface SendSettings {
  /** A path, or "-" for standard input. */
  readonly input: string;
  readonly addr: URL;
  /** Undefined: 100 ms of audio. */
  readonly chunkBytes: number | undefined;
  readonly realTime: boolean;
  readonly format: "text" | "json";
  /** Path of the file for the audio of results. */
  readonly output: string | undefined;
  /** Format of raw input; undefined for a WAV file. */
  readonly raw: AudioFormat | undefined;
  /** Fields of `start` other than `format`, not validated. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Parses the command line of `send`. Throws UsageError, which names the flag. */
export function parseSendSettings(rawArgs: readonly string[]): SendSettings {
  const flags = parseFlags(rawArgs, SEND_ARGS);
  const input = flags.string("input");
  if (input === undefined || input === "")
    throw new UsageError("missing input: use -i FILE, or -i - for standard input");
  const format = flags.string("format") ?? "text";
  if (format !== "text" && format !== "json") throw invalidValue("--format", format, "text, json");
  const chunkSize = flags.string("chunk-size");
  const output = flags.string("output");
  if (output === "" || output === "-") {
    throw invalidValue("--output", output, "the path of a file, not a pipe: the WAV header is written last");
  }
  const fields = { ...(flags.has("interim-results") && { interim_results: true }) };
  for (const assignment of flags.strings("set")) setField(fields, assignment);
  return {
    input,
    addr: parseAddress(flags.string("addr") ?? DEFAULT_ADDR),
    chunkBytes: chunkSize === undefined ? undefined : parseWhole("--chunk-size", chunkSize, 1, MAX_CHUNK_BYTES),
    realTime: flags.has("real-time"),
    format,
    output,
    raw: parseRawFormat(flags),
    fields,
  };
}

function parseAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["ws:", "wss:"].includes(url.protocol)) {
    throw invalidValue("--addr", text, `a WebSocket URL, such as ${DEFAULT_ADDR}`);
  }
  if (url.hash !== "") throw invalidValue("--addr", text, "a WebSocket URL without #fragment");
  return url;
}

function parseRawFormat(flags: Flags): AudioFormat | undefined {
  if (!flags.has("raw")) {
    const unused = ["rate", "channels", "sample-format"].find((name) => flags.has(name));
    if (unused !== undefined) throw new UsageError(`--${unused} needs --raw: a WAV header has this value`);
    return undefined;
  }
  const name = flags.string("sample-format") ?? "s16";
  if (!isSampleFormat(name)) throw invalidValue("--sample-format", name, SAMPLE_FORMAT_NAMES.join(", "));
  const { bit_depth, is_float, encoding } = SAMPLE_FORMATS[name];
  return {
    channels: parseWhole("--channels", flags.string("channels") ?? "1", 1, MAX_CHANNELS),
    sample_rate: parseWhole("--rate", flags.string("rate") ?? "16000", MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
    bit_depth,
    is_float,
    encoding,
  };
}

function parseWhole(flag: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw invalidValue(flag, text, `a whole number from ${min} to ${max}`);
  return value;
}
