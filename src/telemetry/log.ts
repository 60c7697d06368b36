import { configureSync, getLogger, type LogRecord } from "@logtape/logtape";

import { excerpt } from "../lib/excerpt.ts";

export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

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

export interface LogOptions {
  /** The least serious level that is written. */
  readonly level: LogLevel;
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
    sinks: Object.fromEntries(entries.map(([id, { write = toStandardError }]) => [id, sinkOf(write)])),
    loggers: [
      { category: ["logtape", "meta"], lowestLevel: "fatal", sinks: [] },
      ...entries.map(([id, { level }]) => ({ category: ["streamer", id], lowestLevel: level, sinks: [id] })),
    ],
  });
}

function toStandardError(line: string): void {
  process.stderr.write(line);
}

function sinkOf(write: (line: string) => void) {
  return (record: LogRecord) => write(logLine(record));
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
function logLine(record: LogRecord): string {
  const event = typeof record.rawMessage === "string" ? record.rawMessage : record.rawMessage.join("");
  const head = { level: record.level, time: new Date(record.timestamp).toISOString(), event };
  return `${JSON.stringify({ ...head, ...plainObject(record.properties, 0), ...head })}\n`;
}

/** `value` as JSON can write it, whatever it is: cut, escaped, without cycles, and never throwing. */
function plain(value: unknown, depth: number): unknown {
  if (typeof value === "string") return excerpt(value, TEXT_LIMIT);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value !== "object" || value === null) return scalar(value);
  if (value instanceof Error) return errorFields(value, depth);
  if (depth >= MAX_DEPTH) return Array.isArray(value) ? "[...]" : "{...}";
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength} bytes)`;
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => plain(item, depth + 1));
  return plainObject(value, depth + 1);
}

function scalar(value: unknown): unknown {
  if (typeof value === "bigint" || typeof value === "symbol") return value.toString();
  return typeof value === "function" ? "function" : value;
}

function plainObject(fields: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(fields).slice(0, MAX_ITEMS);
  return Object.fromEntries(entries.map(([key, value]) => [excerpt(key), plain(value, depth)]));
}

function errorFields(error: Error, depth: number): Record<string, unknown> {
  return {
    name: excerpt(error.name),
    message: excerpt(error.message, TEXT_LIMIT),
    // The line feeds of a stack are its layout: JSON escapes them.
    stack: (error.stack ?? "")
      .slice(0, STACK_LIMIT)
      .split("\n")
      .map((line) => excerpt(line, TEXT_LIMIT))
      .join("\n"),
    ...(error.cause !== undefined && depth < MAX_DEPTH && { cause: plain(error.cause, depth + 1) }),
  };
}
