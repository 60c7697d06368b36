import type { ArgsDef } from "citty";

import {
  isSampleFormat,
  MAX_CHANNELS,
  MAX_SAMPLE_RATE,
  MIN_SAMPLE_RATE,
  SAMPLE_FORMAT_NAMES,
  type SampleFormat,
} from "../../lib/sample-format.ts";
import { setField } from "../send/start-fields.ts";
import { parseTlsFlags, TLS_FLAGS } from "../terminal/client-tls.ts";
import { takeToken, TOKEN_FLAGS } from "../terminal/client-token.ts";
import { type GivenFlags, invalidValue, parseFlags, parseWhole } from "../terminal/flags.ts";
import { parseStreamUrl, STREAM_URL_FLAGS } from "../terminal/stream-url.ts";
import type { BenchFormat, Plan } from "./plan.ts";
import type { Thresholds } from "./summary.ts";

/** Streams that one process of the generator carries with less than a core. */
const STREAMS_PER_PROCESS = 4_000;
const MAX_STREAMS = 1_000_000;
const MAX_PROCESSES = 64;
const DEFAULTS = { streams: 100, capacity: 16_000, ramp: 2, settle: 3, seconds: 10, message: 100, timeout: 10 };

export const BENCH_FLAGS = {
  ...STREAM_URL_FLAGS,
  streams: {
    type: "string",
    alias: "n",
    valueHint: "N",
    description: `Streams at the same time (default ${DEFAULTS.streams}); with --find-capacity the most to try`,
  },
  seconds: { type: "string", valueHint: "S", description: `Seconds that are counted (default ${DEFAULTS.seconds})` },
  settle: {
    type: "string",
    valueHint: "S",
    description: `Seconds with all streams before counting starts (default ${DEFAULTS.settle})`,
  },
  ramp: {
    type: "string",
    valueHint: "S",
    description: `Seconds in which the streams connect (default ${DEFAULTS.ramp})`,
  },
  audio: { type: "string", alias: "i", valueHint: "FILE", description: "WAV file to send (default built-in speech)" },
  pause: { type: "string", valueHint: "S", description: "Seconds of background noise after each pass (default 0)" },
  rate: {
    type: "string",
    valueHint: "HZ[,...]",
    description: "Sample rates; streams take them in turn (default 16000)",
  },
  channels: { type: "string", valueHint: "N[,...]", description: "Channels; streams take them in turn (default 1)" },
  "sample-format": {
    type: "string",
    valueHint: `${SAMPLE_FORMAT_NAMES.join("|")}[,...]`,
    description: "Sample formats; streams take them in turn (default s16)",
  },
  "message-ms": {
    type: "string",
    valueHint: "MS",
    description: `Milliseconds of audio in a message (default ${DEFAULTS.message})`,
  },
  "interim-results": { type: "boolean", description: "Request interim results" },
  set: {
    type: "string",
    valueHint: "FIELD=VALUE...",
    description: "Set a field of the start request, such as vad.min_silence_ms=300; may be repeated",
  },
  timeout: {
    type: "string",
    valueHint: "S",
    description: `Seconds to wait for a connection, a start and a stop (default ${DEFAULTS.timeout})`,
  },
  processes: {
    type: "string",
    valueHint: "N",
    description: `Processes of the load generator (default one for ${STREAMS_PER_PROCESS} streams)`,
  },
  "find-capacity": {
    type: "boolean",
    description: "Search the highest number of streams that keeps all thresholds; needs --p99 or --p50",
  },
  p50: { type: "string", valueHint: "MS", description: "Threshold: median latency of final results" },
  p99: { type: "string", valueHint: "MS", description: "Threshold: 99th percentile of the latency of final results" },
  "max-refused": { type: "string", valueHint: "N", description: "Threshold: refused streams (default 0)" },
  "max-errors": {
    type: "string",
    valueHint: "N",
    description: "Threshold: errors that the server reports (default 0)",
  },
  format: { type: "string", valueHint: "text|json", description: "Output format (default text)" },
  html: { type: "string", valueHint: "FILE", description: "Write a page with plots" },
  ...TOKEN_FLAGS,
  ...TLS_FLAGS,
} as const satisfies ArgsDef;

export interface BenchSettings {
  readonly plan: Plan;
  /** Shown to the server. It is no part of the plan, which is printed. */
  readonly token: string | undefined;
  readonly thresholds: Thresholds;
  readonly findCapacity: boolean;
  readonly format: "text" | "json";
  readonly html: string | undefined;
  /** Processes that the user wants; undefined: by the number of streams. */
  readonly processes: number | undefined;
}

/** Parses the command line of `bench`. Throws UsageError, which names the flag. */
export function parseBenchSettings(args: readonly string[]): BenchSettings {
  const flags = parseFlags(args, BENCH_FLAGS);
  const findCapacity = flags.has("find-capacity");
  const format = flags.string("format") ?? "text";
  if (format !== "text" && format !== "json") throw invalidValue("--format", format, "text, json");
  const thresholds = {
    p50: optionalNumber(flags, "p50"),
    p99: optionalNumber(flags, "p99"),
    maxRefused: whole(flags, "max-refused", 0, 0, MAX_STREAMS),
    maxErrors: whole(flags, "max-errors", 0, 0, Number.MAX_SAFE_INTEGER),
  };
  if (findCapacity && thresholds.p50 === undefined && thresholds.p99 === undefined) {
    throw invalidValue("--find-capacity", "no latency", "together with --p99 MS or --p50 MS");
  }
  const fields = { ...(flags.has("interim-results") && { interim_results: true }) };
  for (const assignment of flags.strings("set")) setField(fields, assignment);
  const streams = whole(flags, "streams", findCapacity ? DEFAULTS.capacity : DEFAULTS.streams, 1, MAX_STREAMS);
  const processes = flags.has("processes") ? whole(flags, "processes", 1, 1, MAX_PROCESSES) : undefined;
  const messageMs = whole(flags, "message-ms", DEFAULTS.message, 10, 1_000);
  const addr = parseStreamUrl(flags);
  const plan: Plan = {
    addr: addr.href,
    tls: parseTlsFlags(flags, addr),
    audio: {
      path: flags.string("audio"),
      formats: parseFormats(flags),
      messageMs,
      pauseSeconds: number(flags, "pause", 0, 0, 600),
    },
    fields,
    streams,
    parts: partsFor(streams, processes),
    rampMs: number(flags, "ramp", DEFAULTS.ramp, 0, 3_600) * 1000,
    settleMs: number(flags, "settle", DEFAULTS.settle, 0, 3_600) * 1000,
    countMs: number(flags, "seconds", DEFAULTS.seconds, 1, 86_400) * 1000,
    timeoutMs: number(flags, "timeout", DEFAULTS.timeout, 1, 3_600) * 1000,
  };
  return {
    plan,
    token: takeToken(flags, addr),
    thresholds,
    findCapacity,
    format,
    html: flags.string("html"),
    processes,
  };
}

/** Processes for a number of streams: never more than streams. */
export function partsFor(streams: number, processes: number | undefined): number {
  return Math.min(streams, processes ?? Math.ceil(streams / STREAMS_PER_PROCESS));
}

/** All combinations of the sample formats, rates and channels. */
function parseFormats(flags: GivenFlags): BenchFormat[] {
  const formats = list(flags, "sample-format", "s16").map((name) => {
    if (!isSampleFormat(name)) throw invalidValue("--sample-format", name, SAMPLE_FORMAT_NAMES.join(", "));
    return name as SampleFormat;
  });
  const rates = list(flags, "rate", "16000").map((text) =>
    parseWhole("--rate", text, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
  );
  const channels = list(flags, "channels", "1").map((text) => parseWhole("--channels", text, 1, MAX_CHANNELS));
  return formats.flatMap((sampleFormat) =>
    rates.flatMap((sampleRate) => channels.map((count) => ({ sampleFormat, sampleRate, channels: count }))),
  );
}

function list(flags: GivenFlags, name: string, fallback: string): string[] {
  return (flags.string(name) ?? fallback).split(",").map((text) => text.trim());
}

function whole(flags: GivenFlags, name: string, fallback: number, min: number, max: number): number {
  const text = flags.string(name);
  return text === undefined ? fallback : parseWhole(`--${name}`, text, min, max);
}

function number(flags: GivenFlags, name: string, fallback: number, min: number, max: number): number {
  const text = flags.string(name);
  if (text === undefined) return fallback;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw invalidValue(`--${name}`, text, `a number from ${min} to ${max}`);
  return value;
}

/** A number of milliseconds, also with its unit: 100 or 100ms. */
function optionalNumber(flags: GivenFlags, name: string): number | undefined {
  const text = flags.string(name);
  if (text === undefined) return undefined;
  const digits = text.replace(/ms$/, "");
  if (!/^\d+(\.\d+)?$/.test(digits)) throw invalidValue(`--${name}`, text, "milliseconds, such as 100 or 100ms");
  return Number(digits);
}
