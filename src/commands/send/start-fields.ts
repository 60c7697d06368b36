import type { StartFields } from "../../client/types/start.ts";
import { MAX_CHANNELS } from "../../lib/sample-format.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { parseRequest } from "../../protocol/requests.ts";
import { UsageError } from "../terminal/exit-codes.ts";
import { invalidValue } from "../terminal/flags.ts";

/** Fields of `start` that are set by the command itself. */
export const RESERVED_FIELDS: readonly string[] = ["request", "format"];
/** Fields that are text even if the value looks like a number. */
const TEXT_FIELDS = ["model", "trace_id", "tracestate"];

type Fields = Record<string, unknown>;

/**
 * Applies one `--set key=value` to the fields of `start`: `a.b=3` sets {a: {b: 3}}. A value that is JSON is parsed,
 * any other is text. Throws UsageError.
 */
export function setField(fields: Fields, assignment: string): void {
  const separator = assignment.indexOf("=");
  const path = assignment.slice(0, Math.max(separator, 0)).split(".");
  const [top = ""] = path;
  if (separator < 1 || path.includes("") || path.includes("__proto__")) {
    throw invalidValue("--set", assignment, "key=value, such as vad.min_silence_ms=300");
  }
  if (RESERVED_FIELDS.includes(top))
    throw invalidValue("--set", assignment, `any field but ${RESERVED_FIELDS.join(" and ")}`);
  const value = assignment.slice(separator + 1);
  let target = fields;
  for (const key of path.slice(0, -1)) {
    const inner = (target[key] ??= {});
    if (!isObject(inner)) throw new UsageError(`--set ${assignment}: ${key} already has a value`);
    target = inner;
  }
  target[path.at(-1) ?? ""] = TEXT_FIELDS.includes(top) ? value : parseValue(value);
}

/**
 * Returns the fields of `start`. Throws UsageError, with the source's name or `--set`, if no server would accept
 * them.
 */
export function startFields(fields: Readonly<Fields>, format: AudioFormat, sourceName: string): StartFields {
  const start = { ...fields, format };
  try {
    parseRequest(JSON.stringify({ request: "start", ...start }), { maxChannels: MAX_CHANNELS });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const origin = error.param?.startsWith("format") === true ? sourceName : "--set";
    throw new UsageError(`${origin}: ${error.message}`);
  }
  return start;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
