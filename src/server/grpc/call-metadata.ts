import { Metadata } from "@grpc/grpc-js";

import { canonicalAddress } from "../../lib/ip-address.ts";
import type { Ending } from "../../protocol/ending.ts";
import { type ErrorRow, ERRORS, type ProtocolError } from "../../protocol/errors.ts";
import { peerName } from "../connections/connection-limit.ts";

/** Trailer with the code of the error that a call ends with. */
const ERROR_KEY = "streamer-error";
/** Trailer with the milliseconds after which a client may try again, by gRFC A6. */
const PUSHBACK_KEY = "grpc-retry-pushback-ms";

/** Headers of gRPC that say nothing about the client. */
const OWN_HEADERS: ReadonlySet<string> = new Set(["te", "content-type", "host"]);

/** Returns the trailers of a call that a session has ended. */
export function endingMetadata(ending: Ending): Metadata {
  const metadata = new Metadata();
  if (ending === "stop") return metadata;
  const code = ending === "drain" ? "draining" : ending;
  metadata.set(ERROR_KEY, code);
  const { retryAfterMs }: ErrorRow = ERRORS[code];
  if (retryAfterMs !== undefined) metadata.set(PUSHBACK_KEY, String(retryAfterMs));
  return metadata;
}

/** Returns the trailers of a call that has been refused. */
export function refusalMetadata({ code, retry_after_ms }: ProtocolError): Metadata {
  const metadata = endingMetadata(code);
  if (retry_after_ms !== undefined) metadata.set(PUSHBACK_KEY, String(retry_after_ms));
  return metadata;
}

/**
 * Returns the call as a request of HTTP, for everything that asks a request about its client.
 * @param path that of the method @param authority host and port that the client asked for
 * @param tls the connection is encrypted
 */
export function requestOf(metadata: Metadata, path: string, authority: string, tls: boolean): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(metadata.getMap())) {
    if (typeof value === "string" && !OWN_HEADERS.has(name) && !name.startsWith(":")) headers.append(name, value);
  }
  if (authority !== "") headers.set("host", authority);
  return new Request(`${tls ? "https" : "http"}://grpc.invalid${path}`, { method: "POST", headers });
}

/** The other end of a connection, as grpc-js spells it: `ADDRESS:PORT`. */
export function peerOf(text: string): { readonly address: string; readonly name: string } {
  const at = text.lastIndexOf(":");
  const address = canonicalAddress(text.slice(0, Math.max(0, at)).replace(/^\[|\]$/g, "")) ?? "";
  return { address, name: peerName(address, Number(text.slice(at + 1))) };
}
