import type { ErrorCode } from "../../protocol/errors.ts";
import type { Json } from "../../protocol/json-schema.ts";
import { FAULT, json, parameter, refusals, type Responses, text } from "./operation.ts";

/** Errors of a request whose name, of the server, is not allowed; and of one that changes something. */
const READ: readonly ErrorCode[] = ["invalid_request", "host_not_allowed"];
const USE: readonly ErrorCode[] = ["invalid_request", "host_not_allowed", "origin_not_allowed"];
const ADMIN_ONLY: Responses = { "404": { $ref: "#/components/responses/AdminOnly" } };

/** Where operators are, unless the server is configured otherwise: nowhere. */
const ADMIN_SERVER = {
  url: "http://{admin}",
  description: "The address for operators (`server.admin`).",
  variables: { admin: { default: "127.0.0.1:9091", description: "The value of `server.admin`." } },
};

const ETAG = { ETag: { description: "Names this version of the content.", schema: { type: "string" } } };
const UNCHANGED: Responses = { "304": { description: "It has not changed.", headers: ETAG } };
const IF_NONE_MATCH = parameter("header", "If-None-Match", { type: "string" }, "The version that the client has.");

interface Page {
  readonly id: string;
  readonly tag?: string;
  readonly summary: string;
  readonly description?: string;
  /** It needs no token by default. */
  readonly isPublic?: boolean;
  readonly parameters?: readonly Json[];
  readonly responses: Responses;
}

function page({ id, tag = "Server", summary, description, isPublic = false, parameters, responses }: Page): Json {
  return {
    get: {
      operationId: id,
      tags: [tag],
      summary,
      ...(description !== undefined && { description }),
      ...(isPublic && { security: [] }),
      ...(parameters !== undefined && { parameters }),
      responses: {
        ...responses,
        ...refusals(isPublic ? READ : [...READ, "unauthorized"]),
        ...(responses["404"] === undefined && ADMIN_ONLY),
        ...FAULT,
      },
    },
  };
}

/** A file of the console. */
function asset(id: string, summary: string, type: string): Json {
  const schema = { type: "string", ...(type === "audio/wav" && { format: "binary" }) };
  const file = { description: "The file.", headers: ETAG, content: { [type]: { schema } } };
  const parameters = [IF_NONE_MATCH];
  return page({ id, tag: "Console", summary, isPublic: true, parameters, responses: { "200": file, ...UNCHANGED } });
}

/** A page in HTML, which browsers keep until it has changed. */
const HTML: Json = { ...text("The page.", "text/html"), headers: ETAG };

/** What is at the pages of the server, by path. Those of the front page are with the WebSocket at the same path. */
export const PAGE_OPERATIONS: Readonly<Record<string, Json>> = {
  "/api/v1/health": page({
    id: "getHealth",
    summary: "Whether the process works",
    isPublic: true,
    responses: { "200": json("Health", "It works.", [{ status: "healthy" }]) },
  }),
  "/api/v1/ready": page({
    id: "getReadiness",
    summary: "Whether the server takes streams",
    description: "The models are loaded and warm, none of them is unavailable, and the server is not shutting down.",
    isPublic: true,
    responses: {
      "200": json("Readiness", "It does.", [{ status: "ready" }]),
      ...refusals(["not_ready", "draining", "model_unavailable"]),
    },
  }),
  "/api/v1/info": page({
    id: "getInfo",
    summary: "What the server is and does",
    description: "Version, patterns, dialects, models, formats, limits, features, and current numbers.",
    responses: { "200": json("Info", "About the server.") },
  }),
  "/metrics": page({
    id: "getMetrics",
    summary: "Metrics for Prometheus",
    responses: {
      "200": {
        description: "The metrics, in the text format, or in OpenMetrics for a request that accepts it.",
        content: {
          "text/plain": { schema: { type: "string" } },
          "application/openmetrics-text": { schema: { type: "string" } },
        },
      },
      "404": text(
        "The metrics are at `server.admin`: there are several processes, or `server.admin_only` has this path.",
      ),
    },
  }),
  "/api/v1/asyncapi.json": page({
    id: "getAsyncApi",
    summary: "The messages of the WebSockets in machine-readable form",
    responses: { "200": document("An AsyncAPI 3.0 document.") },
  }),
  "/api/v1/openapi.json": page({
    id: "getOpenApi",
    summary: "The HTTP routes in machine-readable form",
    responses: { "200": document("An OpenAPI 3.1 document: this one.") },
  }),
  "/api/v1/docs": page({
    id: "getReference",
    summary: "Both documents as one page",
    isPublic: true,
    parameters: [IF_NONE_MATCH],
    responses: {
      "200": HTML,
      ...UNCHANGED,
      "308": { description: "A path that ends with a slash leads to the one without." },
    },
  }),
  "/console/script.js": asset("getConsoleScript", "Script of the console", "text/javascript"),
  "/console/recorder.js": asset("getConsoleRecorder", "Script that records for the console", "text/javascript"),
  "/console/style.css": asset("getConsoleStyle", "Style of the console", "text/css"),
  "/console/icon.svg": asset("getConsoleIcon", "Icon of the console", "image/svg+xml"),
  "/console/sample.wav": asset("getConsoleSample", "Recording of the console", "audio/wav"),
  "/api/v1/tickets": {
    post: {
      operationId: "createTicket",
      tags: ["Server"],
      summary: "A ticket for one connection",
      description:
        "For browsers, which cannot send headers with a WebSocket. Takes a token in `Authorization: Bearer`; a server " +
        "without tokens gives a ticket to everybody. A body is ignored.",
      responses: {
        "200": json("Ticket", "The ticket.", [{ ticket: "AQc3…", expires_in_ms: 30_000 }]),
        ...refusals([...USE, "unauthorized"]),
        "413": { description: "The body has more than 1 MiB." },
        ...FAULT,
      },
    },
  },
  "/api/v1/reload": {
    servers: [ADMIN_SERVER],
    post: {
      operationId: "reloadModels",
      tags: ["Operators"],
      summary: "Loads models again",
      description:
        "At `server.admin` only. New streams get the new model, open ones end on the earlier one. The answer comes when " +
        "the models are loaded. An address that other machines can reach needs the token of an operator.",
      security: [{}, { token: [] }],
      parameters: [
        parameter("query", "model", { type: "string" }, "Name of the model. Absent: all that are from files."),
      ],
      responses: {
        "200": json("Reload", "All are loaded.", [
          { models: [{ model: "words", result: "loaded", generation: 2, load_ms: 812, earlier: [] }] },
        ]),
        "409": json("Reload", "One was refused: too many of its generations are in use."),
        "422": json("Reload", "One could not be loaded."),
        ...refusals([...USE, "unknown_model", "unauthorized", "not_ready", "draining"]),
        ...FAULT,
      },
    },
  },
};

/** What is at `/` beside a WebSocket. */
export const FRONT_PAGE_RESPONSES: Responses = {
  "200": {
    description:
      "The console for a request that accepts `text/html`, as those of browsers; a text that lists the routes for " +
      "others, and at `server.admin`.",
    headers: ETAG,
    content: { "text/plain": { schema: { type: "string" } }, "text/html": { schema: { type: "string" } } },
  },
  ...UNCHANGED,
};

function document(description: string): Json {
  return { description, content: { "application/json": { schema: { type: "object" } } } };
}
