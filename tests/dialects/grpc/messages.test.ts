import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { grpcRequest, nativeEvent } from "../../../src/client/grpc/grpc-messages.ts";
import { contractOfGrpc } from "../../../src/dialects/grpc/contract.ts";
import { patternOf, readGrpcRequest } from "../../../src/dialects/grpc/requests.ts";
import { writeGrpcEvent } from "../../../src/dialects/grpc/responses.ts";
import { PATTERNS } from "../../../src/pipeline/patterns.ts";
import { ERRORS, ProtocolError } from "../../../src/protocol/errors.ts";
import { EVENTS, parseEvent, type ServerEvent } from "../../../src/protocol/events.ts";
import { EXAMPLES } from "../../../src/protocol/examples.ts";
import { REQUESTS } from "../../../src/protocol/requests.ts";

const FORMAT = { channels: 2, sample_rate: 48_000, bit_depth: 16, is_float: false };
const parsed = (message: unknown): unknown => JSON.parse(message as string);

/** JSON as a model's output and options have it. */
const json = fc.dictionary(
  fc
    .stringMatching(/^[a-z_]{1,8}$/)
    .filter((key) => !["start_time", "end_time", "is_final", "channel", "timing", "audio", "type"].includes(key)),
  fc.jsonValue({ maxDepth: 3 }),
  { maxKeys: 4 },
);

function fault(act: () => unknown): ProtocolError {
  try {
    act();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}

describe("requests over gRPC", () => {
  test("are those of the native protocol, field by field", () => {
    const start = {
      request: "start",
      format: { ...FORMAT, encoding: "pcm" },
      interim_results: false,
      trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
      tracestate: "a=b",
      model: "simulated",
      options: { language: "en", deep: [1, { a: true }], none: null },
      vad: { threshold_db: 12.5, floor_dbfs: -60, min_speech_ms: 0, min_silence_ms: 300 },
      interim_interval_ms: 250,
      flush_after_ms: 0,
      timing: true,
      resume: { token: "abc" },
    };
    for (const pattern of Object.keys(PATTERNS)) {
      const message = readGrpcRequest(grpcRequest(JSON.stringify(start), pattern));
      expect(parsed(message)).toEqual({ ...start, pattern });
      expect(patternOf(message)).toBe(pattern);
    }
    for (const request of [{ request: "stop", disconnect: true }, { request: "flush" }, { request: "keep_alive" }]) {
      expect(parsed(readGrpcRequest(grpcRequest(JSON.stringify(request), "simple")))).toEqual(request);
    }
  });

  test("have zeros where protobuf leaves them out and the protocol requires them", () => {
    const { request } = contractOfGrpc();
    const bytes = request.encode({ start: { format: {}, resume: {} } }).finish();
    expect(parsed(readGrpcRequest(bytes))).toEqual({
      request: "start",
      format: { channels: 0, sample_rate: 0, bit_depth: 0, is_float: false },
      resume: { token: "" },
    });
  });

  test("carry options of any shape", () => {
    fc.assert(
      fc.property(json, (options) => {
        const message = grpcRequest(JSON.stringify({ request: "start", format: FORMAT, options }), "simple");
        expect(parsed(readGrpcRequest(message))).toMatchObject({ options: JSON.parse(JSON.stringify(options)) });
      }),
    );
  });

  test("carry audio, whatever its bytes and its size are, as a view", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (audio) => {
        const bytes = grpcRequest(audio, "simple");
        const message = readGrpcRequest(bytes);
        expect(message).toEqual(audio);
        if (typeof message !== "string" && audio.length > 0) expect(message.buffer).toBe(bytes.buffer);
      }),
    );
    for (const size of [0, 127, 128, 16_383, 16_384, 2_097_152]) {
      expect(readGrpcRequest(grpcRequest(new Uint8Array(size), "simple"))).toHaveLength(size);
    }
  });

  test("are read as protobuf reads them, whatever the bytes are", () => {
    const { request } = contractOfGrpc();
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          fc.uint8Array({ maxLength: 20 }).map((rest) => new Uint8Array([0x12, rest.length, ...rest])),
        ),
        (bytes) => {
          let expected: unknown;
          try {
            expected = request.toObject(request.decode(bytes), { oneofs: true });
          } catch {
            expect(fault(() => readGrpcRequest(bytes)).code).toBe("invalid_request");
            return;
          }
          const { request: kind, audio } = expected as { request?: string; audio?: Uint8Array };
          if (kind === undefined)
            expect(fault(() => readGrpcRequest(bytes)).message).toInclude("found none of its fields");
          else if (kind === "audio") expect(readGrpcRequest(bytes)).toEqual(new Uint8Array(audio ?? []));
          else expect(parsed(readGrpcRequest(bytes))).toMatchObject({ request: kind });
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("begin with a start of a pattern that there is", () => {
    const first = (message: object): string =>
      readGrpcRequest(contractOfGrpc().request.encode(message).finish()) as string;
    expect(fault(() => patternOf(new Uint8Array(2))).message).toBe("found audio as the first message; allowed: start");
    expect(fault(() => patternOf(first({ stop: {} }))).message).toBe("found stop as the first message; allowed: start");
    const none = fault(() => patternOf(first({ start: {} })));
    expect([none.param, none.message]).toEqual([
      "pattern",
      'pattern: found nothing; allowed: "simple", "stateful", "segmented"',
    ]);
    for (const pattern of ["nope", "toString", "__proto__"]) {
      expect(fault(() => patternOf(first({ start: { pattern } }))).message).toStartWith(
        `pattern: found "${pattern}"; allowed:`,
      );
    }
  });
});

describe("events over gRPC", () => {
  const events: readonly ServerEvent[] = [
    ...Object.values(EXAMPLES)
      .flat()
      .filter((message) => "type" in message)
      .map((event) => parseEvent(JSON.stringify(event))),
    ...Object.keys(ERRORS).map((code): ServerEvent => ({ type: "error", code, message: "", fatal: true })),
    {
      type: "error",
      code: "inference_failed",
      message: "x",
      fatal: false,
      retryable: true,
      retry_after_ms: 0,
      channel: 0,
      start_time: 0,
      end_time: 1.5,
      param: "a.b",
    },
    { type: "warning", code: "draining", message: "x", deadline_ms: 0 },
    { type: "checkpoint", token: "t", position: 2 ** 52 },
  ];

  test("are those of the native protocol, field by field", () => {
    for (const event of events) {
      const bytes = writeGrpcEvent(event);
      expect(bytes && parsed(nativeEvent(bytes).text)).toEqual(event as never);
    }
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(Object.keys(EVENTS)) as never);
  });

  test("carry what a model returned, of any shape", () => {
    fc.assert(
      fc.property(json, fc.boolean(), (output, is_final) => {
        const times = { start_time: 0, end_time: 2.25, channel: 1 };
        for (const event of [
          { ...output, type: "segment", is_final, ...times, timing: { queue_ms: 0, infer_ms: 1.5, lag_ms: 2 } },
          { ...output, type: "data", channel: 0 },
        ]) {
          const bytes = writeGrpcEvent(event as ServerEvent);
          expect(bytes && parsed(nativeEvent(bytes).text)).toEqual(JSON.parse(JSON.stringify(event)));
        }
      }),
    );
  });

  test("carry names that objects of JavaScript have, too", () => {
    const output = JSON.parse('{"deep":{"__proto__":{"constructor":1}},"toString":"x"}') as Record<string, unknown>;
    const event = { ...output, type: "data", channel: 0 } as ServerEvent;
    expect(nativeEvent(writeGrpcEvent(event) as Uint8Array).text).toInclude('"deep":{"__proto__":{"constructor":1}}');
    const request = grpcRequest(JSON.stringify({ request: "start", format: FORMAT, options: output }), "simple");
    expect(readGrpcRequest(request)).toInclude('"options":{"deep":{"__proto__":{"constructor":1}},"toString":"x"}');
  });

  test("carry the sound of a result with it", () => {
    const samples = new Float32Array([9, 0.5, -0.5, 9]).subarray(1, 3);
    const audio = { bytes: samples.byteLength, sample_rate: 8_000 };
    for (const event of [
      { type: "segment", start_time: 0, end_time: 1, channel: 0, audio },
      { type: "data", channel: 0, audio },
    ] satisfies ServerEvent[]) {
      const { text, audio: sound } = nativeEvent(writeGrpcEvent(event, { samples, sampleRate: 8_000 }) as Uint8Array);
      expect(parsed(text)).toEqual(event as never);
      expect([...new Float32Array(sound as ArrayBuffer)]).toEqual([0.5, -0.5]);
    }
  });

  test("that the contract does not have are left out, as clients leave them out", () => {
    expect(writeGrpcEvent({ type: "future" } as unknown as ServerEvent)).toBeUndefined();
  });
});

test("the contract has every request, every event and every field of the native protocol", () => {
  const { root, request, response } = contractOfGrpc();
  const fieldsOf = (name: string): string[] => Object.keys(root.lookupType(`streamer.v1.${name}`).fields);
  const entries = (schema: unknown): string[] => Object.keys((schema as { entries: object }).entries);
  const nameOf = (kind: string): string =>
    kind
      .split("_")
      .map((part) => part[0]?.toUpperCase() + part.slice(1))
      .join("");
  expect(Object.keys(request.fields).sort()).toEqual(["audio", ...Object.keys(REQUESTS)].sort());
  expect(Object.keys(response.fields).sort()).toEqual(Object.keys(EVENTS).sort());
  for (const [kind, schema] of Object.entries(REQUESTS)) {
    const own = entries(schema).filter((field) => field !== "request");
    expect(fieldsOf(nameOf(kind)).sort()).toEqual((kind === "start" ? ["pattern", ...own] : own).sort());
  }
  for (const [type, schema] of Object.entries(EVENTS)) {
    const own = entries(schema).filter((field) => field !== "type");
    const hasOutput = type === "segment" || type === "data";
    expect(fieldsOf(nameOf(type)).sort()).toEqual((hasOutput ? ["output", ...own] : own).sort());
  }
});
