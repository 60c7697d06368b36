import { configureSync, getLogger, type LogRecord } from "@logtape/logtape";

import { plainFields } from "./plain-fields.ts";

export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `auto` is `pretty` on a terminal and `json` everywhere else. */
export const LOG_FORMATS = ["auto", "json", "pretty"] as const;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Writes one line a record. `event` is a fixed name such as "session_opened"; everything that varies goes into
 * `fields`.
 */
export interface Logger {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
  /** Returns the same log with `fields` on every record, for instance `{ session, stream }`. */
  with(fields: Fields): Logger;
}

/** A record as it is written: its fields are plain values without secrets, cut and escaped. */
export interface LogLine extends Fields {
  readonly level: LogLevel;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly event: string;
}

export interface LogOptions {
  /** The least serious level that is written. */
  readonly level: LogLevel;
  /** Renders a record as text without its line feed; default: JSON. */
  readonly render?: (line: LogLine) => string;
  /** Receives each line with its line feed; default: standard error. */
  readonly write?: (line: string) => void;
}

const openLogs = new Map<string, LogOptions>();
let nextId = 0;

/** Opens a log that is independent of any other in the process. A disposed log writes nothing. */
export function openLog(options: LogOptions): Logger & Disposable {
  const id = String(nextId++);
  openLogs.set(id, options);
  configureLogtape();
  return {
    ...adapt(getLogger(["streamer", id])),
    [Symbol.dispose]() {
      openLogs.delete(id);
      configureLogtape();
    },
  };
}

/** Logtape has one configuration a process, so it is rebuilt from all open logs. */
function configureLogtape(): void {
  const logs = [...openLogs];
  configureSync({
    reset: true,
    sinks: Object.fromEntries(logs.map(([id, options]) => [id, createSink(options)])),
    loggers: [
      { category: ["logtape", "meta"], lowestLevel: "fatal", sinks: [] },
      ...logs.map(([id, { level }]) => ({ category: ["streamer", id], lowestLevel: level, sinks: [id] })),
    ],
  });
}

function createSink({ write = writeToStandardError, render = JSON.stringify }: LogOptions) {
  return (record: LogRecord) => write(`${render(logLine(record))}\n`);
}

function writeToStandardError(line: string): void {
  process.stderr.write(line);
}

function adapt(logger: ReturnType<typeof getLogger>): Logger {
  return {
    debug: (event, fields = {}) => logger.debug(event, { ...fields }),
    info: (event, fields = {}) => logger.info(event, { ...fields }),
    warn: (event, fields = {}) => logger.warning(event, { ...fields }),
    error: (event, fields = {}) => logger.error(event, { ...fields }),
    with: (fields) => adapt(logger.with({ ...fields })),
  };
}

/** Puts level, time and event first. Fields of the same names cannot replace them. */
function logLine(record: LogRecord): LogLine {
  const event = typeof record.rawMessage === "string" ? record.rawMessage : record.rawMessage.join("");
  // Logtape receives only the four levels of Logger.
  const head = { level: record.level as LogLevel, time: new Date(record.timestamp).toISOString(), event };
  return { ...head, ...plainFields(record.properties), ...head };
}
