import * as v from "valibot";

import { recordedSchema } from "../../src/dialects/deepgram/files/messages.ts";
import { recorded } from "../../src/dialects/deepgram/files/route.ts";
import { refusalSchema } from "../../src/dialects/deepgram/messages.ts";
import type { Message, Route } from "../../src/dialects/dialect.ts";
import { answerHeadSchema } from "../../src/dialects/files/answer.ts";
import type { FileRoute } from "../../src/dialects/files/file-route.ts";
import { errorSchema, transcriptionSchema, verboseSchema } from "../../src/dialects/openai/files/messages.ts";
import { transcriptions } from "../../src/dialects/openai/files/route.ts";
import { wav } from "./audio.ts";

const S16_MONO = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };

/** The header of a WAV file whose writer did not know how long it would be. */
function openHeader(): Uint8Array {
  const header = wav(S16_MONO, Buffer.alloc(0));
  header.writeUInt32LE(0xffffffff, 4);
  header.writeUInt32LE(0xffffffff, 40);
  return header;
}

/** A dialect for files as if it were spoken over an upgrade, for what is the same for all dialects. */
function asRoute(route: FileRoute, headers: Record<string, string>): Route {
  return {
    dialect: route.dialect,
    paths: route.paths,
    credentials: (request) => route.credentials(request),
    choose: () => undefined,
    refuse: (error) => JSON.parse(route.refuse(error).body) as unknown,
    open: (_path, { url }, config, models = []) => route.open(new Request(url, { headers }), config, models),
  };
}

const binary = (bytes: Uint8Array): readonly Message[] => [bytes];
const rounded = (seconds: number): number => Math.round(seconds * 1e6) / 1e6;
const field = (name: string, value: string): string => JSON.stringify({ field: name, value });

/** The dialects for files, for the contract of all dialects: their clients send messages, and get those of an answer. */
export const fileVocabularies = {
  "deepgram files": {
    route: asRoute(recorded, {}),
    url: "http://localhost/v1/listen",
    start: [openHeader()],
    wrongStart: Buffer.from("OggS, or so it says"),
    stop: [],
    finishes: true as const,
    audio: binary,
    utterances: {
      url: "http://localhost/v1/listen?utterances=true",
      finals: ([, body = "{}"]: readonly string[]) =>
        (v.parse(recordedSchema, JSON.parse(body)).results.utterances ?? []).map(({ transcript, start, end }) => {
          return { text: transcript, start: rounded(start), end: rounded(end) };
        }),
    },
    check: (message: string) =>
      void v.parse(v.union([answerHeadSchema, recordedSchema, refusalSchema]), JSON.parse(message)),
  },
  "openai files": {
    route: asRoute(transcriptions, { "content-type": "multipart/form-data; boundary=x" }),
    url: "http://localhost/v1/audio/transcriptions",
    start: [
      field("response_format", "verbose_json"),
      field("model", "any"),
      JSON.stringify({ file: "a.wav" }),
      openHeader(),
    ],
    wrongStart: field("response_format", "xml"),
    stop: [],
    finishes: true as const,
    audio: binary,
    utterances: {
      url: "http://localhost/v1/audio/transcriptions",
      finals: ([, body = "{}"]: readonly string[]) =>
        (v.parse(verboseSchema, JSON.parse(body)).segments ?? []).map(({ text, start, end }) => {
          return { text, start: rounded(start), end: rounded(end) };
        }),
    },
    check: (message: string) =>
      void v.parse(v.union([answerHeadSchema, verboseSchema, transcriptionSchema, errorSchema]), JSON.parse(message)),
  },
};
