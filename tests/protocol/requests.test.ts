import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { type ErrorCode, ProtocolError } from "../../src/protocol/errors.ts";
import { MAX_OPTIONS_BYTES, parseRequest, REQUESTS, type Start } from "../../src/protocol/requests.ts";
import { VAD_DEFAULTS, VAD_RANGES } from "../../src/protocol/vad-settings.ts";

const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };
const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

const parse = (message: unknown) =>
  parseRequest(typeof message === "string" ? message : JSON.stringify(message), { maxChannels: 16 });
const start = (fields: object = {}) => parse({ request: "start", format: FORMAT, ...fields }) as Start;
const startText = (fields: string) => parse(`{"request":"start","format":${JSON.stringify(FORMAT)},${fields}}`);
const format = (fields: object) => start({ format: { ...FORMAT, ...fields } });

function refusal(act: () => unknown): ProtocolError {
  try {
    act();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

function expectRefusal(act: () => unknown, code: ErrorCode, param: string | undefined, message?: string) {
  const error = refusal(act);
  expect({ code: error.code, param: error.param }).toEqual({ code, param });
  if (message !== undefined) expect(error.message).toContain(message);
}

describe("start", () => {
  test("a start of the first version is accepted, with every default filled in", () => {
    expect(start({ interim_results: false, trace_id: TRACEPARENT })).toEqual({
      request: "start",
      format: { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false, encoding: "pcm" },
      interim_results: false,
      trace_id: TRACEPARENT,
      interim_interval_ms: 500,
      flush_after_ms: 0,
      timing: false,
    });
  });

  test("null counts as absent at every level", () => {
    const nulls = { interim_results: null, trace_id: null, tracestate: null, model: null, options: null, vad: null };
    expect(start({ ...nulls, timing: null, interim_interval_ms: null })).toEqual(start());
    expect(start({ format: { ...FORMAT, encoding: null } })).toEqual(start());
    expect(start({ vad: { threshold_db: null, min_silence_ms: 300 } }).vad).toEqual({ min_silence_ms: 300 });
    expect(start({ options: { language: null, words: ["a", null] } }).options).toEqual({ words: ["a", null] });
  });

  test("flush_after_ms is 0, which is off, or from 200 to 60000", () => {
    for (const value of [0, 200, 60_000]) expect(start({ flush_after_ms: value }).flush_after_ms).toBe(value);
    for (const value of [-1, 1, 199, 60_001, 200.5, "200", true]) {
      const message = "allowed: 0, or a whole number from 200 to 60000";
      expectRefusal(() => start({ flush_after_ms: value }), "invalid_request", "flush_after_ms", message);
    }
  });

  test("a required field that is null is missing", () => {
    expectRefusal(() => parse({ request: "start", format: null }), "invalid_request", "format", "found nothing");
    expectRefusal(() => format({ is_float: null }), "invalid_request", "format.is_float", "allowed: true or false");
  });

  test("vad settings that set nothing count as absent", () => {
    expect(start({ vad: {} })).not.toHaveProperty("vad");
    expect(start({ vad: { threshold_db: null } })).not.toHaveProperty("vad");
  });

  test("a normalised start is accepted again and stays the same", () => {
    const given = start({ vad: { threshold_db: 12 }, options: { language: "en" }, model: "b", tracestate: "a=b" });
    expect(parse(given)).toEqual(given);
    expect(parse(start())).toEqual(start());
  });

  test("every vad setting is accepted at both ends of its range and refused beyond them", () => {
    for (const [key, [min, max]] of Object.entries(VAD_RANGES)) {
      expect(start({ vad: { [key]: min } }).vad).toEqual({ [key]: min });
      expect(start({ vad: { [key]: max } }).vad).toEqual({ [key]: max });
      for (const beyond of [min - 1, max + 1]) {
        const found = `vad.${key}: found ${beyond}; allowed: a`;
        expectRefusal(() => start({ vad: { [key]: beyond } }), "invalid_request", `vad.${key}`, found);
      }
      expectRefusal(() => start({ vad: { [key]: "12" } }), "invalid_request", `vad.${key}`, 'found "12"');
    }
    expect(start({ vad: { threshold_db: 10.5 } }).vad).toEqual({ threshold_db: 10.5 });
    expectRefusal(() => start({ vad: { pre_roll_ms: 0.5 } }), "invalid_request", "vad.pre_roll_ms", "whole number");
    expectRefusal(() => start({ vad: [] }), "invalid_request", "vad", "found an array; allowed: an object with any of");
    expectRefusal(() => start({ vad: 3 }), "invalid_request", "vad", "min_silence_ms");
  });

  test("the vad defaults are themselves allowed", () => {
    expect(start({ vad: VAD_DEFAULTS }).vad).toEqual(VAD_DEFAULTS);
  });

  test("the interim interval has a range", () => {
    expect(start({ interim_interval_ms: 100 }).interim_interval_ms).toBe(100);
    expect(start({ interim_interval_ms: 10_000 }).interim_interval_ms).toBe(10_000);
    expectRefusal(() => start({ interim_interval_ms: 99 }), "invalid_request", "interim_interval_ms", "100 to 10000");
  });

  test("infinity and NaN are refused, and negative zero becomes zero", () => {
    expectRefusal(() => startText('"vad":{"threshold_db":1e999}'), "invalid_request", "vad.threshold_db", "Infinity");
    expectRefusal(() => startText('"vad":{"threshold_db":"NaN"}'), "invalid_request", "vad.threshold_db");
    expectRefusal(() => startText('"vad":{"threshold_db":NaN}'), "invalid_json", undefined);
    const zero = startText('"vad":{"pre_roll_ms":-0}') as Start;
    expect(Object.is(zero.vad?.pre_roll_ms, 0)).toBe(true);
  });

  test("the last one of two equal fields counts", () => {
    expect(startText('"timing":true,"timing":false')).toEqual(start());
  });

  test("a trace id is a traceparent or 32 hex digits", () => {
    for (const good of [
      TRACEPARENT,
      "4bf92f3577b34da6a3ce929d0e0e4736",
      "4BF92F3577B34DA6A3CE929D0E0E4736",
      "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings",
    ]) {
      expect(start({ trace_id: good }).trace_id).toBe(good);
    }
    for (const bad of [
      "",
      "hello",
      "0".repeat(32),
      TRACEPARENT.slice(0, -1),
      `${TRACEPARENT}-more`,
      `${TRACEPARENT}\n`,
      TRACEPARENT.toUpperCase(),
      "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
      12,
    ]) {
      expectRefusal(() => start({ trace_id: bad }), "invalid_request", "trace_id", "traceparent");
    }
  });

  test("a tracestate cannot carry a line feed", () => {
    expect(start({ tracestate: "vendor=1,other=2" }).tracestate).toBe("vendor=1,other=2");
    expectRefusal(() => start({ tracestate: "a=b\r\nX: y" }), "invalid_request", "tracestate", "\\u{d}\\u{a}");
    expectRefusal(() => start({ tracestate: "a".repeat(513) }), "invalid_request", "tracestate");
  });

  test("options are an object of up to 4 KiB, counted in bytes of UTF-8", () => {
    const filled = (bytes: number) => ({ options: { v: "é".repeat((bytes - 8) / 2) } });
    expect(start(filled(MAX_OPTIONS_BYTES)).options).toBeDefined();
    expectRefusal(() => start(filled(MAX_OPTIONS_BYTES + 2)), "invalid_request", "options", "found 4098 bytes");
    expectRefusal(() => start({ options: [1] }), "invalid_request", "options", "found an array");
    expectRefusal(() => start({ options: "x" }), "invalid_request", "options");
  });

  test("a model is selected by its name", () => {
    expect(start({ model: "levels" }).model).toBe("levels");
    expectRefusal(() => start({ model: "" }), "invalid_request", "model");
    expectRefusal(() => start({ model: "m".repeat(129) }), "invalid_request", "model");
    expectRefusal(() => start({ model: 3 }), "invalid_request", "model", "found 3");
  });
});

describe("other requests", () => {
  test("stop leaves the connection open unless disconnect is set", () => {
    expect(parse({ request: "stop" })).toEqual({ request: "stop", disconnect: false });
    expect(parse({ request: "stop", disconnect: null })).toEqual({ request: "stop", disconnect: false });
    expect(parse({ request: "stop", disconnect: true })).toEqual({ request: "stop", disconnect: true });
    expectRefusal(() => parse({ request: "stop", disconnect: 1 }), "invalid_request", "disconnect", "true or false");
  });

  test("flush and keep_alive have no fields", () => {
    expect(parse({ request: "flush" })).toEqual({ request: "flush" });
    expect(parse({ request: "keep_alive" })).toEqual({ request: "keep_alive" });
    expectRefusal(() => parse({ request: "flush", channel: 0 }), "invalid_request", "channel");
  });
});

describe("refusals", () => {
  test("what is not JSON is invalid_json", () => {
    for (const text of [
      "",
      "start",
      "{",
      '{"request":"stop"',
      "{'request':'stop'}",
      "undefined",
      "[".repeat(100_000),
    ]) {
      expectRefusal(() => parse(text), "invalid_json", undefined);
    }
  });

  test("JSON that is not an object with a string request is invalid_request", () => {
    for (const text of ["null", "1", '"start"', "[]", '[{"request":"stop"}]']) {
      expectRefusal(() => parse(text), "invalid_request", undefined, "a JSON object");
    }
    for (const text of ["{}", '{"request":null}', '{"request":1}', '{"request":["stop"]}', '{"request":{}}']) {
      expectRefusal(() => parse(text), "invalid_request", "request", '"start", "stop", "flush", "keep_alive"');
    }
  });

  test("an unknown request is named, with the nearest known one", () => {
    expectRefusal(() => parse({ request: "strat" }), "unknown_request", "request", 'did you mean "start"?');
    expectRefusal(() => parse({ request: "KEEP-ALIVE" }), "unknown_request", "request", 'did you mean "keep_alive"?');
    expectRefusal(() => parse({ request: "transcribe" }), "unknown_request", "request", 'allowed: "start"');
    for (const inherited of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      expectRefusal(() => parse({ request: inherited }), "unknown_request", "request");
    }
  });

  test("an unknown field is named, with the nearest known one of its own level", () => {
    const hint = 'unknown field "interim_result"; did you mean "interim_results"?';
    expectRefusal(() => start({ interim_result: true }), "invalid_request", "interim_result", hint);
    const nested = 'unknown field "vad.treshold_db"; did you mean "vad.threshold_db"?';
    expectRefusal(() => start({ vad: { treshold_db: 3 } }), "invalid_request", "vad.treshold_db", nested);
    expectRefusal(() => format({ sampleRate: 1 }), "invalid_request", "format.sampleRate", '"format.sample_rate"?');
    expectRefusal(() => start({ zzz: 1 }), "invalid_request", "zzz", "allowed: request, format");
  });

  test("names that every JavaScript object inherits are unknown fields too", () => {
    for (const key of ["constructor", "toString", "valueOf", "hasOwnProperty"]) {
      expectRefusal(() => start({ [key]: 1 }), "invalid_request", key, "unknown field");
      expectRefusal(() => format({ [key]: 1 }), "invalid_request", `format.${key}`, "unknown field");
    }
  });

  test("__proto__ is refused at any level and changes no object", () => {
    for (const text of [
      '"__proto__":{"timing":true}',
      '"vad":{"__proto__":{"threshold_db":5}}',
      '"options":{"a":[{"__proto__":{"polluted":true}}]}',
    ]) {
      expectRefusal(() => startText(text), "invalid_request", "__proto__", "__proto__");
    }
    expect("polluted" in {}).toBe(false);
  });

  test("deep nesting is refused, long before the stack overflows", () => {
    const nested = (depth: number) => `"options":${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
    expect((startText(nested(20)) as Start).options).toBeDefined();
    for (const depth of [40, 5_000]) {
      expectRefusal(() => startText(nested(depth)), "invalid_request", undefined, "nesting deeper than 32");
    }
    const array = `"options":{"a":${"[".repeat(4_000)}${"]".repeat(4_000)}}`;
    expectRefusal(() => startText(array), "invalid_request", undefined, "nesting");
  });

  test("an error message is short and printable whatever the client sent", () => {
    const nasty = `\u001b[31m\u0000\u202e\n${"x".repeat(60_000)}`;
    for (const act of [
      () => parse(nasty),
      () => parse({ request: nasty }),
      () => start({ [nasty]: 1 }),
      () => start({ vad: { [nasty]: 1 } }),
      () => start({ trace_id: nasty }),
      () => format({ encoding: nasty }),
    ]) {
      const { message, param = "" } = refusal(act);
      expect(message.length).toBeLessThan(400);
      expect(param.length).toBeLessThan(200);
      expect(message + param).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });

  test("any text is parsed or throws a ProtocolError", () => {
    const keys = fc.constantFrom("request", "format", "vad", "options", "trace_id", "channels", "__proto__", "a");
    const values = fc.oneof(fc.jsonValue(), fc.constantFrom("start", "stop", "flush", FORMAT, -0, 1e308));
    const almost = fc.dictionary(keys, values, { noNullPrototype: true });
    const starts = almost.map((fields) => ({ ...fields, request: "start", format: FORMAT }));
    const texts = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.oneof(almost, starts).map((value) => JSON.stringify(value)),
      fc.tuple(starts, fc.nat(), fc.string()).map(([value, at, insert]) => {
        const text = JSON.stringify(value);
        return text.slice(0, at % text.length) + insert + text.slice((at % text.length) + 1);
      }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          expect(Object.keys(REQUESTS)).toContain(parse(text).request);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          expect((error as ProtocolError).row.fatal).toBe(false);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("a valid start survives writing and reading with the same meaning", () => {
    const whole = ([min, max]: readonly [number, number]) => fc.integer({ min, max });
    const vad = fc.record(Object.fromEntries(Object.entries(VAD_RANGES).map(([key, range]) => [key, whole(range)])), {
      requiredKeys: [],
    });
    const valid = fc.record(
      {
        interim_results: fc.boolean(),
        timing: fc.boolean(),
        interim_interval_ms: fc.integer({ min: 100, max: 10_000 }),
        model: fc.string({ minLength: 1, maxLength: 40 }),
        vad,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(valid, (fields) => {
        const once = start(fields);
        expect(once).toMatchObject(JSON.parse(JSON.stringify({ ...fields, vad: once.vad })));
        expect(parse(once)).toEqual(once);
      }),
      { numRuns: 300 },
    );
  });
});
