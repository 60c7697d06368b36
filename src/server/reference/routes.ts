import type { Json } from "../../protocol/json-schema.ts";
import { code, entries, type Entry, escape, example, inline, paragraphs } from "./markup.ts";
import { fieldsOf, referred, type SchemaContext, typeOf } from "./schema.ts";

/** The parts of the OpenAPI document that the page has. */
export interface RoutesDocument {
  readonly info: { readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Json>>;
    readonly parameters: Readonly<Record<string, Json>>;
    readonly responses: Readonly<Record<string, Json>>;
  };
}

/** One method of one path. */
export interface RouteEntry {
  /** Place on the page. */
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

interface Operation {
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly security?: readonly Json[];
  readonly parameters?: readonly Json[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Json }>> };
  readonly responses: Readonly<Record<string, Json>>;
}

/** Returns all routes, by method and path. */
export function routeEntries({ paths }: RoutesDocument): RouteEntry[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => method === "get" || method === "post")
      .map(([method, operation]) => ({
        id: placeOf(method, path),
        method: method.toUpperCase(),
        path,
        operation: operation as unknown as Operation,
      })),
  );
}

/** The place of the headers that a request for a WebSocket has. */
export const HANDSHAKE_PLACE = "handshake";

function placeOf(method: string, path: string): string {
  return `${method}${path.replace(/[^\w.]+/g, "-").replace(/-$/, path === "/" ? "-front-page" : "")}`;
}

/** Returns the HTML of a route. */
export function routeOf(route: RouteEntry, document: RoutesDocument, context: SchemaContext): string {
  const { id, method, path, operation } = route;
  const { summary, description = "", requestBody, responses } = operation;
  const isSocket = "101" in responses;
  const answers = entries(
    Object.entries(responses).map(([status, answer]) => answerEntry(status, answer, document, context)),
  );
  return (
    `<section id="${id}"><h4><code>${method} ${escape(path)}</code> ${inline(summary)}</h4>\n` +
    `${paragraphs(description, context.anchors)}<p class="more">${accessOf(operation)}</p>\n` +
    `${parametersOf(operation, id, context)}${bodyOf(requestBody, context)}` +
    `<details${isSocket ? "" : " open"}><summary>Responses</summary>\n${answers}</details></section>\n`
  );
}

function accessOf({ security }: Operation): string {
  if (security?.length === 0) return "Needs no token by default.";
  const names = new Set((security ?? [{ token: [] }]).flatMap((each) => Object.keys(each)));
  const forms = [
    ...(names.has("token") ? ["a token (<code>Authorization: Bearer</code>)"] : []),
    ...(names.has("ticket") ? ["a ticket (<code>?ticket=</code>)"] : []),
    ...(names.has("tokenScheme") ? ["a token (<code>Authorization: Token</code>)"] : []),
    ...(names.has("basic") ? ["a token as password (<code>Authorization: Basic</code>)"] : []),
  ];
  return `Once the server has tokens, needs ${forms.join(", or ")}.`;
}

function parametersOf({ parameters = [] }: Operation, id: string, context: SchemaContext): string {
  const own = parameters.filter((each) => referred(each) === undefined);
  const headers =
    own.length < parameters.length ? `<p>And the <a href="#${HANDSHAKE_PLACE}">headers of a handshake</a>.</p>\n` : "";
  if (own.length === 0) return headers.replace("And the", "The");
  return `<h5>Parameters</h5>\n${parameterList(own, id, context)}${headers}`;
}

/** What is said about parameters that are not in the query. */
const PLACES: Readonly<Record<string, string>> = { path: " In the path.", header: " A header." };

/** Returns the HTML of parameters. @param place with which those of the parameters begin */
export function parameterList(parameters: readonly Json[], place: string, context: SchemaContext): string {
  const properties = Object.fromEntries(
    parameters.map(({ name, schema, description, in: where }) => {
      const about = `${String(description)}${PLACES[String(where)] ?? ""}`;
      return [String(name), { ...(schema as Json), description: about }];
    }),
  );
  const required = parameters.filter((each) => each["required"] === true).map(({ name }) => name);
  return fieldsOf({ properties, required }, place, context);
}

function bodyOf(body: Operation["requestBody"], context: SchemaContext): string {
  if (body === undefined) return "";
  const types = Object.entries(body.content).map(([type, { schema = {} }]) => {
    return `${code(type)}${referred(schema) === undefined ? "" : `: ${typeOf(schema, context)}`}`;
  });
  return `<p>Body: ${types.join(" or ")}</p>\n`;
}

function answerEntry(status: string, given: Json, document: RoutesDocument, context: SchemaContext): Entry {
  const common = referred(given);
  const {
    description,
    content = {},
    headers = {},
  } = (common === undefined ? given : document.components.responses[common]) as {
    description: string;
    content?: Record<string, { schema?: Json; examples?: Record<string, { value: unknown }> }>;
    headers?: Record<string, Json>;
  };
  const bodies = Object.entries(content).map(([type, { schema }]) => {
    const isText = schema === undefined || (schema["type"] === "string" && schema["contentSchema"] === undefined);
    const shape = (schema?.["contentSchema"] ?? schema ?? {}) as Json;
    return `${code(type)}${isText ? "" : `: ${typeOf(shape, context)}`}`;
  });
  const names = Object.keys(headers);
  const examples = Object.values(content).flatMap((media) => Object.values(media.examples ?? {}));
  return {
    term: code(status),
    text: inline(description, context.anchors) + examples.map(({ value }) => example(value)).join(""),
    more: [
      ...(bodies.length === 0 ? [] : [`Body: ${bodies.join(", ")}`]),
      ...(names.length === 0 ? [] : [`Headers: ${names.map((name) => code(name)).join(", ")}`]),
    ],
  };
}
