import type { ArgsDef } from "citty";

import { PATTERNS } from "../../pipeline/patterns.ts";
import { type GivenFlags, invalidValue } from "./flags.ts";
import { parseServerAddress, streamUrl } from "./server-address.ts";

const DEFAULT_ADDR = "localhost:8080";
const DEFAULT_PATTERN = "segmented";

/** The flags with the URL of a stream. */
export const STREAM_URL_FLAGS = {
  addr: {
    type: "string",
    valueHint: "HOST:PORT|URL",
    description: `Address of the server, with or without a path (default ${DEFAULT_ADDR})`,
  },
  pattern: {
    type: "string",
    valueHint: Object.keys(PATTERNS).join("|"),
    description: `Pattern of the stream, if the address has no path (default ${DEFAULT_PATTERN})`,
  },
} as const satisfies ArgsDef;

/** Returns the WebSocket URL of a stream. Throws UsageError, which names the flag. */
export function parseStreamUrl(flags: GivenFlags): URL {
  const address = parseServerAddress("--addr", flags.string("addr") ?? DEFAULT_ADDR);
  const pattern = flags.string("pattern");
  if (pattern !== undefined && !Object.hasOwn(PATTERNS, pattern)) {
    throw invalidValue("--pattern", pattern, Object.keys(PATTERNS).join(", "));
  }
  if (pattern !== undefined && address.path !== undefined) {
    throw invalidValue("--pattern", pattern, `an --addr without a path; its path is ${address.path}`);
  }
  return streamUrl(address, pattern ?? DEFAULT_PATTERN);
}
