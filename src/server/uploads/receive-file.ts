import type { FileRoute, OpenedUpload } from "../../dialects/files/file-route.ts";
import { tooLarge } from "../../dialects/files/form-framer.ts";
import { formatHost } from "../../lib/host-name.ts";
import type { Caller } from "../../protocol/caller.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Accepted } from "../../session/connection.ts";
import type { ConnectionTrace } from "../../telemetry/tracing/tracing.ts";
import { admitConnection, type Arrival } from "../admission.ts";
import type { Edge, Visit } from "../edge/edge.ts";
import { permitReading } from "../edge/guard.ts";
import type { UpgradeHost } from "../upgrade.ts";
import { declaredBytes } from "./request-body.ts";
import type { Line, Uploads } from "./uploads.ts";

/** The server, as uploads use it. */
export interface UploadHost extends Omit<UpgradeHost, "edge" | "upgrade"> {
  readonly edge: Edge;
  readonly uploads: Pick<Uploads, "open" | "refuse">;
  /** Takes the connection of a request out of what is usual for requests. */
  occupy(request: Request): Line | undefined;
}

/** A request with a file. */
export interface FileRequest {
  readonly request: Request;
  /** An error: a header that tells about the client is not valid. */
  readonly visit: Visit | ProtocolError;
  readonly route: FileRoute;
  /** The one of the route's paths that is asked for. */
  readonly path: string;
}

/** Answers a request with a file: admits it as the upgrade of a connection is admitted, and opens a session for it. */
export async function receiveFile(asked: FileRequest, host: UploadHost): Promise<Response> {
  const { request, visit, route, path } = asked;
  const trace = host.trace(request, path);
  try {
    const found = await answerOf(asked, host, trace);
    const isRefused = found instanceof ProtocolError;
    if (isRefused) host.refused(found.code);
    const response = isRefused ? await host.uploads.refuse(request, route.refuse(found)) : found;
    trace.responded(response.status, isRefused ? found.code : undefined);
    if (!(visit instanceof ProtocolError)) permitReading(response.headers, visit, host.edge);
    return response;
  } catch (error) {
    host.refused("internal");
    trace.responded(500, "internal");
    throw error;
  }
}

/** Returns the answer, when it can begin, or why there is no session. */
async function answerOf(
  asked: FileRequest,
  host: UploadHost,
  trace: ConnectionTrace,
): Promise<Response | ProtocolError> {
  const { request, visit, route, path } = asked;
  if (visit instanceof ProtocolError) return visit;
  const foreign = host.edge.refusesUse(visit, host.config.auth.public_routes.includes(path));
  if (foreign !== undefined) return foreign;
  let chosen: OpenedUpload | undefined;
  let answer: Promise<Response> | undefined;
  const choose = (caller: Caller): OpenedUpload => {
    const opened = route.open(request, host.config, host.models(caller));
    if ((declaredBytes(request.headers) ?? 0) > opened.maxBytes) throw tooLarge("body", opened.maxFileBytes);
    return (chosen = opened);
  };
  const open = (accepted: Accepted): ProtocolError | undefined => {
    if (chosen === undefined) return new ProtocolError("internal", "no upload has been chosen");
    const opened = host.uploads.open({ request, accepted, opened: chosen, line: () => host.occupy(request) });
    if (opened instanceof ProtocolError) return opened;
    answer = opened;
    return undefined;
  };
  const refusal = await admitConnection({ arrival: arrivalOf(asked, visit), trace, choose, open }, host);
  return refusal ?? (await answer) ?? new ProtocolError("internal", "there is no answer");
}

function arrivalOf({ request, route, path }: FileRequest, visit: Visit): Arrival {
  const { address, host, origin, tls, isLocal } = visit;
  return {
    transport: "http",
    dialect: route.dialect,
    host: host && formatHost(host),
    origin,
    path,
    credentials: route.credentials(request),
    tls,
    address,
    isLocal,
  };
}
