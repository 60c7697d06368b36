import { GRPC } from "../dialects/grpc/open.ts";
import { formatHost } from "../lib/host-name.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Visit } from "./edge/edge.ts";

/** A dialect in `info`. */
export interface DescribedDialect {
  readonly name: string;
  readonly paths?: readonly string[];
  /** Paths that take files. */
  readonly files?: readonly string[];
  /** TCP port of its own. */
  readonly port?: number;
  /** What its clients are given as the address of the server. */
  readonly urls?: readonly string[];
  /** Where its clients send files. */
  readonly file_urls?: readonly string[];
}

/** Returns the address that the client has used, without a path, for WebSockets; undefined: it is not known. */
export function baseOf(visit: Visit | ProtocolError): string | undefined {
  if (visit instanceof ProtocolError || visit.host === undefined) return undefined;
  return `${visit.tls ? "wss" : "ws"}://${formatHost(visit.host)}`;
}

/**
 * Returns the address of a dialect's port at the host that the client has used; undefined: the host is not known.
 * @param name of the dialect: gRPC is encrypted when HTTP is, the others never are
 */
export function portAddress(visit: Visit | ProtocolError, name: string, port: number): string | undefined {
  if (visit instanceof ProtocolError || visit.host === undefined) return undefined;
  const scheme = name !== GRPC ? "tcp" : visit.tls ? "grpcs" : "grpc";
  return `${scheme}://${formatHost({ host: visit.host.host, port: String(port) })}`;
}

/** Adds the addresses to dialects, as far as a request to this server says by which name it is reached. */
export function withAddresses(
  dialects: readonly DescribedDialect[],
  visit: Visit | ProtocolError,
): readonly DescribedDialect[] {
  return dialects.map((dialect) => {
    const urls = urlsOf(dialect, visit);
    const base = baseOf(visit)?.replace(/^ws/, "http");
    const files = base === undefined ? [] : (dialect.files ?? []).map((path) => base + path);
    return { ...dialect, ...(urls.length > 0 && { urls }), ...(files.length > 0 && { file_urls: files }) };
  });
}

function urlsOf({ name, paths, port }: DescribedDialect, visit: Visit | ProtocolError): string[] {
  const base = baseOf(visit);
  if (paths !== undefined) return base === undefined ? [] : paths.map((path) => `${base}${path}`);
  const address = port === undefined ? undefined : portAddress(visit, name, port);
  return address === undefined ? [] : [address];
}
