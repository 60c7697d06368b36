import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { referenceFiles } from "../../../scripts/reference.ts";
import { closeCodes } from "../../../src/protocol/close-codes.ts";
import { ERRORS } from "../../../src/protocol/errors.ts";
import { EVENTS } from "../../../src/protocol/events.ts";
import { FEATURES } from "../../../src/protocol/features.ts";
import { REQUESTS } from "../../../src/protocol/requests.ts";
import { WARNINGS } from "../../../src/protocol/warnings.ts";
import { inline } from "../../../src/server/reference/markup.ts";
import { referencePage } from "../../../src/server/reference/page.ts";
import { root } from "../../support/documents.ts";

/** Largest size of the page, bytes. It is in the executable. */
const MOST_BYTES = 300_000;

type Schema = Readonly<Record<string, unknown>> & { readonly properties?: Readonly<Record<string, Schema>> };
type Described = { readonly components: { readonly schemas: Readonly<Record<string, Schema>> } };

const files = referenceFiles();
const html = files["docs/reference.html"] ?? "";
const [asyncapi, openapi] = ["docs/asyncapi.json", "docs/openapi.json"].map(
  (path) => JSON.parse(files[path] ?? "") as Described,
) as [Described, Described];
const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id = ""]) => id);

test("the files in docs/ are up to date: bun scripts/reference.ts", async () => {
  const stale: string[] = [];
  for (const [path, text] of Object.entries(files)) {
    const file = Bun.file(join(root, path));
    if (!(await file.exists()) || (await file.text()) !== text) stale.push(path);
  }
  expect(stale).toEqual([]);
});

describe("the page", () => {
  test("has a place for every message, field, feature, code and route", () => {
    const { schemas } = asyncapi.components;
    const messages = [...Object.keys(REQUESTS), ...Object.keys(EVENTS), "audio", "result_audio"];
    const parts = Object.entries({ ...schemas, ...openapi.components.schemas });
    const fields = parts.flatMap(([name, { properties = {} }]) => {
      const place = placeOf(name);
      return Object.keys(properties).map((field) => `${place}.${field}`);
    });
    const wanted = [
      ...messages,
      ...fields,
      ...Object.keys(FEATURES).map((name) => `feature-${name}`),
      ...Object.keys(ERRORS).map((name) => `error-${name}`),
      ...Object.keys(WARNINGS).map((name) => `warning-${name}`),
      ...closeCodes().map(({ code }) => `close-${code}`),
      "get-api-v1-docs",
      "post-v1-audio-transcriptions",
      "get-front-page",
    ];
    expect(wanted.filter((id) => !ids.includes(id))).toEqual([]);
    expect(fields.length).toBeGreaterThan(250);
  });

  test("explains every field of every message", () => {
    const unexplained = Object.entries(asyncapi.components.schemas).flatMap(
      ([name, { properties = {}, description }]) => [
        ...(description === undefined ? [name] : []),
        ...Object.entries(properties)
          .filter(([, field]) => field["description"] === undefined && !JSON.stringify(field).includes('"$ref"'))
          .map(([field]) => `${name}.${field}`),
      ],
    );
    expect(unexplained).toEqual([]);
  });

  test("has the ranges, units, defaults and pattern of a field", () => {
    const field = (id: string) =>
      new RegExp(`<div id="${id}">.*</div>`)
        .exec(html)?.[0]
        .replaceAll(/<[^>]+>/g, " ")
        .replaceAll("&quot;", '"');
    expect(field("VadSettings.threshold_db")).toMatch(/number, dB .*Range: 3 to 40 .*Default: 10, or as the server/);
    expect(field("start.interim_interval_ms")).toMatch(/integer, ms .*Range: 100 to 10,000 .*Default:\s+500/);
    expect(field("start.flush_after_ms")).toMatch(/Range: 0, or 200 to 60,000 .*Default:\s+0/);
    expect(field("start.format")).toMatch(/AudioFormat .*required/);
    expect(field("AudioFormat.encoding")).toMatch(/One of:\s+"pcm" , +"mulaw" , +"alaw"/);
    expect(field("start.trace_id")).toMatch(/Pattern: /);
    expect(field("stopped.reason")).toMatch(/One of:\s+"stop"/);
    expect(field("error-overloaded")).toMatch(
      /HTTP 503 · close +1013 +· fatal, but not in reply to a start · retryable after/,
    );
  });

  test("has unique places, and links that lead to them", () => {
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
    const links = [...html.matchAll(/href="([^"]+)"/g)].map(([, link = ""]) => link);
    const broken = links.filter((link) => !(link.startsWith("#") && ids.includes(link.slice(1))));
    expect([...new Set(broken)]).toEqual(["asyncapi.json", "openapi.json"]);
  });

  test("loads nothing, runs nothing and is small", () => {
    expect(html).not.toMatch(/<script|<link|<img|<iframe|\ssrc=|\sstyle=|\son[a-z]+=|url\(|@import/i);
    expect(html.match(/<style>/g)).toHaveLength(1);
    expect(Buffer.byteLength(html)).toBeLessThan(MOST_BYTES);
  });

  test("is well-formed: whatever is opened is closed in turn", () => {
    const open: string[] = [];
    for (const [, end, name = ""] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/g)) {
      if (["meta"].includes(name)) continue;
      if (end === "") open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });

  test("shows texts of the documents as they are", () => {
    expect(inline('a < b && "c" `<d>`')).toBe("a &lt; b &amp;&amp; &quot;c&quot; <code>&lt;d&gt;</code>");
    const hostile = structuredClone(asyncapi) as unknown as { "x-warnings": Record<string, string> };
    hostile["x-warnings"]["clipping"] = "<script>alert(1)</script>";
    expect(referencePage(hostile, openapi)).not.toContain("<script>");
  });
});

/** The place of a schema: that of its message, if it is one. */
function placeOf(name: string): string {
  const message = name.replace(/(?:Request|Event|Message)$/, "");
  if (message === name || ["Resume", "Transcription"].includes(message)) return name;
  return message.replaceAll(/(?!^)([A-Z])/g, "_$1").toLowerCase();
}
