import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { writeEvent } from "../../../src/dialects/wyoming/events.ts";
import { MAX_LINE_BYTES, WyomingFramer } from "../../../src/dialects/wyoming/framer.ts";
import { ProtocolError } from "../../../src/protocol/errors.ts";

const LIMITS = { maxDataBytes: 1_000, maxPayloadBytes: 5_000 };
const FORMAT = { rate: 16_000, width: 2, channels: 1 };

/** An event as clients send it. */
function event(type: string, data: object = {}, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const behind = JSON.stringify(data);
  const line = { type, version: "1.7.2", data_length: behind.length, payload_length: payload.length };
  return Buffer.concat([Buffer.from(`${JSON.stringify(line)}\n${behind}`), payload]);
}

/** What comes of bytes in these cuts: texts, and the number of the bytes of audio between them. */
function framed(chunks: readonly Uint8Array[]): (string | number)[] {
  const framer = new WyomingFramer(LIMITS);
  const found: (string | number)[] = [];
  for (const message of chunks.flatMap((chunk) => [...framer.push(chunk)])) {
    const last = found.at(-1);
    if (typeof message === "string") found.push(message);
    else if (typeof last === "number") found[found.length - 1] = last + message.length;
    else found.push(message.length);
  }
  return found;
}

/** The code of the error at these bytes, and the texts before it. */
function refusal(bytes: string | Uint8Array): { code: string | undefined; texts: number } {
  const framer = new WyomingFramer(LIMITS);
  let texts = 0;
  try {
    for (const _ of framer.push(Buffer.from(bytes))) texts += 1;
  } catch (error) {
    if (error instanceof ProtocolError) return { code: error.code, texts };
    throw error;
  }
  return { code: undefined, texts };
}

describe("a Wyoming connection is cut into", () => {
  const conversation = Buffer.concat([
    Buffer.from('{"type":"describe"}\n'),
    Buffer.from('{"type":"ping","data":{"text":"é"}}\n'),
    event("audio-start", FORMAT),
    event("audio-chunk", { ...FORMAT, timestamp: 0 }, new Uint8Array(1_024)),
    event("audio-chunk", { ...FORMAT, timestamp: 32 }, new Uint8Array(1_000)),
    event("audio-chunk", { ...FORMAT, rate: 8_000 }, new Uint8Array(3)),
    event("picture", { of: "cat" }, Buffer.from('{"type":"audio-stop"}\n')),
    event("audio-stop"),
  ]);

  test("events and audio; only the first of chunks in a row says their format, and a payload of others is left out", () => {
    const found = framed([conversation]);
    const types = found.map((each) =>
      typeof each === "string" ? String(JSON.parse(each.split("\n")[0] ?? "").type) : each,
    );
    expect(types).toEqual([
      "describe",
      "ping",
      "audio-start",
      "audio-chunk",
      2_024,
      "audio-chunk",
      3,
      "picture",
      "audio-stop",
    ]);
  });

  test("the format of a chunk again behind one without audio, which begins nothing", () => {
    const found = framed([
      event("audio-chunk", FORMAT),
      event("audio-chunk", FORMAT, new Uint8Array(4)),
      event("audio-chunk", FORMAT, new Uint8Array(4)),
    ]);
    expect(found.map((each) => typeof each)).toEqual(["string", "string", "number"]);
    expect(found.at(-1)).toBe(8);
  });

  test("the same, wherever the bytes are cut", () => {
    const whole = framed([conversation]);
    expect(framed([...conversation].map((byte) => Uint8Array.of(byte)))).toEqual(whole);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 60 }), (sizes) => {
        const chunks: Uint8Array[] = [];
        for (let at = 0, i = 0; at < conversation.length; i++) {
          const end = at + (sizes[i % sizes.length] ?? 1);
          chunks.push(conversation.subarray(at, end));
          at = end;
        }
        expect(framed(chunks)).toEqual(whole);
      }),
    );
  });

  test("pieces of audio that do not wait for the rest of their chunk", () => {
    const framer = new WyomingFramer(LIMITS);
    const bytes = event("audio-chunk", FORMAT, new Uint8Array(1_000));
    expect([...framer.push(bytes.subarray(0, -900))].at(-1)).toHaveLength(100);
    expect([...framer.push(bytes.subarray(-900, -1))]).toMatchObject([{ length: 899 }]);
  });

  test("nothing more at a line that is no event", () => {
    for (const line of [
      "{",
      "null",
      "[]",
      '"describe"',
      "",
      "GET / HTTP/1.1",
      '{"type":1}',
      "{}",
      '{"type":"a","data":1}',
    ])
      expect(refusal(`{"type":"ping"}\n${line}\n{"type":"ping"}\n`)).toMatchObject({
        code: expect.stringMatching(/^invalid_(json|request)$/) as unknown as string,
        texts: 1,
      });
    for (const length of ["-1", "1.5", '"1"', "1e300", "true"])
      expect(refusal(`{"type":"a","payload_length":${length}}\n`).code).toBe("invalid_request");
    expect(refusal('{"type":"a","data_length":2}\n[]').code).toBe("invalid_request");
    expect(refusal('{"type":"a","data_length":2}\n{x').code).toBe("invalid_json");
  });

  test("nothing more at a line, data or a payload that is too large, before it has come", () => {
    expect(refusal("x".repeat(MAX_LINE_BYTES + 1))).toEqual({ code: "message_too_big", texts: 0 });
    expect(refusal('{"type":"a","data_length":1001}\n').code).toBe("message_too_big");
    expect(refusal('{"type":"audio-chunk","payload_length":5001}\n').code).toBe("message_too_big");
    const most = { type: "x".repeat(MAX_LINE_BYTES - '{"type":""}'.length) };
    expect(refusal(`${JSON.stringify(most)}\n`)).toEqual({ code: undefined, texts: 1 });
  });

  test("whatever bytes come, messages or an error", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.json({ maxDepth: 3 }).map((line) => Buffer.from(`${line}\n`)),
      fc
        .record({ type: fc.string(), data: fc.anything(), data_length: fc.nat(50), payload_length: fc.nat(50) })
        .map((line) => Buffer.from(`${JSON.stringify(line)}\n{"a":1}`)),
    );
    fc.assert(fc.property(fc.array(bytes, { maxLength: 5 }), (chunks) => void refusal(Buffer.concat(chunks))));
  });
});

test("an event is written with its data behind the line, counted in bytes", () => {
  const [line = "", data = ""] = writeEvent("transcript", { text: "très bien" }).split("\n");
  expect(JSON.parse(line)).toEqual({ type: "transcript", version: "1.10.2", data_length: Buffer.byteLength(data) });
  expect(JSON.parse(data)).toEqual({ text: "très bien" });
  expect(writeEvent("pong")).toBe('{"type":"pong","version":"1.10.2"}\n');
});
