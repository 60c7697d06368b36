import { GrpcSocket } from "../../client/grpc/grpc-socket.ts";
import type { OpenSocket } from "../../client/socket.ts";
import { type ClientTls, findTlsFault } from "../../client/tls.ts";
import { printableUrl } from "../terminal/server-address.ts";

/** Where a stream goes. */
interface Destination {
  readonly addr: URL;
  readonly grpc: boolean;
}

/** Returns what opens the connections of a stream to a URL over gRPC. */
export function grpcOpener(addr: URL, tls: ClientTls): OpenSocket {
  const isSecure = addr.protocol === "wss:";
  const target = `${addr.hostname}:${addr.port || (isSecure ? 443 : 80)}`;
  const pattern = addr.pathname.slice(addr.pathname.lastIndexOf("/") + 1);
  return (_, { headers, signal }) =>
    GrpcSocket.open({ target, pattern, headers, signal, tls: isSecure ? tls : undefined });
}

/** Words of grpc-js 1.14.7 and Bun 1.4.5 about connections that could not be made, and what they mean. */
const FAILURES: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, "nothing listens there"],
  [/Name resolution failed|ENOTFOUND|EAI_AGAIN/, "unknown host"],
  [/Protocol error/, "the server there does not speak gRPC"],
  [
    /ECONNRESET|Failed to connect|Connection dropped|Stream removed/,
    "the server closed the connection: it may expect TLS, or not speak gRPC",
  ],
];

/** Describes why there is no connection, for a message. */
export function describeGrpcFailure(details: string): string {
  return findTlsFault(details)?.message ?? FAILURES.find(([words]) => words.test(details))?.[1] ?? details;
}

/** Returns the address of a stream for messages: without credentials and query, which may have secrets. */
export function printableDestination({ addr, grpc }: Destination): string {
  if (!grpc) return printableUrl(addr);
  return `${addr.protocol === "wss:" ? "grpcs" : "grpc"}://${addr.host}`;
}
