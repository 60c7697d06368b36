import { statusOf } from "../../dialects/files/answer.ts";
import { type ErrorCode, ProtocolError } from "../../protocol/errors.ts";
import { type Json, schemaReference } from "../../protocol/json-schema.ts";
import { refusalStatus } from "../upgrade.ts";
import type { BodySchema } from "./body-schemas.ts";

/** The answers of an operation, by status. */
export type Responses = Readonly<Record<string, Json>>;

/** The header of answers to requests that may be tried again. */
const RETRY_AFTER = {
  description: "Seconds after which to try again, if the error is retryable.",
  schema: { type: "integer", minimum: 0 },
};
const WWW_AUTHENTICATE = { description: "The scheme of tokens.", schema: { type: "string", const: "Bearer" } };

/** An answer in JSON. */
export function json(schema: BodySchema, description: string, examples: readonly unknown[] = []): Json {
  const named = Object.fromEntries(examples.map((value, index) => [`example${index + 1}`, { value }]));
  return {
    description,
    content: {
      "application/json": { schema: schemaReference(schema), ...(examples.length > 0 && { examples: named }) },
    },
  };
}

/** An answer in text. */
export function text(description: string, type = "text/plain"): Json {
  return { description, content: { [type]: { schema: { type: "string" } } } };
}

export interface RefusalsOptions {
  /** Schemas of the body. Default: the error of the native protocol. */
  readonly schemas?: readonly BodySchema[];
  /** The statuses are those of uploads. Default: those of all other requests. */
  readonly isUpload?: boolean;
}

/** The answers that refuse a request with these errors, by status. */
export function refusals(
  codes: readonly ErrorCode[],
  { schemas = ["ErrorEvent"], isUpload }: RefusalsOptions = {},
): Responses {
  const statuses = new Map<string, ProtocolError[]>();
  for (const code of codes) {
    const error = new ProtocolError(code, "");
    const status = String(isUpload === true ? statusOf(error) : refusalStatus(error));
    statuses.set(status, [...(statuses.get(status) ?? []), error]);
  }
  return Object.fromEntries([...statuses].map(([status, errors]) => [status, refusal(status, errors, schemas)]));
}

function refusal(status: string, errors: readonly ProtocolError[], schemas: readonly BodySchema[]): Json {
  const [first, ...others] = schemas.map(schemaReference);
  const headers = {
    ...(errors.some(({ row }) => row.retryable) && { "Retry-After": RETRY_AFTER }),
    ...(status === "401" && { "WWW-Authenticate": WWW_AUTHENTICATE }),
  };
  return {
    description: errors.map(({ code, row }) => `\`${code}\`: ${row.meaning}`).join(" "),
    ...(Object.keys(headers).length > 0 && { headers }),
    content: { "application/json": { schema: others.length === 0 ? first : { anyOf: [first, ...others] } } },
  };
}

/** A parameter of the query or a header. */
export function parameter(place: "query" | "header", name: string, schema: Json, description: string): Json {
  return { name, in: place, required: false, schema, description };
}

/** What may answer every request that a route takes. */
export const FAULT: Responses = { "500": { $ref: "#/components/responses/Fault" } };

/** Answers that are the same at many routes, by name. */
export const COMMON_RESPONSES: Readonly<Record<string, Json>> = {
  Fault: text("A fault of the server, which it has logged."),
  AdminOnly: text("The page is at `server.admin` only (`server.admin_only`)."),
};
