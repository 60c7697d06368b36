/** Position in a trace: W3C Trace Context, level 1. */
export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero; absent when only the trace is known. */
  readonly spanId?: string;
  /** True when the caller may have recorded its part of the trace. */
  readonly sampled: boolean;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?$/;
const TRACE_ID = /^[0-9a-fA-F]{32}$/;
const ZEROS = /^0+$/;

/**
 * Parses a `traceparent` of version 00 or later, or a bare trace id in either case, which counts as sampled. Returns
 * undefined for anything else: the standard requires a new trace for an invalid header.
 */
export function parseTraceparent(text: string): TraceContext | undefined {
  if (TRACE_ID.test(text)) return ZEROS.test(text) ? undefined : { traceId: text.toLowerCase(), sampled: true };
  const [, version, traceId = "", spanId = "", flags = "", more] = TRACEPARENT.exec(text) ?? [];
  if (version === undefined || version === "ff" || ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  if (version === "00" && more !== undefined) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/**
 * Returns the `traceparent` of a new span: a child of `parent`, or the root of a new, unsampled trace when `parent` is
 * not valid.
 */
export function continueTrace(parent: string | undefined): string {
  const context = parent === undefined ? undefined : parseTraceparent(parent);
  const traceId = context?.traceId ?? randomHex(16);
  return `00-${traceId}-${randomHex(8)}-${context?.sampled === true ? "01" : "00"}`;
}

/** Returns the trace id of a `traceparent` with exactly the sampled flag; undefined for any other. */
export function sampledTraceId(traceparent: string | undefined): string | undefined {
  return traceparent?.endsWith("-01") === true ? traceparent.slice(3, 35) : undefined;
}

/** Returns random hex digits that are not all zero. */
function randomHex(bytes: number): string {
  const hex = crypto.getRandomValues(new Uint8Array(bytes)).toHex();
  return ZEROS.test(hex) ? randomHex(bytes) : hex;
}
