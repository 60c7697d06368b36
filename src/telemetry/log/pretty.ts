import type { LogLevel, LogLine } from "./log.ts";

/** ANSI codes. */
const COLOURS: Readonly<Record<LogLevel, number>> = { debug: 2, info: 32, warning: 33, error: 31 };
const LEVEL_WIDTH = 7;
/** Shown length of a session id: enough to tell apart the sessions on one screen. */
const SESSION_ID_LENGTH = 8;

type Fields = Readonly<Record<string, unknown>>;

/** Events with a message of their own; all others are shown as `event key=value ...`. */
const MESSAGES: Readonly<Record<string, (fields: Fields) => string>> = {
  stream_started: (fields) => {
    const { pattern, model, sample_format, channels, sample_rate, trace_id } = fields;
    const format = `${word(sample_format)}, ${word(sample_rate)} Hz, ${count(channels, "channel")}`;
    return `${streamName(fields)} started: /${word(pattern)}, ${word(model)}, ${format}, trace ${word(trace_id)}`;
  },
  stream_stopped: (fields) => {
    const { reason, seconds, ledger } = fields;
    const channels = Array.isArray(ledger) ? ledger.filter(isObject) : [];
    return `${streamName(fields)} stopped (${word(reason)}) after ${word(seconds)} s: ${ledgerSummary(channels)}`;
  },
};

/**
 * Renders a record for a terminal, without its line feed: local time, level, message. Stacks follow on lines of their
 * own.
 */
export function prettyLine(line: LogLine, colour: boolean): string {
  const { level, time, event, process, ...fields } = line;
  const label = level.padEnd(LEVEL_WIDTH);
  const painted = colour ? `\u001B[${COLOURS[level]}m${label}\u001B[0m` : label;
  const message = MESSAGES[event]?.(fields) ?? `${event.replaceAll("_", " ")}${keyValues(fields)}`;
  const of = typeof process === "number" ? `[${process}] ` : "";
  return `${timeOfDay(time)} ${painted} ${of}${message}${stacks(fields)}`;
}

function timeOfDay(time: string): string {
  const date = new Date(time);
  const twoDigits = (part: number): string => String(part).padStart(2, "0");
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(":");
}

function streamName({ session, stream }: Fields): string {
  return `stream ${word(session).slice(0, SESSION_ID_LENGTH)}/${word(stream)}`;
}

function count(value: unknown, noun: string): string {
  return `${word(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Sums up the ledgers of all channels. */
function ledgerSummary(channels: readonly Fields[]): string {
  const sum = (key: string): number => channels.reduce((total, channel) => total + number(channel[key]), 0);
  const seconds = channels.reduce((total, { received, received_rate }) => {
    return total + number(received) / (number(received_rate) || 1);
  }, 0);
  const decoded = sum("decoded");
  const share = (key: string): string => `${decoded === 0 ? 0 : Math.round((sum(key) / decoded) * 100)} % ${key}`;
  const shares = ["inferred", "silent", "failed"].map(share).join(" + ");
  const results = [count(sum("segments"), "segment"), count(sum("interims"), "interim"), count(sum("errors"), "error")];
  return `${seconds.toFixed(2)} s of audio = ${shares}; ${results.join(", ")}`;
}

function word(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? `${value}` : "?";
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** Returns ` key=value` for each field; the value of an error is its message. */
function keyValues(fields: Fields): string {
  return Object.entries(fields)
    .filter(([key, value]) => value !== undefined && key !== "stack")
    .map(([key, value]) => ` ${key}=${valueText(value)}`)
    .join("");
}

function valueText(value: unknown): string {
  if (isObject(value) && "message" in value && "stack" in value) return JSON.stringify(value["message"]);
  return typeof value === "string" && /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value);
}

/** Returns the stacks of a record and of its errors, indented, each line preceded by a line feed. */
function stacks(fields: Fields): string {
  const errors = [fields, ...Object.values(fields).filter(isObject)];
  return errors
    .map(({ stack }) => stack)
    .filter((stack) => typeof stack === "string")
    .flatMap((stack) => stack.split("\n"))
    .map((line) => `\n    ${line}`)
    .join("");
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
