import type { Route } from "../../dialects/dialect.ts";
import { ROUTES } from "../../dialects/dialects.ts";
import { watch } from "../../dialects/watch/route.ts";
import { PATTERNS } from "../../pipeline/patterns.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { Json } from "../../protocol/json-schema.ts";
import { SUBPROTOCOL } from "../../protocol/version.ts";
import type { BodySchema } from "./body-schemas.ts";
import { parameter, refusals, type Responses } from "./operation.ts";
import { FRONT_PAGE_RESPONSES } from "./page-operations.ts";
import { ASSEMBLYAI_PARAMETERS, CALL_PARAMETERS, LISTEN_PARAMETERS } from "./query-parameters.ts";

/** What a request for a WebSocket is refused with. */
const REFUSALS: readonly ErrorCode[] = [
  "invalid_request",
  "unauthorized",
  "host_not_allowed",
  "origin_not_allowed",
  "upgrade_required",
  "too_many_sessions",
  "overloaded",
  "not_ready",
  "draining",
  "model_unavailable",
];

/** Headers of a request for a WebSocket, by the names that they have among the components. */
export const HANDSHAKE_PARAMETERS: Readonly<Record<string, Json>> = {
  Upgrade: parameter("header", "Upgrade", { type: "string" }, "RFC 6455: `websocket`."),
  Connection: parameter("header", "Connection", { type: "string" }, "RFC 6455: `Upgrade`."),
  WebSocketVersion: parameter("header", "Sec-WebSocket-Version", { type: "string" }, "RFC 6455: `13`."),
  WebSocketKey: parameter("header", "Sec-WebSocket-Key", { type: "string" }, "RFC 6455: 16 random bytes in base64."),
  WebSocketProtocol: parameter(
    "header",
    "Sec-WebSocket-Protocol",
    { type: "string" },
    "The subprotocols that are offered. A ticket may be one of them: `ticket.VALUE`.",
  ),
  TraceParent: parameter(
    "header",
    "traceparent",
    { type: "string" },
    "W3C Trace Context: the trace that the server continues.",
  ),
};

const HANDSHAKE = Object.keys(HANDSHAKE_PARAMETERS).map((name) => ({ $ref: `#/components/parameters/${name}` }));

/** What is said about the WebSockets of a dialect. */
interface Socket {
  readonly title: string;
  readonly description: string;
  /** Body of a refusal. Default: the error of the native protocol. */
  readonly refusal?: BodySchema;
  /** Subprotocols that are selected when they are offered; undefined: none is. */
  readonly subprotocol?: string;
  readonly parameters?: readonly Json[];
  readonly security?: readonly Json[];
  /** Headers of the answer. */
  readonly headers?: Readonly<Record<string, Json>>;
}

const TOKEN_OR_TICKET: readonly Json[] = [{}, { token: [] }, { ticket: [] }];
const DETAILS = "The messages are those of that service: see docs/dialects.";

/** What is said about each dialect. */
export const SOCKETS: Readonly<Record<string, Socket>> = {
  streamer: {
    title: "A stream of the native protocol",
    description: "The messages are in the AsyncAPI document.",
    subprotocol: SUBPROTOCOL,
  },
  watch: {
    title: "The results of phone calls",
    description: "The messages are in the AsyncAPI document. It is there if a dialect that carries calls is on.",
    subprotocol: SUBPROTOCOL,
    parameters: [
      parameter("query", "call", { type: "string" }, "Name of the calls to watch. Absent: all of the caller."),
    ],
  },
  deepgram: {
    title: "A stream as Deepgram's API has it",
    description: `Other parameters are ignored. ${DETAILS}`,
    refusal: "DeepgramError",
    parameters: LISTEN_PARAMETERS,
    subprotocol: "token or bearer, beside which the token is offered",
    security: [...TOKEN_OR_TICKET, { tokenScheme: [] }],
    headers: {
      "dg-request-id": { description: "Names the request.", schema: { type: "string", format: "uuid" } },
      "dg-model-name": { description: "Name of the model.", schema: { type: "string" } },
    },
  },
  openai: {
    title: "A stream as OpenAI's Realtime API has it",
    description: `Transcription sessions. ${DETAILS}`,
    refusal: "RealtimeError",
    subprotocol: "realtime",
    parameters: [
      {
        ...parameter("query", "intent", { type: "string", const: "transcription" }, "What the session is for."),
        required: true,
      },
      parameter("query", "model", { type: "string" }, "Name of the model."),
    ],
  },
  vosk: {
    title: "The front page; a stream as clients of vosk-server have it",
    description: `An upgrade to a WebSocket is a stream, any other request gets a page, which needs no token by default. ${DETAILS}`,
    subprotocol: SUBPROTOCOL,
  },
  assemblyai: {
    title: "A stream as AssemblyAI's streaming API has it",
    description: `Other parameters are ignored. ${DETAILS}`,
    refusal: "AssemblyAiError",
    parameters: ASSEMBLYAI_PARAMETERS,
    subprotocol: SUBPROTOCOL,
  },
  speechmatics: {
    title: "A stream as Speechmatics' realtime API has it",
    description: DETAILS,
    refusal: "SpeechmaticsError",
    subprotocol: SUBPROTOCOL,
    parameters: [
      parameter("query", "jwt", { type: "string" }, "A token, with `auth.query_tokens`, or a ticket, for browsers."),
    ],
  },
  twilio: {
    title: "A phone call of Twilio",
    description: `Media Streams. ${DETAILS}`,
    subprotocol: SUBPROTOCOL,
  },
  asterisk: {
    title: "A phone call of Asterisk",
    description: `Its channel driver for WebSockets. ${DETAILS}`,
    subprotocol: `media or ${SUBPROTOCOL}`,
    parameters: CALL_PARAMETERS,
    security: [...TOKEN_OR_TICKET, { basic: [] }],
  },
};

/** Returns what is at the paths of WebSockets, as operations by path. */
export function socketOperations(): Record<string, Json> {
  const routes = [...ROUTES, watch];
  return Object.fromEntries(
    routes.flatMap((route) => route.paths.map((path) => [toTemplate(path), socket(route, path)])),
  );
}

/** Returns a path as OpenAPI writes it: `/twilio/:credential` is `/twilio/{credential}`. */
export function toTemplate(path: string): string {
  return path.replace(/:(\w+)/g, "{$1}");
}

function socket({ dialect }: Route, path: string): Json {
  const about = SOCKETS[dialect] ?? { title: `A stream of the dialect ${dialect}`, description: DETAILS };
  const { title, description, refusal, subprotocol, parameters = [], security = TOKEN_OR_TICKET, headers } = about;
  const pattern = Object.values(PATTERNS).find(({ name }) => path === `/api/v1/${name}`);
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
    description: "A ticket, as `ticket.VALUE`, or a token, with `auth.query_tokens`.",
  }));
  return {
    get: {
      operationId: `connect${path
        .split(/[/:_]+/)
        .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
        .join("")
        .replace(/^$/, "FrontPage")}`,
      tags: ["WebSockets"],
      summary: pattern === undefined ? title : `${title}, ${pattern.name}`,
      description: pattern === undefined ? description : `${pattern.description} ${description}`,
      security,
      parameters: [...inPath, ...parameters, ...HANDSHAKE],
      responses: { ...switching(subprotocol, headers), ...others(path, refusal) },
    },
  };
}

function switching(subprotocol: string | undefined, headers: Readonly<Record<string, Json>> = {}): Responses {
  const chosen = {
    "Sec-WebSocket-Protocol": {
      description: `If it was offered: ${subprotocol ?? ""}.`,
      schema: { type: "string" },
    },
  };
  const description = "The connection is a WebSocket.";
  return { "101": { description, headers: { ...(subprotocol !== undefined && chosen), ...headers } } };
}

/** A `Host` that is none is refused before it is known which dialect is asked for. */
function others(path: string, refusal: BodySchema | undefined): Responses {
  const own: readonly BodySchema[] = refusal === undefined ? ["ErrorEvent"] : [refusal];
  const codes = path === "/" ? REFUSALS.filter((code) => code !== "upgrade_required") : REFUSALS;
  return {
    ...(path === "/" && FRONT_PAGE_RESPONSES),
    ...refusals(codes, { schemas: own }),
    ...(refusal !== undefined && refusals(["invalid_request"], { schemas: [refusal, "ErrorEvent"] })),
    ...(path === "/" && { "404": { $ref: "#/components/responses/AdminOnly" } }),
    "500": { $ref: "#/components/responses/Fault" },
  };
}
