import { existsSync } from "node:fs";

import type { ArgsDef } from "citty";

import { describeValue } from "../../lib/excerpt.ts";
import {
  isSampleFormat,
  MAX_CHANNELS,
  MAX_SAMPLE_RATE,
  MIN_SAMPLE_RATE,
  SAMPLE_FORMAT_NAMES,
  SAMPLE_FORMATS,
} from "../../lib/sample-format.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { parseTlsFlags, TLS_FLAGS, type TlsFiles } from "../terminal/client-tls.ts";
import { takeToken, TOKEN_FLAGS } from "../terminal/client-token.ts";
import { UsageError } from "../terminal/exit-codes.ts";
import { type GivenFlags, invalidValue, parseFlags, parseWhole } from "../terminal/flags.ts";
import type { Recording } from "../terminal/recorders.ts";
import { parseStreamUrl, STREAM_URL_FLAGS } from "../terminal/stream-url.ts";
import type { WaitLimits } from "./server-watch.ts";
import { setField } from "./start-fields.ts";

/** The largest `limits.max_message_bytes` that a server can have. */
const MAX_CHUNK_BYTES = 64 * 1024 * 1024;
const DEFAULT_WAITS: WaitLimits = { startedMs: 10_000, eventMs: 60_000 };
const MAX_TIMEOUT_SECONDS = 86_400;
const STANDARD_INPUT = "-";

// Required flags and defaults are not declared here: `parseSendSettings` handles them, so that every fault exits with
// code 2.
export const SEND_FLAGS = {
  input: {
    type: "string",
    alias: "i",
    valueHint: "FILE|-",
    description: "Audio file to send: WAV, PCM with --raw, others with ffmpeg; - reads standard input",
  },
  microphone: {
    type: "string",
    valueHint: "[list|DEVICE]",
    description: "Send a microphone, with pw-record, parec, arecord or ffmpeg; list: print the names of devices",
  },
  ...STREAM_URL_FLAGS,
  grpc: { type: "boolean", description: "Use gRPC: --addr is the address of grpc.port (default localhost:50051)" },
  model: { type: "string", valueHint: "NAME", description: "Model of the server to use (default the server's)" },
  timeout: {
    type: "string",
    valueHint: "SECONDS",
    description:
      "Longest wait for the server to start the stream (default 10), and for its next sign of life, or event while results are owed (default 60); 0 waits without a limit",
  },
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
    valueHint: "FILE|-",
    description:
      "Write the audio of the results to this WAV file or pipe; - writes to standard output, and the results to standard error",
  },
  set: {
    type: "string",
    valueHint: "FIELD=VALUE...",
    description: "Set a field of the start request, such as vad.min_silence_ms=300; may be repeated",
  },
  raw: { type: "boolean", description: "The input is PCM without a header" },
  rate: {
    type: "string",
    valueHint: "HZ",
    description: "Sample rate of raw input, or of the microphone (default 16000)",
  },
  channels: {
    type: "string",
    valueHint: "N",
    description: "Channels of raw input, interleaved, or of the microphone (default 1)",
  },
  "sample-format": {
    type: "string",
    valueHint: SAMPLE_FORMAT_NAMES.join("|"),
    description: "Sample format of raw input (default s16)",
  },
  ...TOKEN_FLAGS,
  ...TLS_FLAGS,
} as const satisfies ArgsDef;

export interface SendSettings {
  /** A path, or "-" for standard input or a microphone. */
  readonly input: string;
  /** Undefined: the input is no microphone. */
  readonly microphone: Recording | undefined;
  /** The WebSocket URL of the stream. */
  readonly addr: URL;
  /** The stream goes over gRPC, to host and port of `addr`. */
  readonly grpc: boolean;
  /** Shown to the server; undefined: there is none. */
  readonly token: string | undefined;
  readonly tls: TlsFiles;
  /** Undefined: 100 ms of audio. */
  readonly chunkBytes: number | undefined;
  readonly realTime: boolean;
  readonly waits: WaitLimits;
  readonly format: "text" | "json";
  /** Path of the file or pipe for the audio of results, or "-" for standard output. */
  readonly output: string | undefined;
  /** Format of raw input and of a microphone; undefined for a WAV file. */
  readonly raw: AudioFormat | undefined;
  /** Fields of `start` other than `format`, not validated. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Parses the command line of `send`. Throws UsageError, which names the flag. */
export function parseSendSettings(args: readonly string[]): SendSettings {
  const flags = parseFlags(args, SEND_FLAGS);
  const raw = parseRawFormat(flags);
  const microphone = flags.has("microphone") ? parseMicrophone(flags, raw) : undefined;
  const input = microphone === undefined ? flags.string("input") : STANDARD_INPUT;
  if (input === undefined || input === "")
    throw new UsageError("missing input: use -i FILE, -i - for standard input, or --microphone");
  const format = flags.string("format") ?? "text";
  if (format !== "text" && format !== "json") throw invalidValue("--format", format, "text, json");
  const chunkSize = flags.string("chunk-size");
  const output = flags.string("output");
  if (output === "") throw invalidValue("--output", output, "the path of a file or a pipe, or - for standard output");
  const fields: Record<string, unknown> = { ...(flags.has("interim-results") && { interim_results: true }) };
  for (const assignment of flags.strings("set")) setField(fields, assignment);
  const model = flags.string("model");
  if (model !== undefined && "model" in fields) throw new UsageError("--model and --set model: give only one of them");
  const grpc = flags.has("grpc");
  const addr = parseStreamUrl(flags, grpc);
  return {
    input,
    microphone,
    addr,
    grpc,
    token: takeToken(flags, addr),
    tls: parseTlsFlags(flags, addr),
    chunkBytes: chunkSize === undefined ? undefined : parseWhole("--chunk-size", chunkSize, 1, MAX_CHUNK_BYTES),
    realTime: flags.has("real-time"),
    waits: parseTimeout(flags.string("timeout")),
    format,
    output,
    raw,
    fields: { ...fields, ...(model !== undefined && { model }) },
  };
}

/** Throws UsageError for what contradicts a microphone. */
function parseMicrophone(flags: GivenFlags, raw: AudioFormat | undefined): Recording {
  const other = ["input", "raw", "sample-format", "real-time"].find((name) => flags.has(name));
  if (other === "input") throw new UsageError("--microphone and --input: give only one of them");
  if (other !== undefined) {
    const reason = other === "real-time" ? "it is in real time" : "it gives 16-bit samples";
    throw new UsageError(`--microphone and --${other}: leave the second one out, because ${reason}`);
  }
  const device = flags.string("microphone");
  if (device === "") throw invalidValue("--microphone", device, "the name of a device, list, or no value");
  if (device !== undefined && existsSync(device)) {
    throw new UsageError(`--microphone: found ${describeValue(device)}, which is a file; a file is sent with -i FILE`);
  }
  return { rate: raw?.sample_rate ?? 16_000, channels: raw?.channels ?? 1, device };
}

function parseRawFormat(flags: GivenFlags): AudioFormat | undefined {
  if (!flags.has("raw") && !flags.has("microphone")) {
    const unused = ["rate", "channels", "sample-format"].find((name) => flags.has(name));
    if (unused !== undefined)
      throw new UsageError(`--${unused} needs --raw or --microphone: a WAV header has this value`);
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

function parseTimeout(text: string | undefined): WaitLimits {
  if (text === undefined) return DEFAULT_WAITS;
  const seconds = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= MAX_TIMEOUT_SECONDS)) {
    throw invalidValue("--timeout", text, `a number of seconds from 0 to ${MAX_TIMEOUT_SECONDS}; 0: no limit`);
  }
  const milliseconds = seconds === 0 ? Infinity : seconds * 1000;
  return { startedMs: milliseconds, eventMs: milliseconds };
}
