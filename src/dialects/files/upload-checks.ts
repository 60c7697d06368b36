import type { Config } from "../../config/config.ts";
import { describeValue } from "../../lib/excerpt.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Traits } from "../dialect.ts";
import { MAX_FIELD_BYTES } from "./form-framer.ts";

const MIB = 1024 * 1024;
/** Most bytes that JSON makes of one byte of a text. */
const MAX_ESCAPED = 6;

/** Throws ProtocolError when a body is compressed: what it unpacks to has no limit. */
export function checkContentEncoding(headers: Headers): void {
  const encoding = headers.get("content-encoding") ?? "identity";
  if (encoding.trim().toLowerCase() === "identity") return;
  const message = `Content-Encoding: found ${describeValue(encoding)}; allowed: none`;
  throw new ProtocolError("unsupported_format", message);
}

/** Most bytes of a file. */
export function maxFileBytes({ limits }: Pick<Config, "limits">): number {
  return limits.file_mb * MIB;
}

/** The traits of a file: its sender has a time for all of it, and may ask nothing for as long as it sends. */
export function fileTraits(): Traits {
  return {
    maxTextBytes: MAX_ESCAPED * MAX_FIELD_BYTES + 1_024,
    startTimeoutMs: Infinity,
    binaryIsAudio: false,
    pingsCount: false,
  };
}
