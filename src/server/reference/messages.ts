import type { CloseCode } from "../../protocol/close-codes.ts";
import type { ErrorRow } from "../../protocol/errors.ts";
import type { Json } from "../../protocol/json-schema.ts";
import { type Anchors, code, entries, example, inline, number, paragraphs } from "./markup.ts";
import { fieldsOf, partsOf, referred, type SchemaContext } from "./schema.ts";

/** The parts of the AsyncAPI document that the page has. */
export interface MessagesDocument {
  readonly channels: Readonly<Record<string, Json>>;
  readonly operations: Readonly<Record<string, { readonly action: string; readonly messages: readonly Json[] }>>;
  readonly components: {
    readonly messages: Readonly<Record<string, Json>>;
    readonly schemas: Readonly<Record<string, Json>>;
  };
  readonly "x-sample-formats": readonly Json[];
  readonly "x-features": Readonly<Record<string, string>>;
  readonly "x-errors": Readonly<Record<string, ErrorRow>>;
  readonly "x-warnings": Readonly<Record<string, string>>;
  readonly "x-close-codes": readonly CloseCode[];
}

/** Returns the HTML of the WebSocket routes. */
export function channelsOf({ channels }: MessagesDocument, routes: Anchors): string {
  return entries(
    Object.values(channels).map(({ address, description }) => ({
      term: code(String(address), routes),
      text: inline(String(description)),
    })),
  );
}

/** Returns the names of the messages in one direction, each once, in order. */
export function messageNames({ operations }: MessagesDocument, action: "receive" | "send"): string[] {
  const lists = Object.values(operations).filter((operation) => operation.action === action);
  return [...new Set(lists.flatMap(({ messages }) => messages.map((each) => referred(each) ?? "")))];
}

/** Returns the HTML of a message. @param written names of schemas that stand on the page already; those here are added */
export function messageOf(
  name: string,
  document: MessagesDocument,
  context: SchemaContext,
  written: Set<string>,
): string {
  const {
    title,
    description,
    payload,
    examples = [],
  } = document.components.messages[name] as {
    title: string;
    description?: string;
    payload: Json;
    examples?: readonly { payload: unknown }[];
  };
  const schemaName = referred(payload);
  const schema = schemaName === undefined ? {} : (context.schemas[schemaName] ?? {});
  const about = description ?? String(schema["description"] ?? "");
  const parts = schemaName === undefined ? "" : nested(partsOf(schema), document, context, written);
  return (
    `<section id="${name}"><h3><code>${name}</code> ${title}</h3>\n${paragraphs(about, others(context.anchors, name))}` +
    `${fieldsOf(schema, name, context)}${examples.map(({ payload }) => example(payload)).join("")}${parts}</section>\n`
  );
}

function nested(
  names: readonly string[],
  document: MessagesDocument,
  context: SchemaContext,
  written: Set<string>,
): string {
  return names
    .filter((name) => !written.has(name) && context.places.get(name) === name)
    .map((name) => {
      written.add(name);
      const schema = context.schemas[name] ?? {};
      const formats = name === "AudioFormat" ? sampleFormats(document) : "";
      const features = name === "ConnectionLimits" ? featureList(document) : "";
      return (
        `<section id="${name}"><h4>${name}</h4>\n${paragraphs(String(schema["description"]), context.anchors)}` +
        `${fieldsOf(schema, name, context)}</section>\n${formats}${features}`
      );
    })
    .join("");
}

/** A message has no link to itself. */
function others(anchors: Anchors, name: string): Anchors {
  return new Map([...anchors].filter(([, place]) => place !== name));
}

function sampleFormats(document: MessagesDocument): string {
  const rows = document["x-sample-formats"].map(
    ({ meaning, bit_depth, is_float, encoding }) =>
      `<tr><th scope="row">${String(meaning)}</th><td>${String(bit_depth)}</td><td>${String(is_float)}</td>` +
      `<td>${String(encoding)}</td></tr>\n`,
  );
  const heads = ["Sample format", "<code>bit_depth</code>", "<code>is_float</code>", "<code>encoding</code>"];
  return (
    `<section id="sample-formats"><h4>Sample formats</h4>\n<table><thead><tr>` +
    `${heads.map((head) => `<th scope="col">${head}</th>`).join("")}</tr></thead>\n` +
    `<tbody>\n${rows.join("")}</tbody></table></section>\n`
  );
}

function featureList(document: MessagesDocument): string {
  const list = Object.entries(document["x-features"]).map(([name, text]) => ({
    id: `feature-${name}`,
    term: code(name),
    text: inline(text),
  }));
  return `<section id="features"><h4>Features</h4>\n${entries(list)}</section>\n`;
}

/** Returns the HTML of the error codes. */
export function errorsOf(document: MessagesDocument): string {
  return entries(
    Object.entries(document["x-errors"]).map(([name, row]) => {
      const { meaning, status, close, fatal, staysOpenAtStart, endsStream, retryable, retryAfterMs } = row;
      const more = [
        ...(status === undefined ? [] : [`HTTP ${status}`]),
        ...(close === undefined ? [] : [`close <a href="#close-${close}">${close}</a>`]),
        fatal ? `fatal${staysOpenAtStart === true ? ", but not in reply to a start" : ""}` : "not fatal",
        ...(endsStream === true ? ["ends the stream"] : []),
        retryable
          ? `retryable${retryAfterMs === 0 ? " at once" : ` after ${number(retryAfterMs ?? 0)} ms`}`
          : "not retryable",
      ];
      return { id: `error-${name}`, term: code(name), text: inline(meaning), more: [more.join(" · ")] };
    }),
  );
}

/** Returns the HTML of the warning codes. */
export function warningsOf(document: MessagesDocument): string {
  const warnings = Object.entries(document["x-warnings"]);
  return entries(
    warnings.map(([name, meaning]) => ({ id: `warning-${name}`, term: code(name), text: inline(meaning) })),
  );
}

/** Returns the HTML of the codes with which connections are closed. */
export function closeCodesOf(document: MessagesDocument, anchors: Anchors): string {
  return entries(
    document["x-close-codes"].map(({ code: value, meaning = "", errors }) => {
      const after = errors.length === 0 ? [] : [`After ${errors.map((name) => code(name, anchors)).join(", ")}`];
      return { id: `close-${value}`, term: code(String(value)), text: inline(meaning), more: after };
    }),
  );
}
