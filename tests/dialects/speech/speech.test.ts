import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { Client, credentials, type StatusObject } from "@grpc/grpc-js";

import type { Dialect, Input, Message } from "../../../src/dialects/dialect.ts";
import { googleV1 } from "../../../src/dialects/google/v1.ts";
import { googleV2 } from "../../../src/dialects/google/v2.ts";
import { serviceOf } from "../../../src/dialects/grpc-methods.ts";
import { riva } from "../../../src/dialects/riva/api.ts";
import { type Plain, type SpeechApi, typesOf } from "../../../src/dialects/speech/api.ts";
import { speechMethods } from "../../../src/dialects/speech/methods.ts";
import { errorEvent } from "../../../src/protocol/error-event.ts";
import type { ServerEvent } from "../../../src/protocol/events.ts";
import { encode, speech, wav } from "../../support/audio.ts";
import { configure, InProcessServer } from "../../support/in-process-server.ts";
import { freePort } from "../../support/proxies.ts";
import { S16_MONO } from "../../support/requests.ts";
import { withTimeout } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const methodOf = (api: SpeechApi, isWhole = false) => speechMethods(api)[isWhole ? 1 : 0]!;

/** Opens a call with this first message, as clients send it. Returns its dialect, which has read that. */
function opened(api: SpeechApi, request: Plain, settings = {}): Dialect & { readonly inputs: readonly Input[] } {
  const method = methodOf(api);
  const [first = ""] = method.read(typesOf(api).streamRequest.encode(request).finish());
  const dialect = method.open(first, configure(settings), []).create("id");
  return Object.assign(dialect, { inputs: dialect.read(first) });
}

const asked = (config: Plain, more: Plain = {}): Plain => ({ streaming_config: { config, ...more } });
const pcm = { encoding: 1, sample_rate_hertz: 16_000 };
const STARTED: ServerEvent = {
  ...{ type: "started", stream: 0, session: "id", pattern: "segmented", model: "m" },
  ...{ format: { ...S16_MONO, encoding: "pcm" }, vad: undefined },
} as unknown as ServerEvent;
const segment = (start_time: number, end_time: number, text: string, more = {}): ServerEvent => {
  return { type: "segment", channel: 0, start_time, end_time, text, ...more };
};

function told(api: SpeechApi, messages: readonly Message[]): unknown[] {
  const { streamResponse: type } = typesOf(api);
  return messages.map((message) => type.toObject(type.decode(message as Uint8Array), { longs: Number }));
}

/** The formats that inputs start streams of, and the bytes of their audio. */
function outcome(inputs: readonly Input[]): { readonly formats: unknown[]; readonly bytes: number } {
  const formats = inputs.flatMap((input): unknown[] => {
    if (input.kind === "refused") return [input.error.message];
    return input.kind === "request" && input.request.request === "start" ? [input.request.format] : [];
  });
  const bytes = inputs.reduce((sum, input) => sum + (input.kind === "audio" ? input.bytes.length : 0), 0);
  return { formats, bytes };
}

describe("the format of a call", () => {
  const header = wav({ channels: 2, sample_rate: 8_000, bit_depth: 16, is_float: false }, Buffer.alloc(400));
  const formatOf = ({ inputs }: { readonly inputs: readonly Input[] }) => outcome(inputs).formats[0];

  test("is what the configuration says, with the numbers of each API", () => {
    expect(formatOf(opened(riva, asked({ ...pcm, audio_channel_count: 2 })))).toMatchObject({
      ...{ channels: 2, sample_rate: 16_000, bit_depth: 16 },
    });
    const law = (api: SpeechApi, config: Plain) => formatOf(opened(api, asked(config)));
    const explicit = (encoding: number) => ({ explicit_decoding_config: { encoding, sample_rate_hertz: 8_000 } });
    const rate = { sample_rate_hertz: 8_000 };
    expect(law(riva, { ...rate, encoding: 3 })).toMatchObject({ encoding: "mulaw", sample_rate: 8_000 });
    expect(law(riva, { ...rate, encoding: 20 })).toMatchObject({ encoding: "alaw" });
    expect(law(googleV1, { ...rate, encoding: 3 })).toMatchObject({ encoding: "mulaw" });
    expect(law(googleV2, explicit(2))).toMatchObject({ encoding: "mulaw" });
    expect(law(googleV2, explicit(3))).toMatchObject({ encoding: "alaw" });
  });

  test("is that of a WAV header when no encoding is said, however it is cut, or 16-bit PCM when there is none", () => {
    for (const config of [{}, { sample_rate_hertz: 48_000 }]) {
      const dialect = opened(riva, asked(config));
      const inputs = [...header].flatMap((byte) => [...dialect.read(Uint8Array.of(byte))]);
      expect(outcome(inputs)).toMatchObject({ formats: [{ channels: 2, sample_rate: 8_000 }], bytes: header.length });
    }
    const raw = opened(riva, asked({ sample_rate_hertz: 48_000, audio_channel_count: 2 }));
    const inputs = [new Uint8Array(1), new Uint8Array(5), new Uint8Array(10)].flatMap((bytes) => [...raw.read(bytes)]);
    expect(outcome(inputs)).toMatchObject({
      formats: [{ channels: 2, sample_rate: 48_000, bit_depth: 16 }],
      bytes: 16,
    });
    const [problem] = outcome(opened(googleV2, asked({})).read(Buffer.alloc(64))).formats;
    expect(problem).toContain("the audio has no WAV header that says its format");
  });

  test("is refused in the client's names", () => {
    const refusal = (api: SpeechApi, config: Plain): string => {
      try {
        opened(api, asked(config));
      } catch (error) {
        return (error as Error).message;
      }
      return "";
    };
    expect(refusal(riva, { ...pcm, sample_rate_hertz: -5 })).toStartWith("sample_rate_hertz: found -5; allowed");
    expect(refusal(riva, { ...pcm, audio_channel_count: 99 })).toStartWith("audio_channel_count: found 99; allowed");
    expect(refusal(googleV1, { ...pcm, encoding: 8 })).toStartWith("encoding: found MP3; allowed: LINEAR16, MULAW");
    expect(refusal(googleV1, { ...pcm, encoding: 77 })).toStartWith("encoding: found 77; allowed: LINEAR16, MULAW");
  });
});

test("silence that a client of Riva asks for is kept within limits", () => {
  const silence = (stop_history: number): unknown => {
    const [start] = opened(riva, asked({ ...pcm, endpointing_config: { stop_history } })).inputs;
    return start?.kind === "request" && start.request.request === "start" ? start.request.vad : undefined;
  };
  expect(silence(10)).toMatchObject({ min_silence_ms: 300 });
  expect(silence(800)).toMatchObject({ min_silence_ms: 800 });
});

test("a second configuration is refused, and a message with nothing in it does nothing", () => {
  const dialect = opened(riva, asked(pcm));
  expect(dialect.read("{}")).toMatchObject([{ kind: "refused" }]);
  expect([...methodOf(riva).read(new Uint8Array(0))]).toEqual([]);
  expect(() => [...methodOf(riva).read(Uint8Array.of(255, 255))]).toThrow("found no protobuf");
  expect(() => methodOf(riva).open(new Uint8Array(2), configure(), [])).toThrow("found audio as the first message");
});

test("a call on parts of which the model has failed does not end with OK", () => {
  const dialect = opened(riva, asked(pcm));
  dialect.write(STARTED);
  expect(told(riva, dialect.write(segment(0, 1, "a")))).toMatchObject([{ results: [{ is_final: true }] }]);
  const failure = errorEvent({ code: "inference_failed", message: "no", channel: 0, start_time: 1, end_time: 2 });
  expect(dialect.write(failure)).toEqual([]);
  expect(dialect.endsAt?.("inference_failed")).toBeFalse();
  const reason = "the model has failed on parts of the audio, 1 in all: no";
  expect(dialect.close("stop", "")).toMatchObject({ code: 13, reason });
});

test("the status says why the call has ended, and not what has become of its spans then", () => {
  const dialect = opened(riva, asked(pcm));
  dialect.write(STARTED);
  const code = "format_mismatch";
  dialect.write(errorEvent({ code, message: "no answer", channel: 0, start_time: 1, end_time: 2 }));
  dialect.write(errorEvent({ code, message: "another header" }));
  expect(dialect.close(code, "no answer")).toMatchObject({ code: 3, reason: "another header" });
});

test("a single utterance ends with its final, and nothing of the next one is told or read", () => {
  const dialect = opened(googleV1, asked(pcm, { single_utterance: true, enable_voice_activity_events: true }));
  const events: ServerEvent[] = [
    STARTED,
    { type: "active", channel: 0, time: 0.5 },
    { type: "inactive", channel: 0, time: 1.5 },
    { type: "active", channel: 0, time: 2 },
    segment(0.5, 1.6, "the one"),
    segment(2, 3, "the next", { is_final: false }),
  ] as ServerEvent[];
  const messages = told(
    googleV1,
    events.flatMap((event) => [...dialect.write(event)]),
  );
  expect(messages).toMatchObject([
    { speech_event_type: 2, speech_event_time: { nanos: 500_000_000 } },
    { speech_event_type: 3, speech_event_time: { seconds: 1, nanos: 500_000_000 } },
    { speech_event_type: 1 },
    { results: [{ is_final: true, alternatives: [{ transcript: "the one" }] }] },
  ]);
  const stop = { kind: "request", request: { request: "stop", disconnect: true } } as const;
  expect([...dialect.read(new Uint8Array(2)), ...dialect.read(new Uint8Array(2))]).toEqual([stop]);
});

test("the recognizer of version 2 names a model, unless it has none", () => {
  const model = (recognizer: string, config: Plain = {}) => googleV2.wishes({ recognizer, ...asked(config) }).model;
  const place = "projects/p/locations/l/recognizers/";
  expect([model(`${place}_`), model(`${place}ours`), model(`${place}ours`, { model: "long" }), model("")]).toEqual([
    undefined,
    "ours",
    "long",
    undefined,
  ]);
});

test("a file elsewhere is refused, and so is none", () => {
  const { wholeRequest } = typesOf(googleV1);
  const read = (audio: Plain) => [
    ...methodOf(googleV1, true).read(wholeRequest.encode({ config: pcm, audio }).finish()),
  ];
  expect(() => read({ uri: "gs://b/f" })).toThrow("uri: found one; allowed: content");
  expect(() => read({})).toThrow("audio: found none");
  expect(
    read({ content: new Uint8Array(40_000) })
      .map(({ length }) => length)
      .slice(1),
  ).toEqual([32_768, 7_232]);
});

test("the methods of a dialect that is switched off do not exist", async () => {
  const port = await freePort();
  await using server = await InProcessServer.start({ "grpc.port": port, "dialects.enabled": "streamer,google" });
  const client = new Client(`localhost:${port}`, credentials.createInsecure());
  const same = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
  const call = (api: SpeechApi, messages: readonly Uint8Array[]): Promise<[StatusObject, number]> => {
    const { path } = methodOf(api);
    const call = client.makeBidiStreamRequest(path, same, same);
    const { promise, resolve } = Promise.withResolvers<[StatusObject, number]>();
    let answers = 0;
    call.on("data", () => (answers += 1));
    call.on("error", () => {});
    call.on("status", (status: StatusObject) => resolve([status, answers]));
    for (const message of messages) call.write(message);
    call.end();
    return withTimeout("the end of a call", promise);
  };
  try {
    const [off] = await call(riva, []);
    expect(off.code).toBe(12);
    const request = (message: Plain): Uint8Array => typesOf(googleV1).streamRequest.encode(message).finish();
    const audio = request({ audio_content: encode("s16", speech([0.6])) });
    const [on, answers] = await call(googleV1, [request(asked(pcm)), audio]);
    expect([on.code, answers]).toEqual([0, 1]);
    const { dialects } = (await server.info()) as unknown as { dialects: { name: string; port?: number }[] };
    expect(dialects.filter((dialect) => dialect.port === port).map(({ name }) => name)).toEqual(["grpc", "google"]);
    expect(serviceOf(methodOf(googleV1))).toBe("google.cloud.speech.v1.Speech");
    await server.waitUntilIdle();
    expect((await server.metrics()).value("streamer_sessions_opened_total", { dialect: "google" })).toBe(1);
  } finally {
    client.close();
  }
});
