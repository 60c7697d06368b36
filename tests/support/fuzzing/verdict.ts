// What the protocol says about one text message, written from docs/protocol.md and not from src/: the oracle of the
// fuzzer. Where a message has several faults of the same stage, the server may report any of them.

import { excerpt } from "../../../src/lib/excerpt.ts";

/** A fault of a message: the error that the server may answer with. */
export interface Fault {
  readonly code: string;
  readonly param: string | undefined;
}

export interface StartFields {
  readonly channels: number;
  readonly rate: number;
  readonly bitDepth: number;
  readonly isFloat: boolean;
  readonly encoding: string;
  readonly model: string | undefined;
}

/** `faults`: the message is refused, with one of them; `meansStart`: it ends the open stream all the same. */
export type Verdict =
  | { readonly kind: "refused"; readonly faults: readonly Fault[]; readonly meansStart: boolean }
  | { readonly kind: "start"; readonly start: StartFields }
  | { readonly kind: "stop"; readonly disconnect: boolean }
  | { readonly kind: "flush" | "keep_alive" };

/** What the verdict depends on beside the message. */
export interface Server {
  readonly path: "simple" | "stateful" | "segmented";
  readonly maxChannels: number;
  readonly models: readonly string[];
  /** The options that a model takes, by the name of the model; one that is not here takes all. */
  readonly options: Readonly<Record<string, readonly string[]>>;
}

type Fields = Record<string, unknown>;

const MOST_LEVELS = 32;
const MOST_OPTIONS_BYTES = 4_096;
const DEPTHS: readonly unknown[] = [8, 16, 24, 32, 64];
const ENCODINGS: readonly unknown[] = ["pcm", "mulaw", "alaw"];
const KINDS = ["start", "stop", "flush", "keep_alive"];
const FORMAT = ["channels", "sample_rate", "bit_depth", "is_float", "encoding"];
/** Ranges of the settings in `vad`; all but the decibels are whole numbers. */
const VAD: Readonly<Record<string, readonly [number, number]>> = {
  threshold_db: [3, 40],
  floor_dbfs: [-100, -20],
  min_speech_ms: [0, 2_000],
  min_silence_ms: [50, 5_000],
  pre_roll_ms: [0, 1_000],
  post_roll_ms: [0, 5_000],
  max_utterance_ms: [1_000, 120_000],
};
const NAMES: Readonly<Record<string, readonly string[]>> = {
  start: [
    ...["request", "format", "interim_results", "trace_id", "tracestate", "model", "options", "vad"],
    ...["interim_interval_ms", "flush_after_ms", "timing", "resume"],
  ],
  stop: ["request", "disconnect"],
  flush: ["request"],
  keep_alive: ["request"],
};

/** Judges a text message. */
export function judge(text: string, server: Server): Verdict {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused([fault("invalid_json")], false);
  }
  const meansStart = isObject(value) && value["request"] === "start";
  const faults = shapeFaults(value);
  if (faults.length > 0 || !isObject(value)) return refused(faults, meansStart);
  const fields = withoutNulls(value) as Fields;
  const kind = fields["request"];
  if (typeof kind !== "string") return refused([fault("invalid_request", "request")], meansStart);
  if (!KINDS.includes(kind)) return refused([fault("unknown_request", "request")], meansStart);
  for (const stage of kind === "start" ? startStages(fields, server) : otherStages(kind, fields)) {
    const found = stage();
    if (found.length > 0) return refused(found, meansStart);
  }
  if (kind === "stop") return { kind, disconnect: fields["disconnect"] === true };
  if (kind !== "start") return { kind: kind as "flush" };
  const format = fields["format"] as Fields;
  return {
    kind,
    start: {
      channels: format["channels"] as number,
      rate: format["sample_rate"] as number,
      bitDepth: format["bit_depth"] as number,
      isFloat: format["is_float"] as boolean,
      encoding: (format["encoding"] as string | undefined) ?? "pcm",
      model: fields["model"] as string | undefined,
    },
  };
}

function refused(faults: readonly Fault[], meansStart: boolean): Verdict {
  return { kind: "refused", faults, meansStart };
}

function fault(code: string, param?: string): Fault {
  return { code, param };
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Faults that do not depend on the kind of request. */
function shapeFaults(value: unknown): Fault[] {
  if (!isObject(value)) return [fault("invalid_request")];
  const found: Fault[] = [];
  const look = (at: unknown, level: number): void => {
    if (typeof at !== "object" || at === null) return;
    if (level > MOST_LEVELS) return void found.push(fault("invalid_request"));
    if (Array.isArray(at)) return at.forEach((item) => look(item, level + 1));
    for (const [key, field] of Object.entries(at)) {
      if (key === "__proto__") found.push(fault("invalid_request", "__proto__"));
      look(field, level + 1);
    }
  };
  look(value, 1);
  return found;
}

/** A field that is null counts as absent; an item of an array stays. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(kept.map(([key, field]) => [key, withoutNulls(field)]));
}

type Stage = () => Fault[];

function otherStages(kind: string, fields: Fields): Stage[] {
  return [
    () => unknownNames(fields, NAMES[kind] ?? [], ""),
    () => (kind === "stop" && !isFlag(fields["disconnect"]) ? [fault("invalid_request", "disconnect")] : []),
  ];
}

function startStages(fields: Fields, server: Server): Stage[] {
  const { format, vad, options, model, resume } = fields;
  return [
    () => [
      ...unknownNames(fields, NAMES["start"] ?? [], ""),
      ...["format", "vad", "options", "resume"].filter((name) => Array.isArray(fields[name])).map(invalid),
      ...(isObject(format) ? unknownNames(format, FORMAT, "format.") : []),
      ...(isObject(vad) ? unknownNames(vad, Object.keys(VAD), "vad.") : []),
      ...(isObject(resume) ? unknownNames(resume, ["token"], "resume.") : []),
    ],
    () => [
      ...(isObject(format) ? formatFaults(format, server.maxChannels) : [invalid("format")]),
      ...(vad === undefined || isObject(vad) ? vadFaults(vad ?? {}) : [invalid("vad")]),
      ...optionalFaults(fields),
      ...(resume === undefined || isObject(resume) ? tokenFaults(resume) : [invalid("resume")]),
    ],
    () => contradictions(format as Fields),
    () => {
      const bytes = options === undefined ? 0 : Buffer.byteLength(JSON.stringify(options));
      return bytes > MOST_OPTIONS_BYTES ? [invalid("options")] : [];
    },
    () => (model === undefined || server.models.includes(model as string) ? [] : [fault("unknown_model", "model")]),
    () => {
      const known = server.options[model as string];
      return known === undefined ? [] : unknownNames((options ?? {}) as Fields, known, "options.");
    },
    () => vadContradictions((vad ?? {}) as Record<string, number>, server.path),
    // The servers that are fuzzed do not resume streams.
    () => (resume === undefined ? [] : [invalid("resume")]),
  ];
}

function invalid(param: string): Fault {
  return fault("invalid_request", param);
}

function unknownNames(fields: Fields, known: readonly string[], path: string): Fault[] {
  return Object.keys(fields)
    .filter((key) => !known.includes(key))
    .map((key) => invalid(`${path}${excerpt(key)}`));
}

function isFlag(value: unknown): boolean {
  return value === undefined || typeof value === "boolean";
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

/** A value of the right type that no format has is unsupported; one of another type is invalid. */
function formatFaults(format: Fields, maxChannels: number): Fault[] {
  const { channels, sample_rate, bit_depth, is_float, encoding } = format;
  const found: Fault[] = [];
  const number = (name: string, value: unknown, fits: boolean): void => {
    if (typeof value !== "number") found.push(invalid(`format.${name}`));
    else if (!fits) found.push(fault("unsupported_format", `format.${name}`));
  };
  number("channels", channels, isWhole(channels, 1, maxChannels));
  number("sample_rate", sample_rate, isWhole(sample_rate, 4_000, 384_000));
  number("bit_depth", bit_depth, DEPTHS.includes(bit_depth));
  if (typeof is_float !== "boolean") found.push(invalid("format.is_float"));
  if (encoding !== undefined && typeof encoding !== "string") found.push(invalid("format.encoding"));
  else if (encoding !== undefined && !ENCODINGS.includes(encoding)) {
    found.push(fault("unsupported_format", "format.encoding"));
  }
  return found;
}

function contradictions({ bit_depth, is_float, encoding = "pcm" }: Fields): Fault[] {
  if (encoding !== "pcm" && is_float === true) return [fault("unsupported_format", "format.is_float")];
  const depths = encoding !== "pcm" ? [8] : is_float === true ? [32, 64] : [8, 16, 24, 32];
  return depths.includes(bit_depth as number) ? [] : [fault("unsupported_format", "format.bit_depth")];
}

function vadFaults(vad: Fields): Fault[] {
  return Object.entries(VAD)
    .filter(([name, [min, max]]) => {
      const value = vad[name];
      if (value === undefined) return false;
      if (name.endsWith("_ms")) return !isWhole(value, min, max);
      return !(typeof value === "number" && value >= min && value <= max);
    })
    .map(([name]) => invalid(`vad.${name}`));
}

function vadContradictions(vad: Record<string, number>, path: Server["path"]): Fault[] {
  if (path !== "segmented") return Object.keys(vad).length > 0 ? [invalid("vad")] : [];
  const { post_roll_ms, min_silence_ms = 500 } = vad;
  return post_roll_ms !== undefined && post_roll_ms > min_silence_ms ? [invalid("vad.post_roll_ms")] : [];
}

function optionalFaults(fields: Fields): Fault[] {
  const { interim_results, timing, trace_id, tracestate, model, options } = fields;
  const { interim_interval_ms: interval, flush_after_ms: quiet } = fields;
  const found: Fault[] = [];
  const check = (name: string, value: unknown, fits: (value: never) => boolean): void => {
    if (value !== undefined && !fits(value as never)) found.push(invalid(name));
  };
  check("interim_results", interim_results, isFlag);
  check("timing", timing, isFlag);
  check("trace_id", trace_id, isTraceId);
  check(
    "tracestate",
    tracestate,
    (text: unknown) => typeof text === "string" && isPrintable(text) && text.length <= 512,
  );
  check("model", model, (name: unknown) => typeof name === "string" && name.length >= 1 && name.length <= 128);
  check("options", options, (value: unknown) => isObject(value) || Array.isArray(value));
  check("interim_interval_ms", interval, (ms: unknown) => isWhole(ms, 100, 10_000));
  check("flush_after_ms", quiet, (ms: unknown) => isWhole(ms, 0, 0) || isWhole(ms, 200, 60_000));
  return found;
}

function tokenFaults(resume: Fields | undefined): Fault[] {
  if (resume === undefined) return [];
  const { token } = resume;
  return typeof token === "string" && token.length >= 1 && token.length <= 32_768 ? [] : [invalid("resume.token")];
}

function isPrintable(text: string): boolean {
  return [...text].every((character) => character >= " " && character <= "~");
}

/** W3C Trace Context, or 32 hex digits. */
function isTraceId(value: unknown): boolean {
  if (typeof value !== "string" || value.length > 512) return false;
  if (/^[0-9a-f]{32}$/i.test(value)) return !/^0+$/.test(value);
  const [version = "", trace = "", span = "", flags = "", ...more] = value.split("-");
  const isHex = (text: string, length: number): boolean => text.length === length && !/[^0-9a-f]/.test(text);
  if (!isHex(version, 2) || version === "ff" || !isHex(trace, 32) || !isHex(span, 16) || !isHex(flags, 2)) return false;
  if (/^0+$/.test(trace) || /^0+$/.test(span)) return false;
  return more.length === 0 || (version !== "00" && /^[!-~]*$/.test(more.join("-")));
}
