import { describe, expect, test } from "bun:test";

import * as v from "valibot";

import type { DeepgramDialect } from "../../../src/dialects/deepgram/dialect.ts";
import { serverMessageSchema } from "../../../src/dialects/deepgram/messages.ts";
import { deepgram } from "../../../src/dialects/deepgram/route.ts";
import type { Input, Message, OfferedModel } from "../../../src/dialects/dialect.ts";
import { errorEvent } from "../../../src/protocol/error-event.ts";
import type { ServerEvent } from "../../../src/protocol/events.ts";
import { encode, noise, wav } from "../../support/audio.ts";
import { configure, type Settings } from "../../support/in-process-server.ts";
import { S16_MONO } from "../../support/requests.ts";
import { startedEvent } from "../../support/wire.ts";

const FORMAT = "encoding=linear16&sample_rate=16000";
const SESSION = "bwsKDj8MTz6dNR-PfZ8sEQ";
const REQUEST_ID = "6f0b0a0e-3f0c-4f3e-9d35-1f8f7d9f2c11";
const MODEL: OfferedModel = { name: "words", keepsState: false, options: ["language", "vocabulary"] };

function opened(query: string, settings: Settings = {}, models: readonly OfferedModel[] = [MODEL]) {
  return deepgram.open("/v1/listen", new Request(`http://localhost/v1/listen?${query}`), configure(settings), models);
}

/** Returns the dialect of a connection. */
function listen(query = FORMAT, settings: Settings = {}): DeepgramDialect {
  return opened(query, settings).create(SESSION) as DeepgramDialect;
}

/** Returns the fields of the start that a query comes to. */
function startOf(query: string, settings: Settings = {}, models?: readonly OfferedModel[]): object {
  const [input] = opened(query, settings, models).create(SESSION).begin();
  if (input?.kind !== "request" || input.request.request !== "start") throw new Error("no start");
  return input.request;
}

const parse = (messages: readonly Message[]) => {
  return messages.map((message) => v.parse(serverMessageSchema, JSON.parse(message as string)));
};
const replies = (inputs: readonly Input[]) => {
  return parse(inputs.flatMap((input) => (input.kind === "reply" ? [...input.messages()] : [])));
};
const write = (dialect: DeepgramDialect, ...events: readonly ServerEvent[]) => {
  return parse(events.flatMap((event) => [...dialect.write(event)]));
};
const started = startedEvent({ model: "words" });
const segment = (fields: object): ServerEvent => {
  return { type: "segment", start_time: 0.12, end_time: 2.02, is_final: true, channel: 0, ...fields };
};

describe("the start that a query comes to", () => {
  test("has the format, and the model only if it is one of this server's", () => {
    expect(startOf(`${FORMAT}&model=nova-3&interim_results=true`)).toMatchObject({
      format: S16_MONO,
      interim_results: true,
    });
    expect(startOf(`${FORMAT}&model=nova-3`)).not.toHaveProperty("model");
    expect(startOf(`${FORMAT}&model=words`)).toMatchObject({ model: "words" });
  });

  test("has the silence of endpointing within dialects.min_silence_ms and what is possible", () => {
    const silence = (query: string, settings: Settings = {}) => {
      return (startOf(`${FORMAT}&${query}`, settings) as { vad?: { min_silence_ms: number } }).vad?.min_silence_ms;
    };
    expect(["10", "800", "99999", "false"].map((value) => silence(`endpointing=${value}`))).toEqual([
      300, 800, 5_000, 5_000,
    ]);
    expect(silence("endpointing=10", { "dialects.min_silence_ms": 100 })).toBe(100);
    expect(silence("endpointing=true")).toBeUndefined();
  });

  test("has no voice activity detection for a model that keeps state", () => {
    const models = [{ name: "cached", keepsState: true }];
    expect(startOf(`${FORMAT}&endpointing=10`, {}, models)).not.toHaveProperty("vad");
    expect(opened(FORMAT, {}, models).pattern.name).toBe("stateful");
  });

  test("has the language and the words that are likely, if the model takes them", () => {
    const query = `${FORMAT}&language=en&keyterm=Streamer`;
    expect(startOf(query)).toMatchObject({ options: { language: "en", vocabulary: ["Streamer"] } });
    expect(startOf(query, {}, [{ ...MODEL, options: undefined }])).not.toHaveProperty("options");
    expect(() => startOf(`${query}&keyterm=${"x".repeat(5_000)}`)).toThrow("keyterm: found more than 4096 bytes");
  });

  test("waits for the header of a WAV file without an encoding", () => {
    const file = wav(S16_MONO, encode("s16", noise(0.01)));
    const dialect = listen("interim_results=true");
    expect(dialect.begin()).toEqual([]);
    expect(dialect.read(file.subarray(0, 20))).toEqual([]);
    expect(dialect.read(file.subarray(20))).toMatchObject([
      { kind: "request", request: { request: "start", format: S16_MONO, interim_results: true } },
      { kind: "audio", bytes: file.subarray(0, 20) },
      { kind: "audio", bytes: file.subarray(20) },
    ]);
    expect(dialect.read(file)).toMatchObject([{ kind: "audio" }]);
  });

  test("is refused, and ends the connection, where the audio has no such header", () => {
    const dialect = listen("");
    const [refused] = dialect.read(new Uint8Array(16));
    expect(refused).toMatchObject({ kind: "refused", meant: "start", error: { code: "unsupported_format" } });
    expect(dialect.endsAt("unsupported_format")).toBeTrue();
    expect(dialect.close("unsupported_format", "no header")).toMatchObject({
      code: 1008,
      reason: "DATA-0000: no header",
    });
  });
});

test("a client that sends a file at full speed is read further ahead than others", () => {
  expect(opened(FORMAT).traits.inboxBytes).toBe(8_388_608);
  expect(opened(FORMAT, { "dialects.inbox_bytes": 4_096 }).traits.inboxBytes).toBe(262_144);
});

describe("a client's texts", () => {
  test("are requests", () => {
    const kinds = ["KeepAlive", "Finalize", "CloseStream"].map((type) => listen().read(JSON.stringify({ type })));
    expect(kinds).toEqual([
      [{ kind: "request", request: { request: "keep_alive" } }],
      [{ kind: "request", request: { request: "flush" } }],
      [{ kind: "request", request: { request: "stop", disconnect: true } }],
    ]);
    expect(listen().read(new Uint8Array(0))).toEqual(kinds[2] as Input[]);
  });

  test("that are not understood are answered, and so is a change of the options", () => {
    const dialect = listen();
    expect(replies(dialect.read('{"type":"Sing"}'))).toEqual([
      {
        type: "Error",
        variant: "SchemaError",
        description: 'type: found "Sing"; allowed: KeepAlive, Finalize, CloseStream, Configure',
        message: '{"type":"Sing"}',
      },
    ]);
    expect(replies(dialect.read("{"))).toMatchObject([{ type: "Error", variant: "SchemaError" }]);
    expect(replies(dialect.read('{"type":"Configure","keyterms":["a"]}'))).toMatchObject([
      { type: "ConfigureFailure", request_id: REQUEST_ID },
    ]);
  });

  test("that finalize before any audio are answered at once; one that closes ends well", () => {
    const dialect = listen("");
    expect(replies(dialect.read('{"type":"Finalize"}'))).toMatchObject([{ type: "Results", from_finalize: true }]);
    expect(dialect.read('{"type":"CloseStream"}')).toMatchObject([{ kind: "request" }]);
    expect(dialect.endsAt("no_stream")).toBeTrue();
    const { code, last = [] } = dialect.close("no_stream", "stop: no stream is open");
    expect([code, parse(last)]).toEqual([1000, [expect.objectContaining({ type: "Metadata", duration: 0 })]]);
  });
});

describe("a result", () => {
  test("has the times, the words and the names of everything that clients read", () => {
    const dialect = listen();
    const text = "turn left here";
    expect(
      write(dialect, started, { type: "inactive", time: 2, channel: 0 }, segment({ text, language: "en" })),
    ).toEqual([
      {
        type: "Results",
        channel_index: [0, 1],
        start: 0.12,
        duration: 1.9,
        is_final: true,
        speech_final: true,
        from_finalize: false,
        channel: {
          alternatives: [
            {
              transcript: text,
              confidence: 1,
              words: [
                { word: "turn", start: 0.12, end: 0.753333, confidence: 1, punctuated_word: "turn", language: "en" },
                {
                  word: "left",
                  start: 0.753333,
                  end: 1.386667,
                  confidence: 1,
                  punctuated_word: "left",
                  language: "en",
                },
                { word: "here", start: 1.386667, end: 2.02, confidence: 1, punctuated_word: "here", language: "en" },
              ],
            },
          ],
        },
        metadata: {
          request_id: REQUEST_ID,
          model_uuid: "00000000-0000-0000-0000-000000000000",
          model_info: { name: "words", version: "1.0", arch: "streamer" },
        },
      },
    ]);
  });

  test("that is an interim ends nothing", () => {
    expect(write(listen(), started, segment({ is_final: false, text: "turn" }))).toMatchObject([
      { type: "Results", is_final: false, speech_final: false, from_finalize: false },
    ]);
  });

  test("has the model's other fields with dialects.extras", () => {
    const event = segment({ text: "turn", count: 7 });
    expect(write(listen(FORMAT, { "dialects.extras": "on" }), started, event)).toMatchObject([
      { streamer: { count: 7 } },
    ]);
    expect(write(listen(), started, event)[0]).not.toHaveProperty("streamer");
  });

  test("that answers Finalize is marked, also where nothing was said", () => {
    const dialect = listen();
    write(dialect, started);
    dialect.read('{"type":"Finalize"}');
    dialect.read('{"type":"Finalize"}');
    expect(write(dialect, segment({ text: "turn" }))).toEqual([]);
    expect(write(dialect, { type: "flushed", time: 2.5, channel: 0 })).toMatchObject([
      { from_finalize: true, speech_final: true, channel: { alternatives: [{ transcript: "turn" }] } },
    ]);
    expect(write(dialect, { type: "flushed", time: 2.5, channel: 0 })).toMatchObject([
      { from_finalize: true, start: 2.5, duration: 0, channel: { alternatives: [{ transcript: "", words: [] }] } },
    ]);
  });

  test("that is only sound is not reported, unless it answers Finalize", () => {
    const dialect = listen();
    const sound = segment({ audio: { bytes: 4, sample_rate: 8_000 } });
    expect(write(dialect, started, sound)).toEqual([]);
    dialect.read('{"type":"Finalize"}');
    expect(write(dialect, sound, { type: "flushed", time: 3, channel: 0 })).toMatchObject([{ from_finalize: true }]);
  });
});

describe("speech events", () => {
  const speech: ServerEvent[] = [
    { type: "active", time: 0.32, channel: 0 },
    { type: "inactive", time: 2, channel: 0 },
  ];

  test("are sent to clients that ask for them", () => {
    expect(write(listen(`${FORMAT}&vad_events=true`), started, ...speech)).toEqual([
      { type: "SpeechStarted", channel: [0, 1], timestamp: 0.32 },
    ]);
    expect(write(listen(), started, ...speech)).toEqual([]);
  });

  test("include the end of an utterance, behind its result and not before", () => {
    const dialect = listen(`${FORMAT}&utterance_end_ms=1000`);
    expect(write(dialect, started, ...speech)).toEqual([]);
    expect(dialect.decoded?.(3)).toEqual([]);
    expect(write(dialect, segment({ text: "turn" }))).toMatchObject([
      { type: "Results" },
      { type: "UtteranceEnd", channel: [0, 1], last_word_end: 2.02 },
    ]);
    expect(listen().decoded).toBeUndefined();
  });
});

describe("errors and ends", () => {
  test("of one call of the model are told, and the stream goes on", () => {
    const dialect = listen();
    write(dialect, started);
    const error = errorEvent({
      code: "inference_failed",
      message: "it failed",
      channel: 0,
      start_time: 0,
      end_time: 1,
    });
    expect(write(dialect, error)).toEqual([
      { type: "Error", variant: "ModelError", description: "it failed", message: "inference_failed" },
    ]);
    expect(dialect.endsAt("inference_failed")).toBeFalse();
  });

  test("of the stream are the close, whatever it is", () => {
    const dialect = listen();
    expect(write(dialect, errorEvent({ code: "overloaded", message: "full" }))).toEqual([]);
    expect(dialect.endsAt("overloaded")).toBeTrue();
    write(dialect, started);
    expect([dialect.endsAt("format_mismatch"), dialect.endsAt("too_many_requests")]).toEqual([true, false]);
    const codes = (["stop", "drain", "overloaded", "idle_timeout", "internal", "message_too_big"] as const).map(
      (ending) => dialect.close(ending, "why"),
    );
    expect(codes.map(({ code, reason }) => `${code} ${reason}`.trim())).toEqual([
      "1000",
      "1001",
      "1013 overloaded: why",
      "1011 NET-0001: why",
      "1011 NET-0000: why",
      "1009 message_too_big: why",
    ]);
  });

  test("a close has as much of the explanation as fits, and no half character", () => {
    const { reason } = listen().close("unsupported_format", "é".repeat(100));
    expect(reason).toBe(`DATA-0000: ${"é".repeat(56)}`);
  });

  test("a good end has the duration of the audio in Metadata", () => {
    const ledger = { decoded: 1, inferred: 1, silent: 0, failed: 0, segments: 0, interims: 0, errors: 0 };
    const channels = [{ channel: 0, received: 96_000, received_rate: 48_000, ...ledger }];
    const stopped = { type: "stopped", channels, trailing_bytes: 0, skipped_bytes: 0 } as const;
    expect(write(listen(), started, { ...stopped, reason: "stop" })).toEqual([
      expect.objectContaining({ type: "Metadata", request_id: REQUEST_ID, duration: 2, channels: 1 }),
    ]);
    expect(write(listen(), started, { ...stopped, reason: "error" })).toEqual([]);
  });
});
