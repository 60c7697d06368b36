import { describe, expect, test } from "bun:test";

import * as v from "valibot";

import { AssemblyAiDialect } from "../../../src/dialects/assemblyai/dialect.ts";
import { errorSchema, serverMessageSchema } from "../../../src/dialects/assemblyai/messages.ts";
import { assemblyai } from "../../../src/dialects/assemblyai/route.ts";
import type { Message, OfferedModel } from "../../../src/dialects/dialect.ts";
import { errorEvent } from "../../../src/protocol/error-event.ts";
import { ProtocolError } from "../../../src/protocol/errors.ts";
import type { ServerEvent } from "../../../src/protocol/events.ts";
import { configure, type Settings } from "../../support/in-process-server.ts";
import { S16_MONO } from "../../support/requests.ts";
import { startedEvent } from "../../support/wire.ts";

const FORMAT = "sample_rate=16000";
const SESSION = "bwsKDj8MTz6dNR-PfZ8sEQ";
const ID = "6f0b0a0e-3f0c-4f3e-9d35-1f8f7d9f2c11";
const MODEL: OfferedModel = { name: "words", keepsState: false, options: ["language", "vocabulary", "prompt"] };

function opened(query: string, settings: Settings = {}, models: readonly OfferedModel[] = [MODEL]) {
  const url = `http://localhost/v3/ws?${query}`;
  return assemblyai.open("/v3/ws", new Request(url), configure(settings), models);
}

/** Returns the dialect of a connection. */
function connect(query = FORMAT, settings: Settings = {}): AssemblyAiDialect {
  return opened(query, settings).create(SESSION) as AssemblyAiDialect;
}

/** Returns the fields of the start that a query comes to. */
function startOf(query: string, settings: Settings = {}, models?: readonly OfferedModel[]): object {
  const [, input] = opened(query, settings, models).create(SESSION).begin();
  if (input?.kind !== "request" || input.request.request !== "start") throw new Error("no start");
  return input.request;
}

const parse = (messages: readonly Message[]) => {
  return messages.map((message) => v.parse(serverMessageSchema, JSON.parse(message as string)));
};
const write = (dialect: AssemblyAiDialect, ...events: readonly ServerEvent[]) => {
  return parse(events.flatMap((event) => [...dialect.write(event)]));
};
const started = startedEvent({ model: "words" });
const segment = (fields: object): ServerEvent => {
  return { type: "segment", start_time: 0.12, end_time: 2.02, is_final: true, channel: 0, ...fields };
};
const inactive: ServerEvent = { type: "inactive", time: 2, channel: 0 };

describe("a connection", () => {
  test("begins with its id, its end and its model, before its stream starts", () => {
    const [begin, start] = connect(FORMAT, { "limits.session_ms": 60_000 }).begin();
    const [message] = begin?.kind === "reply" ? parse(begin.messages()) : [];
    expect(message).toMatchObject({ type: "Begin", id: ID, configuration: { model: "words", api_version: "v3" } });
    const seconds = (message?.type === "Begin" ? message.expires_at : 0) - Date.now() / 1000;
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(61);
    expect(start).toMatchObject({ kind: "request", request: { request: "start", format: S16_MONO } });
  });

  test("without a limit of time ends far off, and as a date that every client can read", () => {
    const [begin] = connect(FORMAT, { "limits.session_ms": 0 }).begin();
    const [message] = begin?.kind === "reply" ? parse(begin.messages()) : [];
    const expires = message?.type === "Begin" ? message.expires_at : 0;
    expect(expires).toBeGreaterThan(Date.now() / 1000 + 86_400);
    // Above this, libraries take it for milliseconds.
    expect(expires).toBeLessThan(2e10);
  });

  test("may be silent for long, unless it asks for a limit; then pings do not count", () => {
    expect(opened(FORMAT).traits).toMatchObject({ idleTimeoutMs: 900_000, pingsCount: true });
    expect(opened(`${FORMAT}&inactivity_timeout=30`).traits).toMatchObject({
      idleTimeoutMs: 30_000,
      pingsCount: false,
    });
    expect(opened(`${FORMAT}&inactivity_timeout=0`).traits.idleTimeoutMs).toBe(5_000);
    expect(opened(`${FORMAT}&inactivity_timeout=99999`).traits.idleTimeoutMs).toBe(3_600_000);
  });

  test("has its key in the header, with a scheme or without, or in the query where that is accepted", () => {
    const url = `http://localhost/v3/ws?${FORMAT}&token=from-query`;
    const shown = (authorization: string, queryTokens = false) => {
      return assemblyai.credentials(new Request(url, { headers: { authorization } }), queryTokens).token;
    };
    expect([shown("secret"), shown("Bearer secret"), shown("bearer  secret ")]).toEqual(["secret", "secret", "secret"]);
    expect([shown(""), shown("", true), shown("secret", true)]).toEqual([undefined, "from-query", "secret"]);
  });
});

describe("the start that a query comes to", () => {
  test("has the format and partial turns, and the model only if it is one of this server's", () => {
    expect(startOf(`${FORMAT}&speech_model=universal-3-6-pro`)).toMatchObject({
      format: S16_MONO,
      interim_results: true,
    });
    expect(startOf(`${FORMAT}&speech_model=universal-3-6-pro`)).not.toHaveProperty("model");
    expect(startOf(`${FORMAT}&speech_model=words`)).toMatchObject({ model: "words" });
    expect(startOf(`${FORMAT}&include_partial_turns=false`)).toMatchObject({ interim_results: false });
  });

  test("has the silence of a turn within dialects.min_silence_ms and what is possible, and its left pad", () => {
    const vad = (query: string, settings: Settings = {}) => {
      return (startOf(`${FORMAT}&${query}`, settings) as { vad?: Record<string, number> }).vad;
    };
    const silences = ["100", "800", "99999"].map((ms) => vad(`min_turn_silence=${ms}`)?.["min_silence_ms"]);
    expect(silences).toEqual([300, 800, 5_000]);
    expect(vad("min_turn_silence=100", { "dialects.min_silence_ms": 50 })).toEqual({ min_silence_ms: 100 });
    expect(vad("turn_left_pad_ms=99999")).toEqual({ pre_roll_ms: 1_000 });
    expect(vad("max_turn_silence=400")).toBeUndefined();
  });

  test("has no voice activity detection for a model that keeps state", () => {
    const models = [{ name: "cached", keepsState: true }];
    expect(startOf(`${FORMAT}&min_turn_silence=10`, {}, models)).not.toHaveProperty("vad");
    expect(opened(FORMAT, {}, models).pattern.name).toBe("stateful");
  });

  test("has the language, the likely words and the prompt, if the model takes them", () => {
    const query = `${FORMAT}&language_codes=["en"]&keyterms_prompt=["Streamer"]&prompt=a call`;
    const options = { language: "en", vocabulary: ["Streamer"], prompt: "a call" };
    expect(startOf(query)).toMatchObject({ options });
    expect(startOf(query, {}, [{ ...MODEL, options: undefined }])).not.toHaveProperty("options");
    expect(() => startOf(`${FORMAT}&prompt=${"x".repeat(5_000)}`)).toThrow("options: found 5013 bytes");
  });
});

describe("a client's texts", () => {
  test("are requests", () => {
    const kinds = ["KeepAlive", "ForceEndpoint", "Terminate"].map((type) => connect().read(JSON.stringify({ type })));
    expect(kinds).toEqual([
      [{ kind: "request", request: { request: "keep_alive" } }],
      [{ kind: "request", request: { request: "flush" } }],
      [{ kind: "request", request: { request: "stop", disconnect: true } }],
    ]);
  });

  test("can change whether turns are formatted; the rest of a configuration stays as it was", () => {
    const dialect = connect();
    write(dialect, started);
    const update = { type: "UpdateConfiguration", format_turns: true, min_turn_silence: 700, keyterms_prompt: ["a"] };
    expect(dialect.read(JSON.stringify(update))).toEqual([{ kind: "request", request: { request: "keep_alive" } }]);
    expect(write(dialect, segment({ text: "turn" }))).toMatchObject([{ turn_is_formatted: true }]);
    dialect.read('{"type":"UpdateConfiguration","prompt":"a call","format_turns":null}');
    expect(write(dialect, segment({ text: "left" }))).toMatchObject([{ turn_is_formatted: true }]);
  });

  test.each([
    ["{", "invalid_json", "allowed: one JSON object"],
    ["null", "unknown_request", "type: found null; allowed: ForceEndpoint, KeepAlive, Terminate, UpdateConfiguration"],
    ['{"type":"Sing"}', "unknown_request", 'type: found "Sing"; allowed: ForceEndpoint'],
    ['{"terminate_session":true}', "unknown_request", "type: found nothing; allowed: ForceEndpoint"],
    ['{"type":"UpdateConfiguration","format_turns":"yes"}', "invalid_request", 'format_turns: found "yes"; allowed:'],
  ] as const)("that are not understood, such as %s, end the connection with what is allowed", (text, code, message) => {
    const dialect = connect();
    write(dialect, started);
    const [refused] = dialect.read(text);
    const error = refused?.kind === "refused" ? refused.error : undefined;
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(dialect.endsAt(code)).toBeTrue();
    const { code: close, last = [] } = dialect.close(code, message);
    expect([close, parse(last)]).toEqual([4101, [{ type: "Error", error_code: 4101, error: message }]]);
  });
});

describe("a turn", () => {
  test("has everything that clients insist on, its times in whole milliseconds", () => {
    const dialect = connect(`${FORMAT}&format_turns=true`);
    const text = "turn left here";
    expect(write(dialect, started, inactive, segment({ text, language: "en" }))).toEqual([
      {
        type: "Turn",
        turn_order: 0,
        turn_is_formatted: true,
        end_of_turn: true,
        transcript: text,
        utterance: text,
        end_of_turn_confidence: 1,
        words: [
          { text: "turn", start: 120, end: 753, confidence: 1, word_is_final: true },
          { text: "left", start: 753, end: 1_387, confidence: 1, word_is_final: true },
          { text: "here", start: 1_387, end: 2_020, confidence: 1, word_is_final: true },
        ],
        language_code: "en",
      },
    ]);
  });

  test("that goes on is partial; the next one has the next number", () => {
    const dialect = connect(`${FORMAT}&format_turns=true`);
    const partial = segment({ is_final: false, text: "turn", language: "en" });
    const turns = write(dialect, started, partial, segment({ text: "turn left" }), partial);
    expect(turns).toMatchObject([
      { turn_order: 0, end_of_turn: false, turn_is_formatted: false, end_of_turn_confidence: 0, utterance: "" },
      { turn_order: 0, end_of_turn: true, turn_is_formatted: true },
      { turn_order: 1, end_of_turn: false, words: [{ text: "turn", word_is_final: false }] },
    ]);
    expect(turns[0]).not.toHaveProperty("language_code");
  });

  test("without a text ends what has begun, and is not reported otherwise", () => {
    const dialect = connect();
    const empty = segment({ text: "" });
    expect(write(dialect, started, segment({ is_final: false, text: "" }), empty)).toEqual([]);
    const ended = { type: "Turn", end_of_turn: true, transcript: "", words: [] };
    expect(write(dialect, segment({ is_final: false, text: "turn" }), empty)).toMatchObject([
      { end_of_turn: false, turn_order: 0 },
      { ...ended, turn_order: 0 },
    ]);
    // Its speech has been reported.
    expect(write(dialect, inactive, empty)).toMatchObject([{ ...ended, turn_order: 1 }]);
    expect(write(dialect, segment({ audio: { bytes: 4, sample_rate: 8_000 } }))).toEqual([]);
  });

  test("ends at ForceEndpoint, which has no answer where there is none", () => {
    const dialect = connect();
    write(dialect, started);
    dialect.read('{"type":"ForceEndpoint"}');
    dialect.read('{"type":"ForceEndpoint"}');
    const flushed: ServerEvent = { type: "flushed", time: 2.5, channel: 0 };
    expect(write(dialect, segment({ text: "turn" }), flushed, flushed)).toMatchObject([
      { turn_order: 0, end_of_turn: true, transcript: "turn" },
    ]);
    // Speech that goes on has been reported, so that its turn has an end, too.
    dialect.read('{"type":"ForceEndpoint"}');
    expect(write(dialect, segment({ text: "" }), flushed)).toMatchObject([
      { turn_order: 1, end_of_turn: true, transcript: "" },
    ]);
  });

  test("is also the result of a whole stream, and has the model's other fields with dialects.extras", () => {
    const dialect = connect(FORMAT, { "dialects.extras": "on" });
    expect(write(dialect, started, { type: "data", channel: 0, text: "turn", count: 7 })).toMatchObject([
      { end_of_turn: true, transcript: "turn", streamer: { count: 7 } },
    ]);
  });
});

test("the begin of speech is reported in milliseconds", () => {
  expect(write(connect(), started, { type: "active", time: 0.3204, channel: 0 })).toEqual([
    { type: "SpeechStarted", timestamp: 320 },
  ]);
});

describe("errors and ends", () => {
  test("of one call of the model are warnings, and the stream goes on", () => {
    const dialect = connect();
    write(dialect, started);
    const place = { channel: 0, start_time: 0, end_time: 1 };
    expect(write(dialect, errorEvent({ code: "inference_failed", message: "it failed", ...place }))).toEqual([
      { type: "Warning", warning_code: 3005, warning: "inference_failed: it failed" },
    ]);
    expect(dialect.endsAt("inference_failed")).toBeFalse();
  });

  test("of the stream are the last message, behind all results, and the close has the same code", () => {
    const dialect = connect();
    expect(dialect.endsAt("model_unavailable")).toBeTrue();
    write(dialect, started);
    const error = errorEvent({ code: "format_mismatch", message: "a header of 8 kHz" });
    expect(write(dialect, error)).toEqual([]);
    expect(dialect.endsAt("format_mismatch")).toBeTrue();
    const { code, last = [] } = dialect.close("format_mismatch", "");
    expect([code, parse(last)]).toEqual([4000, [{ type: "Error", error_code: 4000, error: "a header of 8 kHz" }]]);
  });

  test("have the codes that this service has for them", () => {
    const endings = (["stop", "drain", "overloaded"] as const).map((ending) => connect().close(ending, "why"));
    expect(endings.map(({ code, reason, last }) => [code, reason, last])).toEqual([
      [1000, "", undefined],
      [1001, "", undefined],
      [1013, "overloaded: why", undefined],
    ]);
    const codes = (
      ["idle_timeout", "session_limit", "message_too_big", "slow_reader", "internal", "unauthorized"] as const
    ).map((ending) => connect().close(ending, "why"));
    expect(codes.map(({ code }) => code)).toEqual([4031, 3008, 3007, 3005, 3005, 4001]);
    for (const { code, last = [] } of codes) {
      expect(parse(last)).toEqual([{ type: "Error", error_code: code, error: "why" }]);
    }
  });

  test("of a refused connection have them, too", () => {
    const code = (error: ConstructorParameters<typeof ProtocolError>[0]) => {
      return v.parse(errorSchema, assemblyai.refuse(new ProtocolError(error, "why"))).error_code;
    };
    expect([code("unauthorized"), code("invalid_request"), code("too_many_sessions")]).toEqual([4001, 3006, 3009]);
    const temporary = (["draining", "not_ready", "overloaded", "model_unavailable"] as const).map(code);
    expect(temporary).toEqual([1013, 1013, 1013, 1013]);
    expect([code("internal"), code("upgrade_required"), code("unsupported_format")]).toEqual([3005, 3006, 4000]);
    const field = new ProtocolError("unsupported_format", "format.sample_rate: found 0");
    expect(assemblyai.refuse(field)).toMatchObject({ error: "sample_rate: found 0" });
  });

  test("that are good have the durations of the audio and of the session, in whole seconds", () => {
    const ledger = { decoded: 1, inferred: 1, silent: 0, failed: 0, segments: 0, interims: 0, errors: 0 };
    const channels = [{ channel: 0, received: 124_800, received_rate: 48_000, ...ledger }];
    const stopped = { type: "stopped", channels, trailing_bytes: 0, skipped_bytes: 0 } as const;
    const [, start] = connect().begin();
    if (start?.kind !== "request") throw new Error("no start");
    const common = { expiresAt: 0, model: undefined, formatTurns: false, untexted: "fields", extras: false } as const;
    const dialect = new AssemblyAiDialect({ ...common, id: ID, start: start.request, elapsed: () => 7.4 });
    expect(write(dialect, started, { ...stopped, reason: "drain" })).toEqual([
      { type: "Termination", audio_duration_seconds: 3, session_duration_seconds: 7 },
    ]);
    expect(write(connect(), started, { ...stopped, reason: "error" })).toEqual([]);
  });
});
