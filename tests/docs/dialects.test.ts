import { expect, test } from "bun:test";

import * as v from "valibot";

import { DIALECT_SETTINGS } from "../../src/config/dialect-settings.ts";
import { WYOMING_SETTINGS } from "../../src/config/port-settings.ts";
import { errorSchema, serverMessageSchema as assemblyAiMessageSchema } from "../../src/dialects/assemblyai/messages.ts";
import { refusalSchema, serverMessageSchema } from "../../src/dialects/deepgram/messages.ts";
import { ROUTES } from "../../src/dialects/dialects.ts";
import {
  refusalSchema as openAiRefusalSchema,
  serverMessageSchema as openAiMessageSchema,
} from "../../src/dialects/openai/messages.ts";
import { serverMessageSchema as voskMessageSchema } from "../../src/dialects/vosk/messages.ts";
import { readEvent } from "../../src/dialects/wyoming/events.ts";
import { readDocuments } from "../support/documents.ts";

const documents = await readDocuments();
const page = (name: string): string => documents.find(({ path }) => path === `docs/dialects/${name}.md`)?.text ?? "";

test("docs/dialects/README.md has every route, and every setting with its default", () => {
  const text = page("README");
  for (const { dialect, paths } of ROUTES) {
    if (dialect !== "streamer") for (const path of paths) expect(text).toContain(`\`${path}\``);
  }
  for (const [key, setting] of Object.entries(DIALECT_SETTINGS)) {
    const [, row = ""] = new RegExp(`^\\| \`dialects\\.${key}\` +\\|([^|]*)\\|`, "m").exec(text) ?? [];
    const given = [setting.default].flat().join(", ");
    expect([key, row.replaceAll("`", "").trim()]).toEqual([key, given || "none"]);
  }
});

test("the examples in docs/dialects/deepgram.md are messages that its clients can read", () => {
  const examples = [...page("deepgram").matchAll(/^```json\n(.*?)^```/gms)].map(([, text = ""]) => JSON.parse(text));
  expect(examples).toHaveLength(2);
  for (const example of examples) v.parse(v.union([serverMessageSchema, refusalSchema]), example);
});

test("the examples in docs/dialects/assemblyai.md are messages that its clients can read", () => {
  const examples = [...page("assemblyai").matchAll(/^```json\n(.*?)^```/gms)].map(([, text = ""]) => JSON.parse(text));
  expect(examples).toHaveLength(4);
  for (const example of examples) v.parse(v.union([assemblyAiMessageSchema, errorSchema]), example);
});

test("the examples in docs/dialects/openai.md are messages that its clients can read", () => {
  const examples = [...page("openai").matchAll(/^```json\n(.*?)^```/gms)].map(([, text = ""]) => JSON.parse(text));
  expect(examples).toHaveLength(2);
  for (const example of examples) v.parse(v.union([openAiMessageSchema, openAiRefusalSchema]), example);
});

test("the examples in docs/dialects/vosk.md are messages of its server, and those in wyoming.md events", () => {
  const examples = [...page("vosk").matchAll(/^```json\n(.*?)^```/gms)].map(([, text = ""]) => JSON.parse(text));
  expect(examples).toHaveLength(3);
  for (const example of examples) v.parse(voskMessageSchema, example);
  const [, event = ""] = /^```json\n(.*?)^```/ms.exec(page("wyoming")) ?? [];
  expect(readEvent(JSON.stringify(JSON.parse(event)))).toMatchObject({ type: "transcript", data: { language: "en" } });
});

test("docs/dialects/wyoming.md has every setting of its port with the default", () => {
  for (const [key, setting] of Object.entries(WYOMING_SETTINGS)) {
    const [, row = ""] = new RegExp(`^\\| \`wyoming\\.${key}\` +\\|([^|]*)\\|`, "m").exec(page("wyoming")) ?? [];
    expect([key, row.trim()]).toEqual([key, [setting.default].flat().join(", ") || "none"]);
  }
});
