import type { ArgsDef } from "citty";

import { PATTERNS } from "../../pipeline/patterns.ts";
import { type GivenFlags, invalidValue } from "./flags.ts";
import { parseServerAddress, streamUrl } from "./server-address.ts";

const DEFAULT_ADDR = "localhost:8080";
/** The usual port of gRPC. */
const GRPC_PORT = 50_051;
const DEFAULT_GRPC_ADDR = `localhost:${GRPC_PORT}`;
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

/**
 * Returns the URL of a stream, which is that of a WebSocket for gRPC, too. Throws UsageError, which names the flag.
 * @param isGrpc the address is that of gRPC, which has no paths
 */
export function parseStreamUrl(flags: GivenFlags, isGrpc = false): URL {
  const given = flags.string("addr") ?? (isGrpc ? DEFAULT_GRPC_ADDR : DEFAULT_ADDR);
  const address = parseServerAddress("--addr", given, isGrpc ? GRPC_PORT : undefined);
  if (isGrpc && (address.path !== undefined || address.query !== "")) {
    throw invalidValue("--addr", given, "an address without a path, together with --grpc");
  }
  const pattern = flags.string("pattern");
  if (pattern !== undefined && !Object.hasOwn(PATTERNS, pattern)) {
    throw invalidValue("--pattern", pattern, Object.keys(PATTERNS).join(", "));
  }
  if (pattern !== undefined && address.path !== undefined) {
    throw invalidValue("--pattern", pattern, `an --addr without a path; its path is ${address.path}`);
  }
  return streamUrl(address, pattern ?? DEFAULT_PATTERN);
}
