import { configureSync, getLogger, type LogRecord } from "@logtape/logtape";

import { excerpt } from "../../lib/excerpt.ts";
import { isSecret, REDACTED, withoutSecrets } from "./secrets.ts";

export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `auto` is `pretty` on a terminal and `json` everywhere else. */
export const LOG_FORMATS = ["auto", "json", "pretty"] as const;

type Fields = Readonly<Record<string, unknown>>;

/** One line a record. `event` is a fixed name such as "session_opened"; everything that varies goes into `fields`. */
export interface Logger {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
  /** The same log with `fields` on every record, for instance `{ session, stream }`. */
  with(fields: Fields): Logger;
}

/** A record as it is written: fields are plain values, cut, escaped, and without secrets. */
export interface LogLine extends Fields {
  readonly level: LogLevel;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly event: string;
}

export interface LogOptions {
  /** The least serious level that is written. */
  readonly level: LogLevel;
  /** A record as text without its line feed; default: JSON. */
  readonly render?: (line: LogLine) => string;
  /** Gets each line with its line feed; default: standard error. */
  readonly write?: (line: string) => void;
}

/** Longer strings are cut: most of what is long in a log came from outside. */
const TEXT_LIMIT = 1_024;
/** A stack is worth reading to its end. */
const STACK_LIMIT = 8_192;
/** Bounds of what one field may hold. */
const MAX_DEPTH = 4;
const MAX_ITEMS = 64;

const open = new Map<string, LogOptions>();
let opened = 0;

/** A log of its own, beside any other in the process; writing ends when it is disposed. */
export function openLog(options: LogOptions): Logger & Disposable {
  const id = String(opened++);
  open.set(id, options);
  configure();
  return {
    ...wrap(getLogger(["streamer", id])),
    [Symbol.dispose]() {
      open.delete(id);
      configure();
    },
  };
}

/** Logtape has one configuration a process, so it is written anew from all logs that are open. */
function configure(): void {
  const entries = [...open];
  configureSync({
    reset: true,
    sinks: Object.fromEntries(entries.map(([id, options]) => [id, sinkOf(options)])),
    loggers: [
      { category: ["logtape", "meta"], lowestLevel: "fatal", sinks: [] },
      ...entries.map(([id, { level }]) => ({ category: ["streamer", id], lowestLevel: level, sinks: [id] })),
    ],
  });
}

function toStandardError(line: string): void {
  process.stderr.write(line);
}

function sinkOf({ write = toStandardError, render = JSON.stringify }: LogOptions) {
  return (record: LogRecord) => write(`${render(logLine(record))}\n`);
}

function wrap(logger: ReturnType<typeof getLogger>): Logger {
  return {
    debug: (event, fields = {}) => logger.debug(event, { ...fields }),
    info: (event, fields = {}) => logger.info(event, { ...fields }),
    warn: (event, fields = {}) => logger.warning(event, { ...fields }),
    error: (event, fields = {}) => logger.error(event, { ...fields }),
    with: (fields) => wrap(logger.with({ ...fields })),
  };
}

/** `{"level","time","event",...fields}`: the first three are ours whatever the fields are called. */
function logLine(record: LogRecord): LogLine {
  const event = typeof record.rawMessage === "string" ? record.rawMessage : record.rawMessage.join("");
  // Only the four levels of Logger are ever given to Logtape.
  const head = { level: record.level as LogLevel, time: new Date(record.timestamp).toISOString(), event };
  return { ...head, ...plainObject(record.properties, 0), ...head };
}

/** `value` as JSON can write it, whatever it is: cut, escaped, without cycles, and never throwing. */
function plain(value: unknown, depth: number): unknown {
  if (typeof value === "string") return text(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value !== "object" || value === null) return scalar(value);
  if (value instanceof Error) return errorFields(value, depth);
  if (depth >= MAX_DEPTH) return Array.isArray(value) ? "[...]" : "{...}";
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength} bytes)`;
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => plain(item, depth + 1));
  return plainObject(value, depth + 1);
}

/** Cut first: what is long is not searched for secrets beyond what is shown. */
function text(value: string): string {
  const cut = value.slice(0, TEXT_LIMIT);
  const shown = excerpt(withoutSecrets(cut), 2 * TEXT_LIMIT);
  return cut.length < value.length ? `${shown}…` : shown;
}

function scalar(value: unknown): unknown {
  if (typeof value === "bigint" || typeof value === "symbol") return value.toString();
  return typeof value === "function" ? "function" : value;
}

function plainObject(fields: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(fields).slice(0, MAX_ITEMS);
  return Object.fromEntries(
    entries.map(([key, value]) => [excerpt(key), isSecret(key) ? REDACTED : plain(value, depth)]),
  );
}

function errorFields(error: Error, depth: number): Record<string, unknown> {
  return {
    name: excerpt(error.name),
    message: text(error.message),
    // The line feeds of a stack are its layout: JSON escapes them.
    stack: (error.stack ?? "").slice(0, STACK_LIMIT).split("\n").map(text).join("\n"),
    ...(error.cause !== undefined && depth < MAX_DEPTH && { cause: plain(error.cause, depth + 1) }),
  };
}
