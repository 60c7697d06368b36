import type { Json } from "../../protocol/json-schema.ts";
import { code, escape, inline, paragraphs } from "./markup.ts";
import {
  channelsOf,
  closeCodesOf,
  errorsOf,
  messageNames,
  messageOf,
  type MessagesDocument,
  warningsOf,
} from "./messages.ts";
import { HANDSHAKE_PLACE, parameterList, routeEntries, routeOf, type RoutesDocument } from "./routes.ts";
import { fieldsOf, type SchemaContext } from "./schema.ts";
import { STYLE } from "./style.ts";

/** A heading of the page, with what stands below it. */
interface Part {
  readonly id: string;
  readonly title: string;
  readonly body: string;
  /** Places below it, by what the list of contents calls them. */
  readonly links?: ReadonlyMap<string, string>;
}

/** Links below one heading that a narrow screen has no room for. */
const LONG = 12;

/** Messages about calls, which only connections that watch them get. */
const CALLS = /^(?:watching|call|call_.*)$/;

const STEPS = `<ol>
<li>Connect to one of the paths below, and send <a href="#start"><code>start</code></a>.</li>
<li>Send <a href="#audio">audio</a> at once: you need not wait for <a href="#started"><code>started</code></a>.</li>
<li>Read all the time. Ignore events and fields that you do not know.</li>
<li>Send <a href="#stop"><code>stop</code></a>, and read until <a href="#stopped"><code>stopped</code></a>: only then is every
result there. Compare its ledger with what you sent.</li>
</ol>
`;

/** Returns the page of an AsyncAPI and an OpenAPI document: one file of HTML, without scripts. */
export function referencePage(asyncapi: object, openapi: object): string {
  const messages = asyncapi as unknown as MessagesDocument & {
    readonly info: { version: string; description: string };
  };
  const routes = openapi as unknown as RoutesDocument;
  const parts = partsOfPage(messages, routes);
  const { version } = messages.info;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Streamer API reference</title>
<style>${STYLE}</style>
</head>
<body>
<nav aria-label="Contents">
<a href="#top">Streamer API reference</a>
${parts.map(contentsOf).join("")}</nav>
<main id="top">
<h1>Streamer API reference</h1>
<p>Version ${escape(version)}. In machine-readable form: <a href="asyncapi.json">asyncapi.json</a> for the WebSockets,
<a href="openapi.json">openapi.json</a> for the HTTP routes.</p>
${parts.map(({ id, title, body }) => `<section id="${id}"><h2>${title}</h2>\n${body}</section>\n`).join("")}</main>
</body>
</html>
`;
}

function contentsOf({ id, title, links = new Map<string, string>() }: Part): string {
  const list = [...links].map(([name, place]) => `<li><a href="#${place}">${name}</a></li>\n`).join("");
  return `<p><a href="#${id}">${title}</a></p>\n${list === "" ? "" : `<ul${links.size > LONG ? ' class="long"' : ""}>\n${list}</ul>\n`}`;
}

function partsOfPage(messages: MessagesDocument & { info: { description: string } }, routes: RoutesDocument): Part[] {
  const errors = Object.keys(messages["x-errors"]).map((name) => [name, `error-${name}`] as const);
  const all = [...messageNames(messages, "receive"), ...messageNames(messages, "send")];
  const warnings = Object.keys(messages["x-warnings"]).map((name) => [name, `warning-${name}`] as const);
  const places = placesOf(messages, routes, all);
  const entries = routeEntries(routes);
  const errorPlaces = new Map(errors);
  const anchors = new Map([
    ...warnings,
    ...errors,
    ...all.map((name) => [name, name] as const),
    ...entries.map(({ id, method, path }) => [`${method} ${path}`, id] as const),
  ]);
  const context: SchemaContext = { schemas: messages.components.schemas, anchors, places };
  const httpContext: SchemaContext = { schemas: routes.components.schemas, anchors: errorPlaces, places };
  const written = new Set<string>();
  const section = (id: string, title: string, names: readonly string[], from = context, intro = ""): Part => ({
    id,
    title,
    body: intro + names.map((name) => messageOf(name, messages, from, written)).join(""),
    links: new Map(names.map((name) => [code(name), name])),
  });
  const received = messageNames(messages, "receive");
  const sent = messageNames(messages, "send");
  const byPath = new Map(entries.filter(({ method }) => method === "GET").map(({ path, id }) => [path, id]));
  const note = "<p>A field that is <code>null</code> counts as absent. Unknown fields are refused.</p>\n";
  return [
    {
      id: "streams",
      title: "Streams over WebSockets",
      body: `${paragraphs(messages.info.description, anchors)}${STEPS}${channelsOf(messages, byPath)}`,
    },
    section("requests", "Messages of the client", received, { ...context, hidesNull: true }, note),
    section(
      "events",
      "Messages of the server",
      sent.filter((name) => !CALLS.test(name)),
    ),
    section(
      "calls",
      "Messages about phone calls",
      sent.filter((name) => CALLS.test(name)),
    ),
    { id: "errors", title: "Error codes", body: errorsOf(messages) },
    { id: "warnings", title: "Warning codes", body: warningsOf(messages) },
    { id: "close-codes", title: "Close codes", body: closeCodesOf(messages, errorPlaces) },
    routesPart(routes, entries, httpContext),
    bodiesPart(routes, httpContext),
  ];
}

/** Returns where schemas stand on the page: those of messages at the message, others under their own name. */
function placesOf(messages: MessagesDocument, routes: RoutesDocument, names: readonly string[]): Map<string, string> {
  const own = [...Object.keys(messages.components.schemas), ...Object.keys(routes.components.schemas)];
  const places = new Map(own.map((name) => [name, name]));
  for (const name of names) {
    const { $ref } = (messages.components.messages[name]?.["payload"] ?? {}) as Json;
    if (typeof $ref === "string") places.set($ref.replace(/.*\//, ""), name);
  }
  return places;
}

function routesPart(routes: RoutesDocument, entries: ReturnType<typeof routeEntries>, context: SchemaContext): Part {
  const links = new Map<string, string>();
  const groups = routes.tags.map(({ name, description }) => {
    const own = entries.filter(({ operation }) => operation.tags.includes(name));
    for (const { id, method, path } of own) links.set(`${method} ${escape(path)}`, id);
    const html = own.map((entry) => routeOf(entry, routes, context)).join("");
    return `<section id="routes-${name.toLowerCase()}"><h3>${name}</h3>\n<p>${inline(description)}</p>\n${html}</section>\n`;
  });
  const parameters = parameterList(Object.values(routes.components.parameters), HANDSHAKE_PLACE, context);
  const handshake = `<section id="${HANDSHAKE_PLACE}"><h3>Headers of a handshake</h3>\n${parameters}</section>\n`;
  const body = paragraphs(routes.info.description, context.anchors) + groups.join("") + handshake;
  return { id: "routes", title: "HTTP routes", body, links };
}

function bodiesPart({ components }: RoutesDocument, context: SchemaContext): Part {
  const own = Object.entries(components.schemas).filter(([name]) => context.places.get(name) === name);
  const body = own
    .map(([name, schema]) => {
      const { description = "", oneOf = [] } = schema as { description?: string; oneOf?: readonly Json[] };
      const kinds = oneOf.map(({ $ref }) => String($ref).replace(/.*\//, ""));
      const choice =
        kinds.length === 0
          ? ""
          : `<p>One of ${kinds.map((kind) => `<a href="#${kind}">${kind}</a>`).join(", ")}.</p>\n`;
      return `<section id="${name}"><h3>${name}</h3>\n${paragraphs(description)}${choice}${fieldsOf(schema, name, context)}</section>\n`;
    })
    .join("");
  return { id: "bodies", title: "HTTP bodies", body, links: new Map(own.map(([name]) => [name, name])) };
}
