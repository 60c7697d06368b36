import { expect, test } from "bun:test";

import * as v from "valibot";

import { CALL_LIMITS } from "../../src/config/call-limits.ts";
import { DIALECT_SETTINGS } from "../../src/config/dialect-settings.ts";
import { AUDIOSOCKET_SETTINGS, WYOMING_SETTINGS } from "../../src/config/port-settings.ts";
import {
  controlSchema as assemblyAiControlSchema,
  errorSchema as assemblyAiErrorSchema,
  serverMessageSchema as assemblyAiSchema,
} from "../../src/dialects/assemblyai/messages.ts";
import { AsteriskReader } from "../../src/dialects/asterisk/reader.ts";
import { recordedSchema } from "../../src/dialects/deepgram/files/messages.ts";
import {
  CONTROLS,
  refusalSchema,
  serverMessageSchema as deepgramSchema,
} from "../../src/dialects/deepgram/messages.ts";
import { FILE_ROUTES, ROUTES } from "../../src/dialects/dialects.ts";
import { googleV1 } from "../../src/dialects/google/v1.ts";
import { googleV2 } from "../../src/dialects/google/v2.ts";
import {
  errorSchema as fileErrorSchema,
  transcriptionSchema,
  verboseSchema,
} from "../../src/dialects/openai/files/messages.ts";
import {
  refusalSchema as openAiRefusalSchema,
  serverMessageSchema as openAiSchema,
} from "../../src/dialects/openai/messages.ts";
import { riva } from "../../src/dialects/riva/api.ts";
import { type SpeechApi, typesOf } from "../../src/dialects/speech/api.ts";
import {
  CONTROLS as SPEECHMATICS_CONTROLS,
  serverMessageSchema as speechmaticsSchema,
} from "../../src/dialects/speechmatics/messages.ts";
import { twilioMessageSchema } from "../../src/dialects/twilio/messages.ts";
import {
  controlSchema as voskControlSchema,
  serverMessageSchema as voskSchema,
} from "../../src/dialects/vosk/messages.ts";
import { watchMessageSchema } from "../../src/dialects/watch/messages.ts";
import { readEvent } from "../../src/dialects/wyoming/events.ts";
import { readDocuments } from "../support/documents.ts";

const documents = await readDocuments();
const page = (name: string): string => documents.find(({ path }) => path === `docs/dialects/${name}.md`)?.text ?? "";

test("docs/dialects/README.md has every route, and every setting with its default", () => {
  const text = page("README");
  for (const { dialect, paths } of ROUTES) {
    if (dialect !== "streamer") for (const path of paths) expect(text).toContain(`\`${path}\``);
  }
  for (const path of FILE_ROUTES.flatMap(({ paths }) => paths)) expect(page("files")).toContain(`\`POST ${path}\``);
  for (const [key, setting] of Object.entries(DIALECT_SETTINGS)) {
    const [, row = ""] = new RegExp(`^\\| \`dialects\\.${key}\` +\\|([^|]*)\\|`, "m").exec(text) ?? [];
    const given = [setting.default].flat().join(", ");
    expect([key, row.replaceAll("`", "").trim()]).toEqual([key, given || "none"]);
  }
});

/** Throws unless an example is a message. */
type Parse = (example: unknown) => unknown;

const oneOf = (...schemas: readonly v.GenericSchema[]): Parse => {
  return (example) => v.parse(v.union([...schemas]), example);
};

/** Messages of a service of gRPC, as plain objects. */
const ofServices =
  (...apis: readonly SpeechApi[]): Parse =>
  (example) => {
    const types = apis.flatMap((api) => [typesOf(api).streamRequest, typesOf(api).streamResponse]);
    const read = types.map((type) =>
      type.toObject(type.fromObject(example as Record<string, unknown>), { longs: Number }),
    );
    expect(read.some((each) => Bun.deepEquals(each, example))).toBeTrue();
  };

/** What the examples of each page are. Every page of a dialect has one, and examples. */
const EXAMPLES: Readonly<Record<string, Parse>> = {
  assemblyai: oneOf(assemblyAiSchema, assemblyAiErrorSchema, assemblyAiControlSchema),
  asterisk: (example) => {
    const message = new AsteriskReader({ call: undefined, wishes: {}, session: "" }).read(JSON.stringify(example));
    expect(message).toMatchObject({ kind: "start" });
  },
  calls: oneOf(watchMessageSchema, v.strictObject({ request: v.literal("keep_alive") })),
  deepgram: oneOf(deepgramSchema, refusalSchema, v.strictObject({ type: v.picklist(CONTROLS) })),
  files: oneOf(recordedSchema, transcriptionSchema, verboseSchema, fileErrorSchema),
  google: ofServices(googleV1, googleV2),
  openai: oneOf(openAiSchema, openAiRefusalSchema),
  riva: ofServices(riva),
  speechmatics: oneOf(speechmaticsSchema, ...Object.values(SPEECHMATICS_CONTROLS)),
  twilio: oneOf(twilioMessageSchema),
  vosk: oneOf(voskSchema, v.strictObject(voskControlSchema.entries)),
  wyoming: (example) => readEvent(JSON.stringify(example)),
};

const PAGES = documents.flatMap(({ path }) => /^docs\/dialects\/([a-z-]+)\.md$/.exec(path)?.[1] ?? []);

test.each(PAGES)("the examples in docs/dialects/%s.md are messages of its clients and of its server", (name) => {
  const parse = EXAMPLES[name] ?? (() => expect.unreachable(`EXAMPLES has nothing for docs/dialects/${name}.md`));
  const fences = [...page(name).matchAll(/^```json\n(.*?)^```/gms)].map(([, text = ""]) => text);
  expect(fences.length).toBeGreaterThan(0);
  // Those in the text of the page may leave something out.
  const spans = [...page(name).matchAll(/`(\{.*?\})`/g)].map(([, text = ""]) => text);
  for (const example of [...fences, ...spans.filter((text) => !text.includes("…"))]) parse(JSON.parse(example));
});

test("docs/dialects/calls.md has the limits with their defaults", () => {
  for (const [key, setting] of Object.entries(CALL_LIMITS)) {
    expect(page("calls")).toContain(`\`limits.${key}\` (${setting.default})`);
  }
});

test("docs/dialects/wyoming.md and asterisk.md have every setting of their port with the default", () => {
  for (const [dialect, name, settings] of [
    ["wyoming", "wyoming", WYOMING_SETTINGS],
    ["audiosocket", "asterisk", AUDIOSOCKET_SETTINGS],
  ] as const) {
    for (const [key, setting] of Object.entries(settings)) {
      const row = new RegExp(`^\\| \`${dialect}\\.${key}\` +\\|([^|]*)\\|`, "m").exec(page(name))?.[1] ?? "";
      expect([key, row.trim()]).toEqual([key, [setting.default].flat().join(", ") || "none"]);
    }
  }
});
