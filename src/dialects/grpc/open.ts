import type { Config } from "../../config/config.ts";
import { PATTERNS } from "../../pipeline/patterns.ts";
import { bearerToken } from "../../protocol/credentials.ts";
import type { Message, Opened } from "../dialect.ts";
import type { GrpcStream } from "../grpc-method.ts";
import { STREAM_PATH } from "./contract.ts";
import { GrpcDialect } from "./dialect.ts";
import { patternOf, readGrpcRequest } from "./requests.ts";

/** Name of the dialect. */
export const GRPC = "grpc";

/**
 * Returns what the first message of a call asks for. Throws ProtocolError `invalid_request` when it is no start of a
 * pattern that there is.
 */
export function openGrpc(first: Message, { limits }: Pick<Config, "limits">): Opened {
  const name = patternOf(first);
  const pattern = PATTERNS[name];
  if (pattern === undefined) throw new Error(`no pattern is called ${name}`);
  return {
    dialect: GRPC,
    pattern,
    traits: { maxTextBytes: limits.max_text_bytes, binaryIsAudio: true, pingsCount: false },
    create: () => new GrpcDialect(name, limits.max_channels),
  };
}

/** The native protocol over gRPC. */
export const nativeStream: GrpcStream = {
  dialect: GRPC,
  path: STREAM_PATH,
  credentials: (metadata) => ({ token: bearerToken(metadata) }),
  read: (bytes) => [readGrpcRequest(bytes)],
  open: openGrpc,
};
